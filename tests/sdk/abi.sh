#!/bin/bash
# The binary contract is what was recorded of it: abi/tables.abi has every table with its functions' types, and
# abi/layout.h every offset, size and constant as assertions, which headers.sh compiles.
#   abi.sh SDK TESTS           compares; exits 77 where abidiff (abigail-tools) is not installed
#   abi.sh SDK TESTS record    records anew, after a change that docs/contract.md allows
set -euo pipefail
sdk=$1 tests=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for tool in abidw abidiff; do
  command -v $tool >/dev/null || { echo "skipped: $tool is not installed (abigail-tools)"; exit 77; }
done
gcc -std=c11 -g -gdwarf-4 -shared -fPIC -I "$sdk/include" "$tests/abi/tables.c" -o "$work/tables.so"

describe() { abidw --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash "$work/tables.so"; }

# A line of assertions for each struct's member and size, from abidw's description.
offsets() {
  awk -F"'" '
    /<class-decl / && !/is-declaration-only/ { type = $2; bits = 0; for (i = 1; i < NF; i++) if ($i ~ /size-in-bits=$/) bits = $(i + 1) }
    /<class-decl / && /is-declaration-only/ { type = "" }
    /<data-member / { for (i = 1; i < NF; i++) if ($i ~ /layout-offset-in-bits=$/) offset = $(i + 1) }
    /<var-decl / && type ~ /^rgm_/ && offset != "" { print "SAME(offsetof(" type ", " $2 ") == " offset / 8 ");"; offset = "" }
    /<\/class-decl>/ && type ~ /^rgm_/ { print "SAME(sizeof(" type ") == " bits / 8 ");"; type = "" }
  ' "$1"
}

# The constants of all enums, with the values that they have now.
constants() {
  gcc -E -P -I "$sdk/include" "$tests/abi/tables.c" | tr '\n' ' ' | grep -oE '(enum|typedef enum) *\{[^}]*\}' |
    grep -oE 'RGM_[A-Z0-9_]+' | sort -u >"$work/names"
  {
    echo '#include <regimen/abi.h>'
    echo '#include <stdio.h>'
    echo '#define SAY(name) printf("SAME(%s == %d);\n", #name, (int)name);'
    echo 'int main(void) {'
    sed 's/.*/  SAY(&)/' "$work/names"
    echo '}'
  } >"$work/print.c"
  gcc -std=c11 -I "$sdk/include" "$work/print.c" -o "$work/print"
  "$work/print"
}

layout() {
  echo '/* layout.h - where everything of the contract lies, as it was recorded by abi.sh; not written by hand. */'
  echo '#include <regimen/abi.h>'
  echo
  echo '#define SAME(what) static_assert(what, #what " was recorded")'
  offsets "$1"
  constants
}

if [[ ${3:-} == record ]]; then
  describe >"$work/tables.abi"
  layout "$work/tables.abi" >"$work/layout.h"
  mv "$work/tables.abi" "$work/layout.h" "$tests/abi/"
  echo "recorded: $(grep -c "^SAME" "$tests/abi/layout.h") assertions; look at git diff before you commit them"
  exit 0
fi

say_next() {
  echo "The contract is not what was recorded. If docs/contract.md allows the change, record it anew:"
  echo "  tests/sdk/abi.sh sdk tests/sdk record"
  exit 1
}
abidiff --harmless --no-show-locs "$tests/abi/tables.abi" "$work/tables.so" || say_next
describe >"$work/now.abi"
layout "$work/now.abi" | diff "$tests/abi/layout.h" - || say_next
echo ok
