#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# One name for both worlds: ranks open paths on a mount, and below the preload
# prefix, and our component takes them past the mount, straight to the servers.
# PnetCDF creates, closes, opens again and reads, unmodified, with four ranks.
set -eu
. "$top_srcdir/tests/posix/lib.sh"
program=$top_builddir/tests/posix/pnetcdf
[ -x "$program" ] || skip "built without PnetCDF"
cluster_up --servers 2
OMPI_MCA_io_capstan_verbose=1
export OMPI_MCA_io_capstan_verbose

# served NAME FILE: the component took it, and the bytes went to the servers.
served() {
    grep -q "$1: served by capstan" "$work/out" ||
        fail "not served by the component: $(cat "$work/out")"
    size=$("$capstan" stat --json "/$2" | sed -n 's/.*"size": \([0-9]*\).*/\1/p')
    [ "$size" -ge 4194304 ] || fail "/$2 has $size bytes"
}

if [ -w /dev/fuse ]; then
    mount_up "$work/m"
    mkdir "$work/m/d"
    before=$(counter bytes_received)
    unset CAPSTAN_CLUSTER CAPSTAN_ROOT # the mount names its cluster
    mpi 4 "$program" "$work/m/d/one.nc" >"$work/out" 2>&1 ||
        fail "on a mount: $(cat "$work/out")"
    eval "$exports"
    served "$work/m/d/one.nc" d/one.nc
    received=$(($(counter bytes_received) - before))
    [ "$received" -ge 4194304 ] || fail "servers received $received bytes"
    [ "$(head -c 3 "$work/m/d/one.nc")" = CDF ] || fail "POSIX sees no NetCDF"
    # a relative name, from a working directory on the mount
    (cd "$work/m/d" && mpi 2 "$program" two.nc) >"$work/out" 2>&1 ||
        fail "a relative name: $(cat "$work/out")"
    served two.nc d/two.nc
    # what is not on the mount stays with the others
    mpi 2 "$program" "$work/local.nc" >"$work/out" 2>&1 ||
        fail "a local file: $(cat "$work/out")"
    ! grep -q "served by" "$work/out" || fail "a local file was taken"
    echo "ok: pnetcdf on a mount"
fi
mpi 4 env LD_PRELOAD="$preload" "$program" /capstan/three.nc >"$work/out" 2>&1 ||
    fail "with the preload library: $(cat "$work/out")"
served /capstan/three.nc three.nc
echo "ok: pnetcdf with the preload library"
