#!/bin/sh
# prefix-headers.sh OBJECT PREFIX DIR: makes the headers installed in DIR speak of the prefixed names
# that OBJECT exports, while programs go on writing rill_*.
set -eu
{
  echo '/* Generated: every exported name of this copy of rill has a prefix. */'
  ${NM:-nm} -g --defined-only "$1" | awk -v p="$2" '{n = substr($3, length(p) + 1); print "#define", n, $3}'
} >"$3/rill/prefix.h"
sed -i 's|^#define RILL_BASE_H$|&\n\n#include "rill/prefix.h"|' "$3/rill/base.h"
grep -q prefix.h "$3/rill/base.h"
