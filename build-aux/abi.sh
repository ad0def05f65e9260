#!/bin/sh
# abi.sh check SO OBJECT PREFIX | update SO VERSION | baseline SO
#
# symbols.txt lists every exported function with the version that brought it. check compares it with
# what the library exports, imports.txt with what it asks of others, the size with its limit and, where
# tests/abi/baseline.abi exists, the types with that baseline. A list of names and versions is all that
# is committed before 1.0; `make abi-baseline` makes the baseline, and changes to it are reviewed.
set -eu
export LC_ALL=C
nm=${NM:-nm}
list=build-aux/symbols.txt
baseline=tests/abi/baseline.abi
limit=2097152
so=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

complain() {
  echo "abi: $*"
  bad=1
}

$nm -D --defined-only "$so" | awk '{print $3}' | sort >"$tmp/exported"

case $1 in
update)
  touch "$list"
  awk -v version="$3" 'FILENAME == ARGV[1] {since[$1] = $2; next}
    {print $1, ($1 in since) ? since[$1] : version}' "$list" "$tmp/exported" >"$tmp/new"
  awk 'FILENAME == ARGV[1] {there[$1]; next} !($1 in there) {print "abi: gone, for the changelog: " $1}' \
    "$tmp/new" "$list"
  mv "$tmp/new" "$list"
  echo "abi: $(wc -l <"$list") symbols in $list"
  exit
  ;;
baseline)
  abidw --headers-dir include --drop-private-types --no-corpus-path --no-comp-dir-path \
    --out-file "$baseline" "$so"
  exit
  ;;
esac

object=$3 prefix=$4
awk -v p="$prefix" '{print p $1}' "$list" | sort >"$tmp/listed"
awk 'NF != 2' "$list" | grep . && complain "not of the form 'name version': the lines above"
sort -c "$list" 2>/dev/null || complain "$list is not sorted"
new=$(comm -13 "$tmp/listed" "$tmp/exported")
gone=$(comm -23 "$tmp/listed" "$tmp/exported")
[ -z "$new" ] || complain "exported but not in $list (make abi-update):" $new
[ -z "$gone" ] || complain "in $list but not exported:" $gone
foreign=$(grep -v "^${prefix}rill_" "$tmp/exported" || :)
[ -z "$foreign" ] || complain "exported without the rill_ prefix:" $foreign

# What the library asks of others: no way to print, exit, abort or read the environment.
grep -v '^#' tests/abi/imports.txt | grep . >"$tmp/allowed"
imports=$($nm -D --undefined-only "$so" | awk '{sub(/@.*/, "", $NF); print $NF}' |
  grep -vxE -f "$tmp/allowed" || :)
[ -z "$imports" ] || complain "imports that tests/abi/imports.txt does not allow:" $imports

# No load-time constructors, no thread-local storage.
sections=$(readelf -WS "$object" | grep -oE '\.(init_array|fini_array|ctors|dtors|tdata|tbss)[^ ]*' || :)
[ -z "$sections" ] || complain "constructors or thread-local storage:" $sections

strip -o "$tmp/stripped" "$so"
size=$(wc -c <"$tmp/stripped")
[ "$size" -lt $limit ] || complain "the stripped library has $size bytes, more than $limit"

if [ -e "$baseline" ] && command -v abidiff >/dev/null; then
  # Bit 4 is any change, bit 8 one that breaks; additions alone are no failure.
  abidiff --headers-dir2 include --no-added-syms "$baseline" "$so" >"$tmp/diff" || {
    cat "$tmp/diff"
    complain "the ABI differs from $baseline"
  }
fi

[ $bad = 0 ] && echo "abi: $(wc -l <"$tmp/exported") symbols, $size bytes stripped"
exit $bad
