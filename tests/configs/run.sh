#!/bin/bash
# Every pipeline in configs/ is checked and run, shortened to a few steps. One whose data is not on this machine is
# named and left out. Those in configs/bench/ are benched instead, with one narrow layer.
#   run.sh PROGRAM CONFIGS
set -uo pipefail
program=$1 configs=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0 ran=0
for file in "$configs"/*.yaml "$configs"/*/*.yaml; do
  name=$(basename "$file" .yaml)
  if ! "$program" check "$file" >"$out/said" 2>&1; then
    if [[ -z ${REGIMEN_DATA:-} ]] && grep -q 'there is no file "[^"]*\.\(txt\|abc\|tsv\|jsonl\)"' "$out/said"; then
      echo "left out: $name, its data is not here"
      continue
    fi
    cat "$out/said"
    failed=1
    continue
  fi
  stage=$(awk '$1 == "-" && $2 == "name:" { print $3; exit }' "$file")
  if [[ $file == */bench/* ]]; then
    smaller=()
    for size in layers=1 heads=2 channels=32 vocabulary=300; do smaller+=(--set "stages.$stage.model.$size"); done
    if grep -q kv_heads "$file"; then
      for size in kv_heads=1 hidden=64 context=64; do smaller+=(--set "stages.$stage.model.$size"); done
    fi
    if ! "$program" bench "$file" --seconds 0.01 "${smaller[@]}" >"$out/said" 2>&1; then
      cat "$out/said"
      failed=1
    fi
    ran=$((ran + 1))
    continue
  fi
  shorter=()
  while read -r one; do shorter+=(--set "stages.$one.steps=3"); done \
    < <(sed -n 's/^ *- {\{0,1\}name: *\([a-z0-9_-]*\).*/\1/p' "$file")
  # Stages that ask about every row.
  while read -r one; do shorter+=(--set "stages.$one.data.prompts.end=0.1"); done \
    < <(awk '$1 == "-" && $2 == "name:" { name = $3 } /prompting: *[&{]/ && name { print name; name = "" }' "$file")
  # Stages with a text that is continued at the end, and those that sample answers.
  while read -r one; do shorter+=(--set "stages.$one.sample.tokens=8"); done \
    < <(awk '$1 == "-" && $2 == "name:" { name = $3 } $1 == "sample:" { print name }' "$file")
  while read -r one what; do shorter+=(--set "stages.$one.strategy.$what.max_tokens=2"); done \
    < <(sed -n 's/^ *- {\{0,1\}name: *\([a-z0-9_-]*\).*/name \1/p; s/^ *strategy:.*{\([a-z_]*\): {.*max_tokens.*/what \1/p
        ' "$file" | awk '$1 == "name" { name = $2 } $1 == "what" { print name, $2 }')
  if grep -q 'ask: web' "$file"; then  # nobody is there: it comes as far as the question, and is interrupted
    "$program" run "$file" --out "$out/$name" "${shorter[@]}" >"$out/said" 2>&1 &
    for ((i = 0; i < 3000; ++i)); do
      ! grep -q 'waiting for a person' "$out/said" && kill -0 $! 2>/dev/null || break
      sleep 0.02
    done
    kill -INT $! 2>/dev/null
    status=0
    wait $! || status=$?
    if [[ $status != 130 ]]; then
      echo "$name: ended with $status, 130 was expected"
      cat "$out/said"
      failed=1
    fi
    ran=$((ran + 1))
    continue
  fi
  if ! "$program" run "$file" --out "$out/$name" "${shorter[@]}" >"$out/said" 2>&1 ||
    [[ ! -s $out/$name/report.html ]]; then
    echo "$name:"
    cat "$out/said"
    failed=1
    continue
  fi
  ran=$((ran + 1))
done
echo "$ran pipelines ran"
[[ $failed == 0 && $ran -gt 0 ]]
