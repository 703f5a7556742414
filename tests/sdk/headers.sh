#!/bin/bash
# Every header of the SDK compiles alone: the ABI as C11, C17 and C++20, the layer over it as C++20, with the compilers
# that are here; every offset and constant is where it was recorded; and what the SDK should refuse is refused with the
# right words.
#   headers.sh SDK TESTS: the folders sdk/ and tests/sdk/
set -euo pipefail
sdk=$1 tests=$2
strict=(-Wall -Wextra -pedantic -Werror -I "$sdk/include" -fsyntax-only)

cc=() cxx=() flags=()
for name in gcc clang-14; do if command -v $name >/dev/null; then cc+=("$name"); fi; done
for name in g++ clang++-14; do if command -v $name >/dev/null; then cxx+=("$name"); fi; done
cxx_of() { printf '%s\n' "${cxx[@]}"; }
for name in "${cxx[@]}"; do  # libc++ too, where it is installed
  if [[ $name == clang* ]] && echo '#include <vector>' | $name -stdlib=libc++ -x c++ -fsyntax-only - 2>/dev/null; then
    cxx+=("$name -stdlib=libc++")
  fi
done
echo "with: ${cc[*]}, $(cxx_of | paste -sd, -)"

for header in "$sdk"/include/regimen/abi.h "$sdk"/include/regimen/abi/*.h "$tests/abi/layout.h"; do
  for c in "${cc[@]}"; do
    for standard in c11 c17; do $c -x c -std=$standard "${strict[@]}" "$header"; done
  done
  cxx_of | while read -r c; do $c -x c++ -std=c++20 "${strict[@]}" "$header"; done
  # no hole inside a struct either
  gcc -x c -std=c11 "${strict[@]}" -Wpadded "$header"
done
for header in "$sdk"/include/regimen/*.hpp; do
  cxx_of | while read -r c; do
    echo "#include <regimen/$(basename "$header")>" | $c -x c++ -std=c++20 "${strict[@]}" -
  done
done

for source in "$tests"/misspelt/*.cpp; do
  expected=$(sed -n '1s/.*expect: //p' "$source")
  cxx_of | while read -r c; do
    if said=$($c -std=c++20 "${strict[@]}" -fvisibility=hidden "$source" 2>&1); then
      echo "$c compiles $source, which it should not"
      exit 1
    fi
    grep -qF "$expected" <<<"$said" || { echo "$c does not say \"$expected\" of $source but:"; echo "$said"; exit 1; }
  done
done
echo ok
