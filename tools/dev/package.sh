# ./dev package: a folder that runs on any x86-64 Linux, whatever its C library: program, loader, libraries.

package() {
  setup
  build_release
  local version program out
  program=$(weft_program)
  version=$("$program" --version | awk '{ print $NF; exit }')
  out=$root/build/package/weft-$version-linux-x86_64
  rm -rf "$out.tmp" "$out"
  mkdir -p "$out.tmp/lib"
  cp "$program" "$out.tmp/lib/weft.bin"
  strip "$out.tmp/lib/weft.bin"
  # Every library the program loads, and the loader itself, as the linker resolves them here.
  ldd "$program" | awk '/=> \// { print $3 } /^\t\/lib/ { print $1 }' | while read -r library; do
    cp -L "$library" "$out.tmp/lib/"
  done
  # Started through its own loader, so that nothing of the system's is needed.
  cat >"$out.tmp/weft" <<'SCRIPT'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" --argv0 "$0" "$here/lib/weft.bin" "$@"
SCRIPT
  chmod +x "$out.tmp/weft"
  cp LICENSE README.md "$out.tmp/"
  cp -r models "$out.tmp/models"
  mv "$out.tmp" "$out"
  say "$(du -sh "$out" | cut -f1) in ${out#"$root"/}"
}
