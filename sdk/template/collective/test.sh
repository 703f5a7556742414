#!/bin/sh
# Checks that the library is sound and that the pipeline runs with it: sh test.sh LIBRARY [regimen]
set -eu
library=$1
regimen=${2:-}
cd "$(dirname "$0")"

exported=$(nm -D --defined-only "$library" | awk '{print $3}')
[ "$exported" = regimen_plugin_v1 ] || { echo "$library exports: $exported"; exit 1; }

if [ ! -x "$regimen" ]; then
  echo "the program regimen was not found: the pipeline was not run"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The library may have been built somewhere other than where pipeline.yaml names it.
sed "s|build/@NAME@.so|$library|" pipeline.yaml > "$folder/pipeline.yaml"
cp text.txt "$folder"
# The host refuses a plug-in that others may write to.
umask 022
chmod go-w "$library" "$(dirname "$library")"
"$regimen" plugins check "$library"
"$regimen" check "$folder/pipeline.yaml"
"$regimen" run "$folder/pipeline.yaml" --out "$folder/runs"
