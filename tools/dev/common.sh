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

# configure PRESET: only when the build folder is new or the presets are newer.
configure() {
  local dir=$root/build/$1 launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  if [ ! -f "$dir/build.ninja" ] || [ CMakePresets.json -nt "$dir/build.ninja" ]; then
    quietly "configuring $1" cmake --preset "$1" "${launcher[@]}"
  fi
}

# build PRESET TARGET…: quiet; says so only when there is something to compile.
build() {
  local preset=$1
  shift
  configure "$preset"
  local todo
  todo=$(ninja -C "build/$preset" -n "$@" 2>/dev/null | grep -c '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)') || true
  if [ "$todo" -gt 1 ] && [ -z "${DEV_SILENT:-}" ]; then
    step "building $preset ($todo steps)" ninja -C "build/$preset" "$@"
  else
    quietly "building $preset" ninja -C "build/$preset" "$@"
  fi
}

weft_program() { echo "$root/build/release/weft"; }

build_release() { build release weft_program; }
