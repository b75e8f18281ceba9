# ./dev package [PROGRAM…]: a folder that runs on any x86-64 Linux, whatever its C library: program, loader, libraries, Dawn and
# the Vulkan loader. GPU drivers are the machine's own; NVIDIA's for Vulkan wants libEGL and libGLdispatch, which a machine
# without a screen may lack. Further programs of the build folder, tests say, can be put beside it.

# All libraries that these programs and libraries load, and the loader itself, as the prefix's loader resolves them.
libraries() {
  local file
  for file in "$@"; do
    "$prefix_lib/ld-linux-x86-64.so.2" --library-path "$prefix_lib" --list "$file"
  done | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | sort -u
}

# start_script NAME: sh that runs lib/NAME.bin by the folder's own loader, so that nothing of the system's is needed.
start_script() {
  cat <<SCRIPT
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
nvidia=/usr/local/nvidia # containers get the driver here, where neither loader looks
if [ -d \$nvidia/share/vulkan/icd.d ] && ! ls /usr/share/vulkan/icd.d/nvidia* /etc/vulkan/icd.d/nvidia* >/dev/null 2>&1; then
  export VK_ADD_DRIVER_FILES="\${VK_ADD_DRIVER_FILES:+\$VK_ADD_DRIVER_FILES:}\$nvidia/share/vulkan/icd.d"
fi
exec "\$here/lib/ld-linux-x86-64.so.2" --library-path "\$here/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}:\$nvidia/lib64" \\
  --argv0 "\$0" "\$here/lib/$1.bin" "\$@"
SCRIPT
}

package() {
  local version program name out
  local gpu=("$prefix_lib/"{libwebgpu_dawn.so.0,libvulkan.so.1,libEGL.so.1,libGLdispatch.so.0})
  setup
  build_release
  program=$(weft_program)
  version=$("$program" --version | awk '{ print $NF; exit }')
  out=$root/build/package/weft-$version-linux-x86_64
  rm -rf "$out.tmp" "$out"
  mkdir -p "$out.tmp/lib"
  for program in "$program" "$@"; do
    [ -f "$program" ] || die "package: no program $program"
    name=$(basename "$program")
    cp "$program" "$out.tmp/lib/$name.bin"
    strip "$out.tmp/lib/$name.bin"
    start_script "$name" >"$out.tmp/$name"
    chmod +x "$out.tmp/$name"
  done
  libraries "$(weft_program)" "$@" "${gpu[@]}" | xargs -I{} cp -L {} "$out.tmp/lib/"
  cp -L "${gpu[@]}" "$out.tmp/lib/"
  # The programs name the prefix of this machine, which would be searched first.
  quietly "removing paths" cmake -DFOLDER="$out.tmp/lib" -P tools/dev/remove_rpath.cmake
  cp LICENSE README.md "$out.tmp/"
  cp -r models "$out.tmp/models"
  mv "$out.tmp" "$out"
  say "$(du -sh "$out" | cut -f1) in ${out#"$root"/}"
}
