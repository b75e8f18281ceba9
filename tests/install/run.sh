#!/usr/bin/env bash
# Installs a build of Weft into a new folder and builds the examples against it as a stranger would: with plain gcc and
# g++, once through find_package(weft) and once through pkg-config, from a folder that was moved after installing. Then
# runs them and compares: the same seed gives the same story through C and C++.
#
#   tests/install/run.sh BUILD_DIR [MODEL]     MODEL: default, the built-in one
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=${1:?usage: tests/install/run.sh BUILD_DIR [MODEL]}
model=("${@:2:1}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --component library --prefix "$work/installed" > "$work/install.log"
mv "$work/installed" "$work/moved"
prefix=$work/moved
library=$(find "$prefix" -name libweft.so)
export LD_LIBRARY_PATH=${library%/*}

echo "exported symbols other than weft_*:"
others=$(nm -D --defined-only "$library" | awk '{print $NF}' | grep -v '^weft_' || true)
[[ -z $others ]] && echo "  none" || { echo "$others" | head; exit 1; }
needed=$(objdump -p "$library" | awk '/NEEDED/ {print $2}' | tr '\n' ' ')
echo "needs: $needed"
case $needed in *libc++* | *libstdc++* | *curl*) echo "libweft.so must bring its own C++ library"; exit 1 ;; esac

echo "find_package:"
CC=gcc CXX=g++ cmake -S "$source_dir/examples" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" > "$work/cmake.log"
cmake --build "$work/cmake" > "$work/build.log"
"$work/cmake/hello_c" "${model[@]}" | tee "$work/c.txt"
"$work/cmake/hello_cc" "${model[@]}" | tee "$work/cc.txt"

echo "pkg-config:"
export PKG_CONFIG_PATH=${library%/*}/pkgconfig
read -ra flags <<< "$(pkg-config --cflags --libs weft)"
gcc -std=c99 -pedantic -Wall -Wextra -Werror "$source_dir/examples/hello.c" "${flags[@]}" -o "$work/pc_c"
g++ -std=c++20 -Wall -Wextra -Werror "$source_dir/examples/hello.cc" "${flags[@]}" -o "$work/pc_cc"
"$work/pc_c" "${model[@]}" | cmp - "$work/c.txt"
"$work/pc_cc" "${model[@]}" | cmp - "$work/cc.txt"
g++ -std=c++20 -Wall -Wextra -Werror "$source_dir/tests/install/wrapper_check.cc" "${flags[@]}" -pthread -o "$work/check"
"$work/check" "${model[@]}"
if command -v clang++-19 > /dev/null; then
  clang++-19 -stdlib=libc++ -std=c++20 -Wall -Wextra -Werror "$source_dir/examples/hello.cc" "${flags[@]}" -o "$work/pc_clang"
  "$work/pc_clang" "${model[@]}" | cmp - "$work/cc.txt"
  clang++-19 -stdlib=libc++ -std=c++20 -Wall -Wextra -Werror "$source_dir/tests/install/wrapper_check.cc" "${flags[@]}" \
    -pthread -o "$work/check_clang"
  "$work/check_clang" "${model[@]}"
fi

echo "program:"
cmake --install "$build_dir" --component program --prefix "$work/program" >> "$work/install.log"
if readelf -ldW "$work/program/bin/weft" | grep -F "$source_dir"; then
  echo "the installed program must not need the folder it was built in"; exit 1
fi
"$work/program/bin/weft" --version

# The last line differs (a count of tokens), the story may not.
cmp <(head -n -1 "$work/c.txt") <(head -n -1 "$work/cc.txt")
status=0
"$work/pc_c" "$work/absent.gguf" 2> "$work/error.txt" || status=$?
[[ $status == 1 && $(wc -l < "$work/error.txt") == 1 ]] || { echo "a missing file must be one line and status 1"; exit 1; }
cat "$work/error.txt"
echo "install: ok"
