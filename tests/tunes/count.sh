#!/usr/bin/env bash
# count.sh SAMPLES TRAINING - judges generated tunes in ABC notation: headers, bars that fill their metre, copies.
# Exit 0 when >= 80 % of the samples have the headers X, T, M and K, >= 70 % of the bars are full and none is a copy.
#
# Samples are separated by lines that begin with "%%% sample"; where the file has none, by blank lines. Tunes of the
# training file begin at X:.
#
# A bar is full when its notes and rests last exactly as long as the metre in force (M: in the header, on a line of
# its own or as [M:3/4] in the music). The unit is L:, or 1/16 for metres below 3/4 and else 1/8. Known: A2 A/2 A3/2 A/
# A// , broken rhythm > and <, tuplets (p:q:r, chords [CEG], grace notes {}, rests, accidentals, ties, slurs,
# decorations; "chord symbols" are skipped. A bar with anything else in it, or without a metre, is not full.
# Not counted: bars without notes, and bars at the edge of a part that are shorter than the metre: the first of a
# part (a pick-up) and the last (its complement). A part ends at :| :: || |] |: [1 [2 P: and at the end of the tune.
# A bar at an edge that is too long counts and is not full.
#
# A copy: the bars of the sample's music, without chord symbols, blanks, decorations and kinds of bar lines, and
# without a last bar that no bar line closes, stand in this order in one tune of the training file. The longest run of
# bars that a sample has in common with a training tune is told too.
set -euo pipefail
if [ $# -ne 2 ]; then
  echo "usage: count.sh SAMPLES.abc TRAINING.abc" >&2
  exit 2
fi
for file in "$@"; do
  [ -r "$file" ] || { echo "count.sh: $file cannot be read" >&2; exit 2; }
done

separator=blank
grep -q '^%%% sample' "$1" && separator=line

# The music's notes are read by one pass over each tune: `bars` gets the normalised bars, `full` and `counted` the sums.
exec awk -v separator="$separator" '
function set_metre(text,  p) {
  gsub(/[ \t\r]/, "", text)
  if (text == "C") text = "4/4"
  if (text == "C|") text = "2/2"
  metre = 0
  if (split(text, p, "/") == 2 && p[1] + 0 > 0 && p[2] + 0 > 0) metre = p[1] / p[2]
  if (!unit_given && metre > 0 && !unit) unit = metre < 0.75 ? 1 / 16 : 1 / 8
}
function set_unit(text,  p) {
  gsub(/[ \t\r]/, "", text)
  if (split(text, p, "/") == 2 && p[2] + 0 > 0) { unit = p[1] / p[2]; unit_given = 1 }
}
function peek() { return substr(music, at, 1) }
# Reads 2, /2, 3/2, / or // at `at`; 1 when there is none.
function multiplier(  n, d) {
  n = ""; while (peek() ~ /[0-9]/) { n = n peek(); at++ }
  n = n == "" ? 1 : n + 0
  while (peek() == "/") {
    at++; d = ""
    while (peek() ~ /[0-9]/) { d = d peek(); at++ }
    n = n / (d == "" ? 2 : d + 0 > 0 ? d + 0 : 1)
  }
  return n
}
# Reads a note without its length; false where there is none.
function pitch() {
  while (peek() ~ /[\^_=]/) at++
  if (peek() !~ /[A-Ga-gzx]/) return 0
  at++
  while (peek() ~ /[,\047]/) at++
  return 1
}
function add(length_in_units) {
  if (tuplet_left > 0) { length_in_units *= tuplet_factor; tuplet_left-- }
  length_in_units *= next_factor; next_factor = 1
  last = length_in_units
  sum += last
  notes++
}
function end_bar(edge_after, closed,  short_edge) {
  if (notes > 0 || bad) {
    short_edge = (edge_before || edge_after) && !bad && metre > 0 && sum * unit < metre - 1e-6
    short_inside = 0
    if (!short_edge) {
      counted++
      if (bad || metre == 0 || sum * unit > metre + 1e-6) short_inside = 0
      else if (sum * unit < metre - 1e-6) short_inside = 1
      else full++
    }
    if (closed) bars[++bar_count] = text
    edge_before = edge_after
  } else if (edge_after) {
    if (short_inside) { counted--; short_inside = 0 }               # the part ends only now: it was the last bar
    edge_before = 1
  }
  sum = 0; notes = 0; bad = 0; text = ""; last = 0; next_factor = 1; tuplet_left = 0
}
# Takes one line of music; a bar may go on in the next line.
function read_music(line,  c, start, n, p, q, line_of_bar, value, k) {
  gsub(/"[^"]*"/, "", line); gsub(/![^!]*!/, "", line); gsub(/\{[^}]*\}/, "", line); sub(/%.*/, "", line)
  music = line; at = 1
  while (at <= length(music)) {
    c = peek(); start = at
    if (c ~ /[ \t\r\\~.HLMOPSTuvy()-]/ && !(c == "(" && substr(music, at + 1, 1) ~ /[2-9]/)) { at++; continue }
    if (c == "[" && substr(music, at + 1) ~ /^[MLK]:/) {            # a field in the music
      n = index(substr(music, at), "]"); if (!n) n = length(music) - at + 1
      value = substr(music, at + 3, n - 4)
      if (substr(music, at + 1, 1) == "M") set_metre(value)
      if (substr(music, at + 1, 1) == "L") set_unit(value)
      at += n; continue
    }
    if (c == "[" && substr(music, at + 1, 1) ~ /[0-9]/) {           # [1 an ending; the bar before it ends a part
      end_bar(1, 0); at++
      while (peek() ~ /[0-9,.-]/) at++
      continue
    }
    if (c == "|" || c == ":" || (c == "[" && substr(music, at + 1, 1) == "|")) {
      line_of_bar = ""
      while (at <= length(music) && (peek() ~ /[|:]/ || (peek() == "]" && line_of_bar ~ /\|$/) ||
             (peek() == "[" && substr(music, at + 1, 1) == "|"))) {
        line_of_bar = line_of_bar peek(); at++
      }
      k = substr(music, at); sub(/^[ \t]*/, "", k)
      end_bar(line_of_bar != "|" || k ~ /^\[?[0-9]/, 1)
      while (peek() ~ /[0-9]/) at++                                 # |1
      continue
    }
    if (c == "(") {                                                 # a tuplet
      at++; p = peek() + 0; at++; q = 0; n = p
      if (peek() == ":") {
        at++; if (peek() ~ /[0-9]/) { q = peek() + 0; at++ }
        if (peek() == ":") { at++; if (peek() ~ /[0-9]/) { n = peek() + 0; at++ } }
      }
      if (!q) q = p == 2 || p == 4 || p == 8 ? 3 : p == 3 || p == 6 ? 2 : (metre * 8) % 3 == 0 ? 3 : 2
      tuplet_factor = q / p; tuplet_left = n
      text = text substr(music, start, at - start); continue
    }
    if (c == ">" || c == "<") {
      n = 1; while (peek() == c) { n /= 2; at++ }
      sum += last * (c == ">" ? 1 - n : n - 1)
      next_factor = c == ">" ? n : 2 - n
      text = text substr(music, start, at - start); continue
    }
    if (c == "[") {                                                 # a chord lasts as long as its first note
      at++; value = 0
      while (at <= length(music) && peek() != "]") {
        if (peek() ~ /[ -]/) { at++; continue }
        if (!pitch()) { bad = 1; break }
        n = multiplier(); if (!value) value = n
      }
      if (peek() == "]") at++; else bad = 1
      n = multiplier()
      if (value) add(value * n)
    } else if (pitch()) add(multiplier())
    else { bad = 1; at++ }
    text = text substr(music, start, at - start)
  }
}
function begin_tune(  h) {
  for (h in header) delete header[h]
  bar_count = 0; short_inside = 0; metre = 0; unit = 0; unit_given = 0; edge_before = 1
  sum = 0; notes = 0; bad = 0; text = ""; last = 0; next_factor = 1; tuplet_left = 0; lines = 0
}
function end_tune(  i, run, longest, n, list, j, here, whole, m, previous, current) {
  if (!lines) return
  end_bar(1, 0)
  if (training) {
    for (i = 1; i <= bar_count; i++) { total++; places[bars[i]] = places[bars[i]] " " total }
    total++                                                         # a place that no bar has, between tunes
  } else {
    samples++
    if (("X" in header) && ("T" in header) && ("M" in header) && ("K" in header)) with_headers++
    longest = 0
    for (i = 1; i <= bar_count; i++) {
      n = bars[i] in places ? split(places[bars[i]], list, " ") : 0
      m = 0
      for (j in current) delete current[j]
      for (j = 1; j <= n; j++) {
        here = list[j]
        run = (here - 1 in previous) ? previous[here - 1] + 1 : 1
        current[here] = run
        if (run > longest) longest = run
      }
      for (j in previous) delete previous[j]
      for (j in current) previous[j] = current[j]
    }
    if (bar_count > 0 && longest == bar_count) copies++
    if (longest > longest_of_all) longest_of_all = longest
  }
  begin_tune()
}
function take(line) {
  lines++
  if (line ~ /^%/) return
  if (line ~ /^[A-Za-z]:/ && line !~ /^[A-Ga-gz]:[|:]/) {
    header[substr(line, 1, 1)] = 1
    if (line ~ /^M:/) set_metre(substr(line, 3))
    if (line ~ /^L:/) set_unit(substr(line, 3))
    if (line ~ /^P:/) end_bar(1, 1)
    return
  }
  read_music(line)
}
function share(part, whole) { return whole ? 100 * part / whole : 0 }
BEGIN { training = 1; begin_tune() }
FNR == 1 && NR > 1 {
  end_tune(); training = 0; begin_tune()
  training_full = full; training_counted = counted; full = 0; counted = 0
}
training && /^X:/ { end_tune() }
!training && separator == "line" && /^%%% sample/ { end_tune(); next }
!training && separator == "blank" && /^[ \t\r]*$/ { end_tune(); next }
/^[ \t\r]*$/ { next }
{ take($0) }
END {
  end_tune()
  if (training) { print "count.sh: one of the files is empty" > "/dev/stderr"; exit 2 }
  printf "samples            %d\n", samples
  printf "headers X, T, M, K %5.1f %%  (%d of %d; wanted 80 %%)\n", share(with_headers, samples), with_headers, samples
  printf "full bars          %5.1f %%  (%d of %d; wanted 70 %%; the training file has %.1f %%)\n",
    share(full, counted), full, counted, share(training_full, training_counted)
  printf "copies             %5d    (wanted none; the longest run in common is %d bars)\n", copies, longest_of_all
  exit !(share(with_headers, samples) >= 80 && share(full, counted) >= 70 && copies == 0)
}' "$2" "$1"
