# ./dev bench web: Weft beside wllama, transformers.js and WebLLM in one Chromium (bench/web/run.mjs has the options).

bench_web() {
  web_package
  build_release
  if older bench/web/dist/index.html bench/web/src bench/web/index.html bench/web/sample.html bench/web/vite.config.ts packages/weft/dist/index.js; then
    step "building bench/web" npm run build --workspace weft-bench-web
  fi
  exec node bench/web/run.mjs --weft "$(weft_program)" "$@"
}
