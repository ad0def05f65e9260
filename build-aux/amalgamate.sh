#!/bin/sh
# amalgamate.sh NM PREFIX DIR INTERNAL.a SOURCE... -- KERNEL:TYPE:TYPE...: writes DIR/rill.h and
# DIR/rill.c, the whole library in two files. PREFIX goes before every public name.
set -eu
export LC_ALL=C
nm=$1 prefix=$2 dir=$3 archive=$4
shift 4

# Names that the floors share are global in the objects. In one file they need not be, yet they are
# declared so; they move to a name space of rill's own, where no embedding program has names.
names=$($nm -g --defined-only "$archive" | awk 'NF == 3 {print $3}' | sort -u)
{
  echo "$names" | awk -v p="$prefix" '!/^rill_/ {print "#define", $1, p "rill_internal_" $1}
                                      /^rill_/ && p {print "#define", $1, p $1}'
} >"$dir/names.h"
awk -v mode=header -v names="${prefix:+$dir/names.h}" -f build-aux/amalgamate.awk >"$dir/rill.h.new"
awk -v mode=source -v names="$dir/names.h" -f build-aux/amalgamate.awk "$@" >"$dir/rill.c.new"
rm "$dir/names.h"
mv "$dir/rill.h.new" "$dir/rill.h"
mv "$dir/rill.c.new" "$dir/rill.c"
