#!/bin/sh
# runmax from outside: against awk looking at every number, while the input still comes, and words that are
# no numbers.
runmax=${B:-build}/examples/runmax
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/examples/checks.sh
. "$(dirname "$0")/checks.sh"
# INPUT WORDS STATUS OPTION...: fails with these words.
refused() {
  printf '%b' "$1" >"$dir/in"
  words=$2 status=$3
  shift 3
  "$runmax" "$@" <"$dir/in" >"$dir/out" 2>"$dir/err"
  [ $? = "$status" ] && grep -q "$words" "$dir/err"
}
# INPUT WANTED OPTION...
gives() {
  printf '%b' "$1" >"$dir/in"
  printf '%b' "$2" >"$dir/wanted"
  shift 2
  "$runmax" "$@" <"$dir/in" >"$dir/out" && cmp "$dir/out" "$dir/wanted"
}

# The largest or smallest of the last N lines, or of those less than SPAN before, as its text stands there.
brute='{
  x[NR] = $NF
  best = NR
  for (i = NR; i >= 1 && (span ? $1 - t[i] < span || i == NR : i > NR - n); i--)
    if (min ? x[i] + 0 < x[best] + 0 : x[i] + 0 > x[best] + 0) best = i
  print x[best]
}'
awk 'BEGIN { srand(1); for (i = 0; i < 3000; i++) print rand() * 100 - 50 }' >"$dir/numbers"
awk 'BEGIN { srand(2) } { t += int(rand() * 4) / 4; print t "," $0 }' "$dir/numbers" >"$dir/timed"
against_awk() {
  awk -v n="$1" -v min="$2" "$brute" "$dir/numbers" >"$dir/wanted"
  "$runmax" ${2:+--min} "$1" <"$dir/numbers" | cmp - "$dir/wanted"
}
spans_against_awk() {
  awk -F , -v span="$1" -v min="$2" "{ t[NR] = \$1 } $brute" "$dir/timed" >"$dir/wanted"
  "$runmax" ${2:+--min} --span "$1" <"$dir/timed" | cmp - "$dir/wanted"
}
for n in 1 2 7 64 65 100 999 5000; do
  check "the largest of $n" against_awk $n ''
  check "the smallest of $n" against_awk $n 1
done
for span in 0.25 1 7.5 100; do
  check "the largest in $span" spans_against_awk $span ''
  check "the smallest in $span" spans_against_awk $span 1
done

check 'numbers stand between any white space and commas' gives '3,1 , 2\t0\r\n\n1' '3\n3\n2\n2\n1\n' 2
check 'numbers come out with all their digits' gives '0.1 0.30000000000000004 1e300 -0' \
  '0.1\n0.30000000000000004\n1e+300\n-0\n' 1
check 'infinities and NaN are numbers' gives '1 -inf nan 2 3' '1\n1\nnan\nnan\n3\n' 2
check 'nothing gives nothing' gives '' '' 5
check 'a number goes on in the next piece' sh -c "
  { printf 1; sleep 0.2; printf '2 3'; } | '$runmax' 1 | tr '\n' , | grep -qx '12,3,'"

# An answer is there while the input is still open.
at_once() {
  mkfifo "$dir/pipe"
  "$runmax" 2 <"$dir/pipe" >"$dir/out" &
  exec 3>"$dir/pipe"
  printf '5\n' >&3
  for i in 1 2 3 4 5 6 7 8 9 10; do
    [ -s "$dir/out" ] && break
    sleep "0.$i"
  done
  answer=$(cat "$dir/out")
  exec 3>&-
  wait $!
  [ "$answer" = 5 ]
}
check 'answers come before the input ends' at_once

check 'a word is named with its line' refused '1 2\n3 x4\n' "line 2: 'x4' is no number" 1 3
check 'what came before is answered' [ "$(tr '\n' , <"$dir/out")" = 1,2,3, ]
check 'half a number is none' refused '1.5.2' "line 1: '1.5.2'" 1 3
check 'a zero byte is no number' refused '1\000' "'1' is no number" 1 3
check 'a number no double can hold' refused '\n1e999' 'line 2: .*too large' 1 3
check 'a number without end' refused "$(printf '%0500d' 1)" 'too long' 1 3
check 'time that goes back' refused '1 5\n0.5 5' 'line 2: the time' 1 --span 3
check 'a time alone' refused '1 5 2' 'has no sample' 1 --span 3
check 'a window of 0' refused '' 'no number of samples' 1 0
check 'a window that fits in no memory' refused '' '^runmax: rill: ' 1 9000000000000000000
check 'a window and a span' refused '' '^usage' 2 3 --span 1
check 'a span that is none' refused '' 'no span' 1 --span -1
check 'no window' refused '' '^usage' 2 --min
check 'unknown words' refused '' '^usage' 2 --loud 3
check 'help is no error' sh -c "'$runmax' --help | grep -q '^usage'"

# What cannot be written is said, unless the reader has had enough.
full() { ! echo 1 | "$runmax" 3 2>"$dir/err" >/dev/full && grep -q 'standard output: No space' "$dir/err"; }
check 'a full disk' full
check 'a directory as input' sh -c "! '$runmax' 3 <'$dir' 2>'$dir/err' && grep -q 'standard input: Is a dir' '$dir/err'"
enough() { yes 1 2>/dev/null | "$runmax" 3 2>"$dir/err" | head -n 1 | grep -qx 1 && [ ! -s "$dir/err" ]; }
check 'a reader that has gone' enough
check 'a reader that has gone, SIGPIPE ignored' sh -c "trap '' PIPE
  yes 1 2>/dev/null | '$runmax' 3 2>'$dir/err' | head -n 1 | grep -qx 1 && [ ! -s '$dir/err' ]"

summary
