# ./dev setup [build|test|peers|all]: installs what is missing; quiet and quick when nothing is.

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

# The Debian mirror that this system uses for its own suite also has the newer one.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT) $(CODENAME)' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "main" && $4 !~ /-/ { print $1; exit }'
}

# Packages of forky, with all they need, unpacked into .deps/prefix: apt with a state of its own and an empty status
# file resolves the closure, dpkg -x unpacks it. Nothing of it is installed.
setup_forky() {
  local group=$1 stamp=.deps/stamp-$1 names=() lines
  lines=$(awk -v g="$group" '$0 !~ /^#/ && $3 == g' tools/deps/forky.txt)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lines" ] && return
  [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || setup_debian <(echo debian-archive-keyring)
  names=($(awk '{ print $1 }' <<<"$lines"))
  local apt=$root/.deps/apt mirror
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { as_root apt-get update -qq; mirror=$(debian_mirror); }
  [ -n "$mirror" ] || die "no Debian mirror in this system's package sources"
  mkdir -p "$apt"/{lists/partial,archives/partial} .deps/prefix .deps/include
  : >"$apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main" >"$apt/sources.list"
  local options=(-qq -oDir::State="$apt" -oDir::State::lists="$apt/lists" -oDir::State::status="$apt/status"
    -oDir::Etc::sourcelist="$apt/sources.list" -oDir::Etc::sourceparts=/dev/null -oDir::Cache="$apt"
    -oDir::Cache::archives="$apt/archives" -oAPT::Install-Recommends=0 -oAPT::Architecture=amd64
    -oDebug::NoLocking=1 -oAPT::Sandbox::User="$(id -un)")
  step "reading the list of newer packages" apt-get "${options[@]}" update
  local name tested group_ version
  while read -r name tested group_; do
    version=$(apt-cache "${options[@]}" policy "$name" | awk '/Candidate:/ { print $2 }')
    [ "$version" = "$tested" ] || say "dev: warning: $name is now $version, tested with $tested"
  done <<<"$lines"
  step "fetching ${names[*]}" apt-get "${options[@]}" install -y --download-only "${names[@]}"
  local deb
  for deb in "$apt"/archives/*.deb; do dpkg -x "$deb" .deps/prefix; done
  rm -rf "$apt"
  # Only these headers are seen by the compiler: the prefix also holds a newer C library.
  ln -sfn ../prefix/usr/include/hwy .deps/include/hwy
  echo "$lines" >"$stamp"
}

setup() {
  setup_debian tools/deps/debian-build.txt
  setup_forky build
  case ${1:-build} in
    build) ;;
    test) setup_debian tools/deps/debian-test.txt ;;
    peers) setup_forky peers ;;
    all)
      setup_debian tools/deps/debian-test.txt
      setup_forky peers
      ;;
    *) die "setup: build, test, peers or all, not '$1'" ;;
  esac
}
