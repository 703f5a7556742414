#!/bin/bash
# The walks of docs/writing-a-plugin.md, one of them in C, as a reader types them: files are written where their fence
# says, commands run in order, in an empty folder, against the build folder.
#   walk.sh DOCS BUILD
set -euo pipefail
umask 022  # what others may write is refused as a plug-in
export PREFIX=$2 PATH="$2/bin:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Each fenced block of the sections as a part of one script: a file where the fence has a name, commands for `sh`.
awk '
  /^## / { inside = /^## (One adapter, from formula to test|In plain C)/ }
  !inside { next }
  /^```sh$/ { kind = "sh"; next }
  /^```(cpp|yaml|c|cmake) ./ { kind = "file"; print "cat >" $2 " <<\"END OF FILE\""; next }
  /^```$/ { if (kind == "file") print "END OF FILE"; kind = ""; next }
  kind != "" { print }
' "$1/writing-a-plugin.md" >"$work/typed"
[[ $(grep -c '^regimen ' "$work/typed") -ge 4 ]] || { echo "FAILED: the walk is not found in $1"; exit 1; }
mkdir "$work/folder"
cd "$work/folder"
bash -euo pipefail "$work/typed" >"$work/log" 2>&1 || { cat "$work/log"; echo "FAILED: the walk"; exit 1; }
[[ $(grep -c '^sound: ' "$work/log") == 2 ]] ||
  { cat "$work/log"; echo "FAILED: the adapter or the reward is not sound"; exit 1; }
grep -qE 'sites +ok +4 of 19 sites .*1024 parameters; at the start the loss is ([0-9.]+), \1 without' "$work/log" ||
  { cat "$work/log"; echo "FAILED: the report is not as the page says"; exit 1; }
echo ok
