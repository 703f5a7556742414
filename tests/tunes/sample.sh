#!/usr/bin/env bash
# sample.sh PROGRAM MODEL COUNT - writes COUNT tunes of a trained model, each behind a line that begins with
# "%%% sample", as count.sh reads them. A tune ends at the first empty line.
set -euo pipefail
if [ $# -ne 3 ]; then
  echo "usage: sample.sh PROGRAM MODEL COUNT" >&2
  exit 2
fi
for ((seed = 1; seed <= $3; ++seed)); do
  echo "%%% sample $seed"
  "$1" generate --model "$2" --prompt X: --max-tokens 600 --temperature 0.6 --seed "$seed" 2>/dev/null |
    awk '/^[ \t\r]*$/ { exit } { print }'
done
