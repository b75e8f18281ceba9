# ./dev web: the playground, served with the headers that threads need.

# older FILE FOLDER…: whether the file is missing or anything in the folders is newer.
older() {
  local file=$1
  shift
  [ ! -f "$file" ] || [ -n "$(find "$@" -name dist -prune -o -type f -newer "$file" -print -quit)" ]
}

# Both WebAssembly modules and the package around them: packages/weft/dist.
web_package() {
  setup web
  build wasm weft
  build wasm-threads weft
  if older packages/weft/dist/index.js packages/weft/src packages/weft/tools packages/weft/package.json build/wasm/host/web/weft.wasm \
    build/wasm-threads/host/web/weft.wasm; then
    step "building packages/weft" npm run build --workspace weft
  fi
}

web_playground() {
  web_package
  if older apps/playground/dist/sw.js apps/playground packages/weft/dist/{index.js,weft.wasm,weft.threads.wasm} models; then
    step "building apps/playground" npm run build --workspace weft-playground
  fi
}

web() {
  local port=8080 host=localhost build=yes
  while [ $# != 0 ]; do
    case $1 in
      --port | --host)
        [ $# -ge 2 ] || die "web: $1 needs a value"
        if [ "$1" = --port ]; then port=$2; else host=$2; fi
        shift
        ;;
      --no-build) build=no ;;
      *) die "usage: ./dev web [--port N] [--host NAME] [--no-build]" ;;
    esac
    shift
  done
  if [ $build = yes ]; then
    web_playground
  else
    [ -f apps/playground/dist/index.html ] || die "nothing is built yet: ./dev web"
  fi
  exec node apps/playground/tools/serve.mjs --port "$port" --host "$host"
}
