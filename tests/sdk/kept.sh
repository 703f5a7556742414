#!/bin/bash
# Plug-ins that were built once, out of tree, against the SDK of their day: the program of today loads, checks and runs
# the very same files. Until the contract is 1.0 a change that docs/contract.md allows may need new ones.
#   kept.sh BUILD              checks and runs what is kept; exits 77 where it was built for another processor
#   kept.sh BUILD record       builds them anew, a project of `regimen new` each
set -euo pipefail
umask 022  # what others may write is refused as a plug-in
build=$(realpath "$1")
kept=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/kept
regimen=$build/bin/regimen
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  [[ ! -f $work/log ]] || cat "$work/log"
  echo "FAILED: $*"
  exit 1
}

if [[ ${2:-} == record ]]; then
  cmake --install "$build" --prefix "$work/installed" >"$work/log" || fail "install"
  for kind in strategy adapter reward backend; do
    "$regimen" new $kind kept_$kind "$work/$kind" >/dev/null
    cmake -G Ninja -S "$work/$kind" -B "$work/$kind/build" -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_CXX_COMPILER=g++ \
      -DCMAKE_BUILD_TYPE=Release >"$work/log" && cmake --build "$work/$kind/build" >"$work/log" || fail "$kind"
    rm -rf "${kept:?}/$kind"
    mkdir -p "$kept/$kind/build"
    strip -s "$work/$kind/build/kept_$kind.so" -o "$kept/$kind/build/kept_$kind.so"
    cp "$work/$kind/"{pipeline.yaml,text.txt} "$kept/$kind/"
    [[ $kind != reward ]] || cp "$work/$kind/prompts.jsonl" "$kept/$kind/"
  done
  "$regimen" --version >"$kept/built-for"
  uname -m >>"$kept/built-for"
  exit 0
fi

if [[ $(tail -1 "$kept/built-for") != "$(uname -m)" ]]; then
  echo "skipped: they were built for $(tail -1 "$kept/built-for"), this is $(uname -m)"
  exit 77
fi
for kind in strategy adapter reward backend; do
  cp -r "$kept/$kind" "$work/$kind"
  chmod -R go-w "$work/$kind"
  cmp -s "$kept/$kind/build/kept_$kind.so" "$work/$kind/build/kept_$kind.so" || fail "$kind: the copy is another file"
  "$regimen" plugins check "$work/$kind/build/kept_$kind.so" >"$work/log" 2>&1 || fail "kept_$kind is not sound any more"
  grep -q "^sound: " "$work/log" || fail "kept_$kind was not checked"
  (cd "$work/$kind" && "$regimen" run pipeline.yaml) >"$work/log" 2>&1 || fail "kept_$kind does not run any more"
  grep -q "everything is in" "$work/log" || fail "kept_$kind: its pipeline was not run"
  echo "kept_$kind: checked and run"
done
