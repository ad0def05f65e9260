#!/bin/sh
# deps.sh BLAS: installs with apt-get what building, testing and the demo need and is not there yet.
set -eu
packages='gcc libc6-dev make pkg-config check bible-kjv bible-kjv-text xz-utils'
case ${1:-openblas} in
reference) packages="$packages libblas-dev" ;;
*) packages="$packages libopenblas-dev" ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "deps: no apt-get here. Please install by other means: a C compiler, GNU make, pkg-config," >&2
  echo "deps: OpenBLAS with its headers, Check (libcheck) and, for the demo, the bible-kjv text." >&2
  exit 1
fi

missing=
for p in $packages; do
  dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q ' installed$' && continue
  [ "$p" = pkg-config ] && command -v pkg-config >/dev/null && continue
  missing="$missing $p"
done
if [ -z "$missing" ]; then
  echo 'deps: all there'
  exit 0
fi

root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: neither root nor sudo. As root: apt-get install$missing" >&2
    exit 1
  fi
  root=sudo
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$root apt-get install -y -qq --no-install-recommends $missing
