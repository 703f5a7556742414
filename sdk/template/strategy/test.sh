#!/bin/sh
# Is the library sound, and does the pipeline train with it? sh test.sh LIBRARY [regimen]
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
# The library may have been built elsewhere than pipeline.yaml says.
sed "s|build/@NAME@.so|$library|" pipeline.yaml > "$folder/pipeline.yaml"
cp text.txt "$folder"
# A plug-in that others may write is refused.
umask 022
chmod go-w "$library" "$(dirname "$library")"
"$regimen" plugins check "$library"
"$regimen" check "$folder/pipeline.yaml"
"$regimen" run "$folder/pipeline.yaml" --out "$folder/runs"
