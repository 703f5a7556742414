#!/bin/bash
# Installs the program and the SDK, makes a plug-in of each kind with `regimen new`, builds it out of tree with clang and
# libc++, and runs it in the installed program.
#   third_party.sh BUILD: the build folder; exits 77 where clang or libc++ is not installed
set -euo pipefail
umask 022  # what others may write is refused as a plug-in
build=$1

cxx=$(command -v clang++-14 || command -v clang++ || true)
if [[ -z $cxx ]]; then
  echo "skipped: clang++-14 is not installed"
  exit 77
fi
if ! echo '#include <vector>' | "$cxx" -stdlib=libc++ -x c++ -std=c++20 -fsyntax-only - 2>/dev/null; then
  echo "skipped: libc++ (libc++-14-dev, libc++abi-14-dev) is not installed"
  exit 77
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

for kind in strategy adapter reward backend; do
  name=foreign_$kind
  project=$work/$kind
  "$regimen" new $kind $name "$project" >/dev/null
  "$regimen" new $kind $name "$project" 2>/dev/null && fail "regimen new wrote into a folder that is not empty"
  if ! { cmake -G Ninja -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$work/installed" \
           -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="-stdlib=libc++ -Werror" && cmake --build "$project/build"; } >"$work/log" 2>&1; then
    cat "$work/log"
    fail "$name does not build"
  fi
  library=$project/build/$name.so
  exported=$(nm -D --defined-only "$library" | awk '{print $3}')
  [[ $exported == regimen_plugin_v1 ]] || fail "$library exports: $exported"
  readelf -d "$library" | grep -q 'libc++' || fail "$library was not built with libc++"

  listed=$(REGIMEN_PLUGIN_PATH=$project/build "$regimen" plugins $name --json)
  grep -q '"usable": true' <<<"$listed" || fail "$name is not usable: $listed"
  grep -q "\"sha256\": \"$(sha256sum "$library" | cut -d' ' -f1)\"" <<<"$listed" || fail "$name: another SHA-256"

  if "$regimen" run --help >/dev/null 2>&1; then
    # The project's own test checks and runs its pipeline.
    ctest --test-dir "$project/build" -V >"$work/log" 2>&1 || { cat "$work/log"; fail "$name"; }
    grep -q "everything lies in" "$work/log" || { cat "$work/log"; fail "$name: its pipeline was not run"; }
  else
    echo "$name: not run, the program has no command run"
  fi
  echo "$name: ok"
done

# Removed from the installation again, the program does not know it.
cmake --install "$work/reward/build" --prefix "$work/installed" >/dev/null
"$regimen" plugins foreign_reward >/dev/null || fail "an installed plug-in is not found"
rm "$work/installed/lib/regimen/foreign_reward.so"
status=0
"$regimen" plugins foreign_reward 2>/dev/null || status=$?
[[ $status == 2 ]] || fail "an unknown id ends with $status, expected 2"
echo ok
