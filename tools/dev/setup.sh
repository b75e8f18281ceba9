# ./dev setup [build|gpu|web|test|peers|all]: installs what is missing; quiet and quick when nothing is.

wanted_packages() { grep -hv '^#' "$@"; }

# Debian packages of the system itself.
setup_debian() {
  local missing=() package
  for package in $(wanted_packages "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] ||
    say "dev: tested on Debian 12 (bookworm) only; trying to install ${missing[*]}"
  step "updating package lists" as_root env DEBIAN_FRONTEND=noninteractive apt-get update
  step "installing ${#missing[@]} Debian packages" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Where the prefix has its libraries and its loader; names of the system's own loader are never used for them.
readonly prefix_lib=$root/.deps/prefix/usr/lib/x86_64-linux-gnu

# The Debian mirror that this system uses for its own suite also has the newer one.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT) $(CODENAME)' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "main" && $4 !~ /-/ { print $1; exit }'
}

# The lines of tools/deps/forky.txt of one group, and whether that is what lies in the prefix.
forky_lines() { awk -v g="$1" '$0 !~ /^#/ && $3 == g' tools/deps/forky.txt; }
forky_is_there() { [ "$(cat ".deps/stamp-$1" 2>/dev/null)" = "$(forky_lines "$1")" ]; }

# unpack_debs PREFIX SUITE… -- NAME VERSION…: packages of these suites, the first of them preferred, with all they need,
# unpacked into PREFIX: apt with a state of its own and an empty status file resolves the closure, dpkg -x unpacks it.
# Nothing of it is installed. Warns of versions that are not the tested ones.
unpack_debs() {
  local prefix=$1 suites=()
  shift
  while [ "$1" != -- ]; do
    suites+=("$1")
    shift
  done
  shift
  [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || setup_debian <(echo debian-archive-keyring)
  local apt=$root/.deps/apt mirror suite names=()
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { as_root apt-get update -qq; mirror=$(debian_mirror); }
  [ -n "$mirror" ] || die "no Debian mirror in this system's package sources"
  rm -rf "$apt"
  mkdir -p "$apt"/{lists/partial,archives/partial} "$prefix"
  : >"$apt/status"
  for suite in "${suites[@]}"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$apt/sources.list"
  local options=(-qq -oDir::State="$apt" -oDir::State::lists="$apt/lists" -oDir::State::status="$apt/status"
    -oDir::Etc::sourcelist="$apt/sources.list" -oDir::Etc::sourceparts=/dev/null -oDir::Cache="$apt"
    -oDir::Cache::archives="$apt/archives" -oAPT::Install-Recommends=0 -oAPT::Architecture=amd64
    -oDebug::NoLocking=1 -oAPT::Sandbox::User="$(id -un)" -oAPT::Default-Release="${suites[0]}")
  step "reading the list of ${suites[0]}'s packages" apt-get "${options[@]}" update
  local version
  while [ $# != 0 ]; do
    version=$(apt-cache "${options[@]}" policy "$1" | awk '/Candidate:/ { print $2 }')
    [ "$version" = "$2" ] || say "dev: warning: $1 is now $version, tested with $2"
    names+=("$1")
    shift 2
  done
  step "fetching ${names[*]}" apt-get "${options[@]}" install -y --download-only "${names[@]}"
  local deb
  for deb in "$apt"/archives/*.deb; do dpkg -x "$deb" "$prefix"; done
  rm -rf "$apt"
}

# setup_forky GROUP…: packages of forky, unpacked into .deps/prefix.
setup_forky() {
  local group groups=() lines
  for group in "$@"; do forky_is_there "$group" || groups+=("$group"); done
  [ ${#groups[@]} != 0 ] || return 0
  lines=$(for group in "${groups[@]}"; do forky_lines "$group"; done)
  # shellcheck disable=SC2046
  unpack_debs .deps/prefix forky -- $(awk '{ print $1, $2 }' <<<"$lines")
  link_prefix
  for group in "${groups[@]}"; do forky_lines "$group" >".deps/stamp-$group"; done
}

# What is seen of the prefix outside it.
link_prefix() {
  local name
  mkdir -p .deps/include
  # Only these headers are seen by the compiler: the prefix also holds a newer C library. (webgpu.h includes dawn/.)
  for name in hwy webgpu dawn; do
    [ ! -d ".deps/prefix/usr/include/$name" ] || ln -sfn "../prefix/usr/include/$name" ".deps/include/$name"
  done
  # libLLVM, which lavapipe uses, looks for its libraries in $ORIGIN/../lib alone; with this link they are there, and no
  # program needs LD_LIBRARY_PATH, which would also reach the system's programs that it starts.
  ln -sfn x86_64-linux-gnu .deps/prefix/usr/lib/lib
  # The Vulkan loader is told where a driver is (./dev on).
  local icd=.deps/prefix/usr/share/vulkan/icd.d/lvp_icd.json
  [ ! -f "$icd" ] || write_icd lavapipe "$prefix_lib/libvulkan_lvp.so" "$icd"
}

# write_icd NAME LIBRARY ICD_FILE: .deps/NAME_icd.json, the driver's own ICD file with the full path of its library.
write_icd() {
  sed -E 's|("library_path": *)"[^"]*"|\1"'"$2"'"|' "$3" >".deps/$1_icd.json"
}

# SwiftShader, the software GPU of browsers: only Chromium's packages have it (32 MB), and only two files of it stay.
setup_swiftshader() {
  [ ! -f .deps/swiftshader_icd.json ] || return 0
  local folder=$root/.deps/swiftshader
  rm -rf "$folder"
  mkdir -p "$folder/package"
  step "fetching SwiftShader from Chromium's package" fetch_swiftshader "$folder"
  write_icd swiftshader "$folder/libvk_swiftshader.so" "$folder/vk_swiftshader_icd.json"
}

fetch_swiftshader() (
  get=(apt-get download -qq -oAPT::Sandbox::User="$(id -un)" chromium-common)
  cd "$1/package" || exit 1
  "${get[@]}" || { as_root apt-get update -qq && "${get[@]}"; } || exit 1
  dpkg-deb --fsys-tarfile chromium-common_*.deb | tar -x --strip-components=4 -C "$1" \
    ./usr/lib/chromium/libvk_swiftshader.so ./usr/lib/chromium/vk_swiftshader_icd.json || exit 1
  basename chromium-common_*.deb .deb >"$1/version"
  rm -r "$1/package"
)

# build: what the program needs; gpu: the software GPUs and tint; web: the package for browsers; test: all that ./dev test
# needs, but for the browser's tier, which sets up itself.
setup() {
  setup_debian tools/deps/debian-build.txt
  case ${1:-build} in
    build) setup_forky build gpu ;;
    gpu)
      setup_forky build gpu gpu-test
      setup_swiftshader
      ;;
    test)
      setup_debian tools/deps/debian-test.txt
      setup gpu
      ;;
    web) setup_web ;;
    peers) setup_forky build gpu peers ;;
    all)
      setup test
      setup peers
      ;;
    *) die "setup: build, gpu, web, test, peers or all, not '$1'" ;;
  esac
}
