#!/bin/sh
# envelope from outside: the outline of a recording whose peaks are known, and files that are none.
envelope=${B:-build}/examples/envelope
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/examples/checks.sh
. "$(dirname "$0")/checks.sh"
refused() {
  words=$1
  shift
  if "$envelope" "$@" >"$dir/out" 2>"$dir/err"; then return 1; fi
  grep -q "$words" "$dir/err"
}

# 1000 samples a second, 16 bits: 40 of 0, one of 0.5, 39 of 0, one of -0.25, 39 of 0.
zeros() { i=0 && while [ $i -lt "$1" ]; do printf '\000\000' && i=$((i + 1)); done; }
head() { printf 'RIFF\024\001\000\000WAVEfmt \020\000\000\000\001\000\001\000\350\003\000\000\320\007\000\000\002\000\020\000data\360\000\000\000'; }
{ head && zeros 40 && printf '\000\100' && zeros 39 && printf '\000\340' && zeros 39; } >"$dir/peaks.wav"

check 'draws' "$envelope" --window 5 --out "$dir/peaks.svg" "$dir/peaks.wav"
check 'says how high it is' grep -q 'within 5 ms, in red; full height is 0.500 of' "$dir/peaks.svg"
# The envelope's height, 128 - y, at each of the 120 samples on the way there.
sed -n 's/.*class="envelope" d="M\([^Z]*\)Z.*/\1/p' "$dir/peaks.svg" | tr ' ' '\n' |
  awk 'NR % 2 == 0 && NR <= 240 { print 128 - $1 }' >"$dir/heights"
awk 'BEGIN { for (i = 0; i < 120; i++) print (i >= 38 && i <= 42 ? 106 : i >= 78 && i <= 82 ? 53 : 0) }' >"$dir/wanted"
check 'the envelope is as wide as the window' cmp "$dir/heights" "$dir/wanted"
check 'the same on standard output' sh -c "'$envelope' --window 5 '$dir/peaks.wav' | cmp - '$dir/peaks.svg'"
check 'of a file cut short it draws what is there' sh -c "dd if='$dir/peaks.wav' bs=101 count=1 2>/dev/null >'$dir/cut.wav' && '$envelope' '$dir/cut.wav' | grep -q '</svg>'"

{ head; } >"$dir/empty.wav"
check 'silence of no length is refused' refused 'is empty' "$dir/empty.wav"
check 'other files are refused' refused 'is no WAV file' "$0"
printf 'RIFF\000\000\000\000WAVE' >"$dir/bare.wav"
check 'a file without samples is refused' refused 'no 16-bit PCM' "$dir/bare.wav"
check 'a missing file is named' refused 'nothing.wav: No such file' "$dir/nothing.wav"
check 'a window of 0 is refused' refused 'no number of milliseconds' --window 0
check 'unknown words are refused' refused 'usage' --loud
check 'what cannot be written is said' refused '/dev/full: No space' --out /dev/full "$dir/peaks.wav"

summary
