#!/bin/sh
# The demo: trains charlm with both mixers on a text (the KJV bible unless TEXT names another), and
# compares it with what general compressors make of the same held-out bytes.
#   CHARLM  the program          TEXT  a file          MINUTES  of training for each mixer (3)
set -eu
charlm=${CHARLM:-build/examples/charlm}
minutes=${MINUTES:-3}
dir=${DEMO_DIR:-build/demo}
mkdir -p "$dir"
text=${TEXT:-}
if [ -z "$text" ]; then
  text=$dir/kjv.txt
  [ -s "$text" ] || bible -f 'gen1:1-rev22:21' >"$text"
  prompt='Gen1:1 In the beginning'
else
  prompt=$(head -c 24 "$text" | tr -d '\0')
fi

size=$(wc -c <"$text")
held=$((size / 10))
tail -c "$held" "$text" >"$dir/heldout"
bits() { awk -v c="$(wc -c)" -v n="$held" 'BEGIN { printf "%.3f", 8 * c / n }'; }
gzip=$(gzip -9 -c "$dir/heldout" | bits)
xz=$(xz -9e -c "$dir/heldout" | bits)

value() { sed -n "s|^$2: ||p" "$1" | tail -n 1; }
for mixer in attention mamba; do
  echo "== $mixer: $minutes minutes on $text"
  "$charlm" train "$text" --mixer "$mixer" --minutes "$minutes" --out "$dir/$mixer.safetensors" | tee "$dir/$mixer.log"
  "$charlm" eval "$dir/$mixer.safetensors" "$text" | tee -a "$dir/$mixer.log"
  "$charlm" generate "$dir/$mixer.safetensors" --prompt "$prompt" --length 400 | tee -a "$dir/$mixer.log"
  echo
done

printf '%-10s %10s %14s %8s %8s %14s %15s %9s\n' mixer parameters 'bits per byte' 'gzip -9' 'xz -9e' \
  'train tokens/s' 'decode tokens/s' 'peak MB'
for mixer in attention mamba; do
  log=$dir/$mixer.log
  printf '%-10s %10s %14s %8s %8s %14s %15s %9s\n' "$mixer" "$(value "$log" parameters)" \
    "$(value "$log" 'held-out bits per byte')" "$gzip" "$xz" "$(value "$log" 'train tokens/s')" \
    "$(value "$log" 'decode tokens/s')" "$(value "$log" 'peak megabytes')"
done | tee "$dir/table.txt"

# The demo fails where a model does worse than gzip.
awk -v g="$gzip" '$3 >= g { bad = 1 } END { exit bad }' "$dir/table.txt"
