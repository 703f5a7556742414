#!/bin/bash
# Installs the program and the SDK, makes a plug-in of each kind with `regimen new`, builds it out of tree as the printed
# lines say, with gcc, and with clang and libc++, and checks and runs it in the installed program.
#   third_party.sh BUILD: the build folder; exits 77 where clang or libc++ is not installed, after what gcc can do
set -euo pipefail
umask 022  # what others may write is refused as a plug-in
build=$1

cxx=$(command -v clang++-14 || command -v clang++ || true)
if [[ -n $cxx ]] && ! echo '#include <vector>' | "$cxx" -stdlib=libc++ -x c++ -std=c++20 -fsyntax-only - 2>/dev/null; then
  cxx=
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "FAILED: $*"
  exit 1
}

cmake --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; fail "install"; }
mv "$work/first" "$work/installed"  # it can be moved
regimen=$work/installed/bin/regimen
"$regimen" --version
"$regimen" plugins >"$work/list"
grep -q "$work/installed/lib/regimen/" "$work/list" || fail "the installed plug-ins are not found beside the program"

# build PROJECT FOLDER OPTIONS...: configures and builds it, every warning an error
build_project() {
  local project=$1 folder=$2
  shift 2
  if ! { cmake -G Ninja -S "$project" -B "$folder" -DCMAKE_PREFIX_PATH="$work/installed" "$@" &&
         cmake --build "$folder"; } >"$work/log" 2>&1; then
    cat "$work/log"
    fail "$project does not build with $*"
  fi
}

# try NAME FOLDER: the library that was built there exports one symbol, is listed, and passes the project's own test,
# which checks it and runs its pipeline
try() {
  local name=$1 folder=$2 library=$2/$1.so
  local exported listed
  exported=$(nm -D --defined-only "$library" | awk '{print $3}')
  [[ $exported == regimen_plugin_v1 ]] || fail "$library exports: $exported"
  listed=$(REGIMEN_PLUGIN_PATH=$folder "$regimen" plugins "$name" --json)
  grep -q '"usable": true' <<<"$listed" || fail "$name is not usable: $listed"
  grep -q "\"sha256\": \"$(sha256sum "$library" | cut -d' ' -f1)\"" <<<"$listed" || fail "$name: another SHA-256"
  ctest --test-dir "$folder" -V >"$work/log" 2>&1 || { cat "$work/log"; fail "$name"; }
  grep -q "sound: " "$work/log" || { cat "$work/log"; fail "$name: it was not checked"; }
  grep -q "everything is in" "$work/log" || { cat "$work/log"; fail "$name: its pipeline was not run"; }
}

for kind in strategy adapter reward backend collective; do
  name=foreign_$kind
  project=$work/$kind
  # From nothing to a running pipeline, by the lines that are printed and no others.
  SECONDS=0
  "$regimen" new $kind $name "$project" >"$work/said"
  sed -n 's/^  //p' "$work/said" >"$work/lines"
  [[ $(wc -l <"$work/lines") == 4 ]] || { cat "$work/said"; fail "regimen new $kind prints other than four lines"; }
  (cd "$work" && bash -e lines) >"$work/log" 2>&1 || { cat "$work/log"; fail "$name, by the lines that were printed"; }
  ((SECONDS < 60)) || fail "$name took $SECONDS s from nothing to a pipeline that ran, a minute at most was expected"
  "$regimen" new $kind $name "$project" 2>/dev/null && fail "regimen new wrote into a folder that is not empty"

  build_project "$project" "$work/$kind-gcc" -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_FLAGS=-Werror
  try $name "$work/$kind-gcc"
  if [[ -n $cxx ]]; then
    build_project "$project" "$work/$kind-clang" -DCMAKE_CXX_COMPILER="$cxx" \
      -DCMAKE_CXX_FLAGS="-stdlib=libc++ -Werror"
    readelf -d "$work/$kind-clang/$name.so" | grep -q 'libc++' || fail "$name was not built with libc++"
    try $name "$work/$kind-clang"
  fi
  echo "$name: ok"
done

# Removed from the installation again, the program does not know it.
cmake --install "$work/reward-gcc" --prefix "$work/installed" >/dev/null
"$regimen" plugins foreign_reward >/dev/null || fail "an installed plug-in is not found"
rm "$work/installed/lib/regimen/foreign_reward.so"
status=0
"$regimen" plugins foreign_reward 2>/dev/null || status=$?
[[ $status == 2 ]] || fail "an unknown id ends with $status, expected 2"
if [[ -z $cxx ]]; then
  echo "skipped: clang++-14 with libc++ (clang-14, libc++-14-dev, libc++abi-14-dev) is not installed"
  exit 77
fi
echo ok
