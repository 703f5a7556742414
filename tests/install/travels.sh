#!/bin/bash
# An installed tree is moved elsewhere and run there without anything of this machine but the C and C++ runtimes: the
# archive's size, which libraries are found where, a pipeline, and the tests that are in it.
#   travels.sh BUILD
set -euo pipefail
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

cmake --install "$build" --prefix "$work/first" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
mv "$work/first" "$work/elsewhere"
here=$work/elsewhere

size=$(du -sm --apparent-size "$here" | cut -f1)
(( size <= 60 )) || fail "the tree has $size MiB, 60 are allowed"

for file in "$here"/bin/regimen "$here"/lib/regimen/*.so; do
  # Each library comes from the tree, or is of the C and C++ runtimes.
  while read -r name _ found _; do
    case $name in linux-vdso* | /lib*/ld-linux* | libc.so* | libm.so* | libstdc++.so* | libgcc_s.so*) continue ;; esac
    [[ $found == "$here"/* ]] || fail "${file##*/} finds $name at \"$found\", not in the tree"
  done < <(env -u LD_LIBRARY_PATH ldd "$file")
done

run() { env -i HOME="$work" PATH=/usr/bin:/bin "$here/bin/regimen" "$@"; }
cd "$work"
run plugins >"$work/plugins"
grep -q 'onednn .* yes ' "$work/plugins" || { cat "$work/plugins"; fail "the plug-ins of the tree are not listed"; }
run run "$here/share/regimen/configs/quickstart.yaml" --out "$work/run" --set stages.base.steps=2 \
  --set stages.base.sample.tokens=2 >"$work/log" 2>&1 || { cat "$work/log"; fail "quickstart does not run there"; }
[[ -s $work/run/report.html ]] || fail "there is no report"
# Another one needs more than the stories, and pages link to each other.
run check "$here/share/regimen/configs/people.yaml" >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "people.yaml lacks something there"; }
for page in "$here"/share/regimen/*.md "$here"/share/regimen/docs/*.md; do
  for link in $(grep -oE '\]\([A-Za-z0-9_./-]+\.(md|png|svg)' "$page" | cut -c3-); do
    [[ -e ${page%/*}/$link ]] || fail "${page##*/} links to $link, which is not in the tree"
  done
done
for source in strategies/dpo/dpo.cpp adapters/lora/lora.cpp rewards/rule/rule.cpp fixtures/value_head.cpp; do
  [[ -s $here/share/regimen/examples/$source ]] || fail "the tree has no examples/$source"
done
[[ ! -e $here/share/regimen/examples/backends ]] || fail "the examples have backends"
if [[ -x $here/lib/regimen/tests/conformance_tests ]]; then
  env -i "$here/lib/regimen/tests/conformance_tests" --gtest_filter=Conformance.TheReference* >"$work/log" 2>&1 ||
    { cat "$work/log"; fail "the tests of the tree do not run there"; }
fi
echo "travelled: $size MiB"
