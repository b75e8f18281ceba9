# The commands of ./dev.

usage() {
  cat <<'HELP'
./dev COMMAND

  run               build if needed and tell a story with the built-in model
  test [TIER|NAME]  all tests, one tier (lint unit wgsl gpu browser golden stories cli install tsan) or by name
  weft ARGS…        run the release program (builds it first if needed, prints nothing of its own)
  web [OPTIONS]     build and serve the playground with the headers that threads need (--port N, --host NAME, --no-build)
  on GPU CMD…       run a command on a software GPU: lavapipe (f16, subgroups of 8) or swiftshader (no f16, subgroups of 4)
  build [PRESET]    release (default), dev, asan, ubsan, tsan, fuzz, wasm, wasm-threads
  bench [peers|web] speed of this machine; with peers: paired with llama.cpp's llama-bench; with web: in Chromium, beside
                    wllama, transformers.js and WebLLM (bench web --help)
  golden            check the committed goldens against Hugging Face transformers (needs Python with torch)
  fuzz [S [NAME]]   each fuzzer for S seconds (60)
  fmt, lint         format the code; check layers, sizes and format
  package [PROGRAM…] a relocatable folder under build/package, with further programs of the build beside weft
  setup [PART]      install what is missing (Debian packages; a private prefix in .deps): build, gpu, web, test, peers, all
  help              this text
HELP
}

# on_gpu NAME COMMAND…: only this driver is seen by the command and by what it starts. Nothing else is set: programs find
# Dawn and the driver's libraries by themselves (weft_gpu_program in cmake/layers.cmake).
on_gpu() {
  local icd=$root/.deps/${1:-}_icd.json
  [ $# -ge 2 ] || die "usage: ./dev on lavapipe|swiftshader COMMAND…"
  setup gpu
  [ -f "$icd" ] || die "no GPU '$1': lavapipe or swiftshader"
  shift
  VK_DRIVER_FILES=$icd exec "$@"
}

main() {
  local command=${1:-help}
  [ $# = 0 ] || shift
  case $command in
    setup) setup "$@" ;;
    build)
      setup test
      [ "${1:-release}" = fuzz ] || DEV_TESTS=ON
      build "${1:-release}" all
      ;;
    run)
      setup
      build_release
      exec "$(weft_program)" generate "$@"
      ;;
    weft)
      DEV_SILENT=1
      setup
      build_release
      exec "$(weft_program)" "$@"
      ;;
    web) web "$@" ;;
    on) on_gpu "$@" ;;
    test) run_tests "$@" ;;
    bench)
      if [ "${1:-}" = web ]; then
        shift
        bench_web "$@"
      fi
      setup
      build_release
      if [ "${1:-}" = peers ]; then
        setup peers
        exec bash bench/peers/llama_bench.sh "$(weft_program)"
      fi
      exec "$(weft_program)" bench "$@"
      ;;
    golden) exec python3 oracle/make_goldens.py --check "$@" ;;
    fuzz) fuzz "$@" ;;
    fmt) fmt ;;
    lint)
      setup test
      lint
      ;;
    package) package "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}
