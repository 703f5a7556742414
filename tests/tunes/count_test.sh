#!/usr/bin/env bash
# count_test.sh - count.sh on tunes whose bars a reader can count.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

cat > "$work/training.abc" <<'ABC'
X: 1
T:One
M:6/8
K:D
A|"D"d2f afd|"A7"c3 "D"d3|A2B cde|d3-d2:|

X: 2
T:Two
M:4/4
L:1/4
K:C
|:CDEF|G>A B2|[CEG]2 z2|C4:|
ABC

# expect NAME STATUS TEXT... : count.sh on standard input has this exit status and prints each text
expect() {
  local name=$1 status=$2 printed rc text
  shift 2
  cat > "$work/samples.abc"
  printed=$("$here/count.sh" "$work/samples.abc" "$work/training.abc" 2>&1)
  rc=$?
  [ "$rc" = "$status" ] || { echo "FAILED $name: exit $rc, expected $status"; echo "$printed"; failed=1; }
  for text in "$@"; do
    grep -qF -- "$text" <<< "$printed" || { echo "FAILED $name: no \"$text\" in:"; echo "$printed"; failed=1; }
  done
}

# The training file: 3 + 4 bars count (the pick-up A and its complement d3-d2 do not), all are full.
expect "every kind of bar" 0 "100.0 %  (1 of 1" "(10 of 10" \
  "the training file has 100.0 %" "copies                 0" <<'ABC'
X:1
T:Every kind of bar
M:6/8
K:D
e|"D"(3ABc d2 e2|{g}f2>e2 d>c|^c'3/2_B,/2=A/4A/4A/2 zzA|[dfa]2[df] !trill!T.a3|A6|d3 d:|[1 d3 e3|
[2 d6||
M:3/4
K:G
G2 A2 B2|[M:4/4]G4 B4|(5GABcd e6|] GA
ABC

expect "bars that are too short, too long or not music" 1 "full bars           40.0 %  (2 of 5" <<'ABC'
X:1
T:Wrong
M:6/8
K:D
ABcdefg|ABc|ABc def|AB? def|ABc def|AB||
ABC

expect "headers are missing in one of two" 1 " 50.0 %  (1 of 2" <<'ABC'
%%% sample 1
X:1
T:A
M:6/8
K:D
gfe dcB|
%%% sample 2
X:1

T:B
K:D
gfe dcB|gfe dcA|
ABC

expect "a copy with other chords, blanks and bar lines" 1 "copies                 1" "in common is 3 bars" <<'ABC'
X:7
T:Mine
M:6/8
K:D
"G"d2 f a f d || c3 d3 |: A2Bcde | d3
ABC

expect "a copy of a part and a bar of its own is no copy" 0 "copies                 0" "in common is 2 bars" <<'ABC'
X:7
T:Mine
M:6/8
K:D
d2f afd|c3 d3|g3 a3|
ABC

expect "no metre, no full bar" 1 "(0 of 2" <<'ABC'
X:7
T:Mine
K:D
gfe dcB|gfe gfe|
ABC

"$here/count.sh" "$work/none.abc" "$work/training.abc" > /dev/null 2>&1
[ $? = 2 ] || { echo "FAILED a missing file is exit 2"; failed=1; }
[ $failed = 0 ] && echo "count.sh counts as it says"
exit $failed
