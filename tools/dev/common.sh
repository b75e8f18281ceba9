# Shared by all commands of ./dev: messages, quiet steps, builds.

say() { printf '%s\n' "$*" >&2; }
die() {
  say "dev: $*"
  exit 1
}

# quietly LABEL COMMAND…: prints nothing unless the command fails; then its output and a line saying what failed.
quietly() {
  local label=$1 log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    tail -n 200 "$log" >&2
    rm -f "$log"
    die "$label failed"
  fi
  rm -f "$log"
}

# step LABEL COMMAND…: the same with a line before and the time after, for work a person waits for.
step() {
  local label=$1 start=$SECONDS
  shift
  say "· $label …"
  quietly "$label" "$@"
  ((SECONDS - start < 5)) || say "  done in $((SECONDS - start)) s"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -- "$@"
  else die "need root (or sudo) to run: $*"
  fi
}

# configure PRESET: only when the build folder is new, the presets are newer or tests are wanted (DEV_TESTS) and not there.
# The program alone needs none of the packages that the tests need.
configure() {
  local dir=$root/build/$1 options=() tests=${DEV_TESTS:-OFF}
  if grep -q '^WEFT_TESTS:BOOL=ON' "$dir/CMakeCache.txt" 2>/dev/null; then
    tests=ON
  elif [ "$tests" = ON ]; then
    rm -f "$dir/build.ninja"
  fi
  command -v ccache >/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  if [ ! -f "$dir/build.ninja" ] || [ CMakePresets.json -nt "$dir/build.ninja" ]; then
    quietly "configuring $1" cmake --preset "$1" "-DWEFT_TESTS=$tests" ${options[@]+"${options[@]}"}
  fi
}

# Says after two seconds that a build runs, and on a terminal how far it is.
watch_build() {
  [ -z "${DEV_SILENT:-}" ] || return 0
  sleep 2
  say "· building $1 (some minutes the first time) …"
  [ -t 2 ] || return 0
  while sleep 1; do printf '\r  %s\033[K' "$(grep -o '^\[[0-9]*/[0-9]*\]' "$2" | tail -n 1)" >&2; done
}

# build PRESET TARGET…: the output only if it fails.
build() {
  local preset=$1 log watcher status=0
  shift
  configure "$preset"
  log=$(mktemp)
  watch_build "$preset" "$log" &
  watcher=$!
  ninja -C "build/$preset" "$@" >"$log" 2>&1 || status=$?
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  if [ -t 2 ] && [ -z "${DEV_SILENT:-}" ]; then printf '\r\033[K' >&2; fi
  if [ "$status" != 0 ]; then
    grep -v '^\[' "$log" | tail -n 200 >&2
    rm -f "$log"
    die "building $preset failed"
  fi
  rm -f "$log"
}

weft_program() { echo "$root/build/release/weft"; }

build_release() { build release weft_program; }
