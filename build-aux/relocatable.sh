#!/bin/sh
# relocatable.sh LD OBJCOPY NM PREFIX OUT OBJECT...: joins the objects into one whose only global names
# are the public ones (those of default visibility), each with PREFIX put before it.
set -eu
ld=$1 objcopy=$2 nm=$3 prefix=$4 out=$5
shift 5
$ld -r -o "$out" "$@"
$objcopy --localize-hidden "$out"
if [ -n "$prefix" ]; then
  $nm -g --defined-only "$out" | awk -v p="$prefix" '{print $3, p $3}' >"$out.names"
  $objcopy --redefine-syms="$out.names" "$out"
fi
