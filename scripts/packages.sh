# The Debian packages of each purpose, and one function that installs what is missing. Sourced by ./run, ./test and ./dev.

packages_build=(
  build-essential ca-certificates ccache cmake git ninja-build pkg-config python3
  libboost1.81-dev libc-ares-dev libcli11-dev libcurl4-openssl-dev libfmt-dev libhiredis-dev libjansson-dev libluajit-5.1-dev libncurses-dev libpcre2-dev libpq-dev libsoci-dev libspdlog-dev libsqlite3-dev libssl-dev libsystemd-dev libtomlplusplus-dev libxxhash-dev nlohmann-json3-dev prometheus-cpp-dev
)
packages_test=(baresip-core libgtest-dev libgmock-dev linphone-cli mariadb-server nodejs nsd openssl postgresql redis-server sip-tester tmux tshark)
# Node.js of another origin than Debian brings its npm along, and Debian's cannot be installed beside it.
command -v npm >/dev/null || packages_test+=(npm)
packages_demo=(sip-tester)
packages_lint=(clang-format clang-tidy)
packages_fuzz=(clang-19 libclang-rt-19-dev llvm-19)
packages_coverage=(clang-19 libclang-rt-19-dev llvm-19)
packages_valgrind=(valgrind)
packages_bench=(kamailio kamailio-lua-modules kamailio-tls-modules libbenchmark-dev openssl)
packages_compare=(kamailio kamailio-lua-modules sip-tester)
packages_fresh=(debootstrap)

# install_packages PURPOSE...: quick when nothing is missing; otherwise needs root or sudo.
install_packages() {
  local purpose missing=()
  for purpose in "$@"; do
    local -n wanted="packages_$purpose"
    local package
    for package in "${wanted[@]}"; do
      [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || { echo "missing packages: ${missing[*]}; install them as root, or install sudo" >&2; return 1; }
    as_root=(sudo)
  fi
  echo "installing: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
