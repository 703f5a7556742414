#!/bin/bash
# Every fuzz target from its kept corpus, for some seconds each, two at once. What is found is left in the folder of the
# targets, and is the exit status.
#   run.sh BUILD [SECONDS] [TARGET...]
set -uo pipefail
build=$1 seconds=${2:-20}
shift $(($# > 1 ? 2 : 1))
corpus=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/corpus
cd "$build" || exit 2
targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then
  for program in bin/fuzz_*; do targets+=("${program#bin/fuzz_}"); done
fi
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
run() {
  mkdir -p "found/$1" "grown/$1"
  if "bin/fuzz_$1" -seed=1 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1500 -max_len=20000 -print_final_stats=1 \
    -artifact_prefix="found/$1/" "grown/$1" "$corpus/$1" >"found/$1.log" 2>&1; then
    echo "fuzz $1: $(grep -o 'number_of_executed_units: [0-9]*' "found/$1.log" | grep -o '[0-9]*$') inputs, nothing found"
  else
    tail -40 "found/$1.log"
    echo "fuzz $1: found $(ls "found/$1")"
    return 1
  fi
}
export -f run
export corpus seconds
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'run {}'
