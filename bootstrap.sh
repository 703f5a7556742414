#!/bin/bash
# The only set-up: installs what is missing, configures, builds into build/, and then does what it is told.
#   ./bootstrap.sh               build; the program is build/bin/regimen
#   ./bootstrap.sh run ARGS...   build, then build/bin/regimen run ARGS...
#   ./bootstrap.sh test          build, then every test
set -euo pipefail
umask 022  # a plug-in that others may write is refused

packages=(g++ cmake ninja-build pkg-config libboost-dev libboost-program-options-dev libboost-filesystem-dev
          libboost-system-dev libdnnl-dev libyaml-cpp-dev nlohmann-json3-dev libpcre2-dev libfmt-dev libssl-dev
          libutf8proc-dev libsqlite3-dev zlib1g-dev libzstd-dev libsnappy-dev liblz4-dev
          libbrotli-dev libgtest-dev libgmock-dev)
# For the tests that build plug-ins with another compiler and library, for sanitizers and fuzzing, for the format check,
# for the comparison of the contract with what was recorded of it, for a page that is looked at in a browser, for the
# threads of a GPU in software, and for processes that a launcher starts: MPICH needs fewer packages than Open MPI.
test_packages=(clang-14 libc++-14-dev libc++abi-14-dev libclang-rt-14-dev libomp-14-dev llvm-14 clang-format-14
               abigail-tools chromium libboost-context-dev libmpich-dev mpich)

say() { echo "bootstrap: $*" >&2; }

# missing PACKAGE...: those of them that dpkg does not have, on one line
missing() {
  local installed
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
                sed -n 's/^installed //p' | tr '\n' ' ') "
  local package
  for package in "$@"; do
    [[ $installed == *" $package "* ]] || printf '%s ' "$package"
  done
}

# Everything is here, wherever it came from?
have_everything() {
  local tool
  for tool in g++ cmake ninja pkg-config; do command -v $tool >/dev/null || return 1; done
  pkg-config --exists yaml-cpp libpcre2-8 fmt libcrypto libutf8proc sqlite3 zlib libzstd snappy liblz4 libbrotlidec gmock || return 1
  printf '#include <%s>\n' boost/dll/shared_library.hpp boost/filesystem.hpp boost/program_options.hpp boost/beast.hpp \
    nlohmann/json.hpp gtest/gtest.h oneapi/dnnl/dnnl.hpp |
    g++ -std=c++20 -x c++ -fsyntax-only - 2>/dev/null
}

# install PACKAGE...: as root on Debian 12
install() {
  say "installing $*"
  DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

prepare() {
  local distribution="" needed="" extra=""
  if [[ -r /etc/os-release ]]; then
    distribution=$(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-}")
  fi
  if [[ $distribution != "debian 12" ]]; then
    have_everything && return
    say "this is \"${distribution:-an unknown system}\", and the packages are known only for Debian 12. Regimen needs"
    say "g++ 12 or newer (or clang 14), cmake 3.25, ninja, pkg-config, and the development files of Boost 1.74"
    say "(program_options, filesystem, system), oneDNN, yaml-cpp, nlohmann-json 3.11, PCRE2, fmt, OpenSSL, utf8proc,"
    say "SQLite, zlib, zstd, snappy, LZ4, Brotli, GoogleTest and GoogleMock. On Debian they are called:"
    say "${packages[*]}"
    exit 2
  fi
  needed=$(missing "${packages[@]}")
  if [[ -n $needed && $EUID != 0 ]] && ! have_everything; then
    say "packages are missing, and installing them needs root:"
    say "  sudo apt-get install $needed"
    exit 2
  fi
  if [[ -n $needed && $EUID == 0 ]] && ! install $needed; then
    say "apt-get could not install them; is the network up, and is /etc/apt/sources.list right?"
    exit 1
  fi
  [[ ${1:-} == test ]] || return 0
  extra=$(missing "${test_packages[@]}")
  if [[ -z $extra ]]; then return 0; fi
  if [[ $EUID != 0 ]] || ! install $extra; then
    say "some tests will be skipped without: sudo apt-get install $extra"
  fi
}

# Where CUDA's compiler is, the GPU backend is built, and its attention wants headers that no package of Debian has.
fetch_cudnn_frontend() {
  local at=build/cudnn-frontend
  [[ ! -f build/build.ninja && ! -d $at/include ]] || return 0
  command -v nvcc >/dev/null && command -v python3 >/dev/null || return 0
  say "fetching the headers of cudnn-frontend"
  mkdir -p $at
  if ! { python3 -m pip download -q --no-deps --only-binary=:all: -d $at nvidia-cudnn-frontend==1.32.0 &&
         python3 -m zipfile -e $at/*.whl $at; } >$at/log 2>&1; then
    say "they could not be downloaded ($at/log says why): attention on the GPU will run on slower kernels"
  fi
  rm -f $at/*.whl
}

# build TARGET...: nothing is the program and its plug-ins
build() {
  fetch_cudnn_frontend
  if [[ ! -f build/build.ninja ]]; then
    say "configuring"
    if ! cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release >build.log 2>&1; then
      cat build.log >&2
      rm -f build.log build/build.ninja
      exit 1
    fi
    rm -f build.log
  fi
  # Ninja's own line is rewritten in place on a terminal; elsewhere only what was done is worth a line.
  if [[ -t 2 ]]; then
    (cd build && ninja "$@") >&2
  else
    (cd build && ninja "$@") 2>&1 | sed '/Re-checking globbed directories/d; /^ninja: no work to do/d' >&2
  fi
}

cd "$(dirname "${BASH_SOURCE[0]}")"
case ${1:-} in
  "")
    prepare
    build
    say "the program is build/bin/regimen; try ./bootstrap.sh run configs/quickstart.yaml"
    ;;
  run)
    prepare
    build
    exec build/bin/regimen "$@"
    ;;
  test)
    prepare test
    build all tests/all
    exec ctest --test-dir build --output-on-failure -j2 "${@:2}"
    ;;
  *)
    say "\"$1\" is not known: give nothing (to build), run ARGS..., or test"
    exit 2
    ;;
esac
