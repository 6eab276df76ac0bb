#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Collectives in which something fails (fault_probe.c). Without arguments, as
# `make check` does: this engine at 4 and 7 ranks, over a POSIX file system whose
# device fails (fault_preload.c) and over servers of which one has a device that
# fails (obj_fault.c), is damaged, then lost; every rank must return in time,
# alike, and with true counts. (No memory, and one aggregator of several that has
# lost its servers, are injected below the engine: test_coll_fault.c.) With the
# names of Open MPI's own engines (ompio, romio) the same cases one by one, and a
# table of what became of the ranks.
. "$top_srcdir/tests/mpi/lib.sh"

probe=$top_builddir/tests/mpi/fault_probe
preload=$top_builddir/tests/mpi/.libs/fault_preload.so
export OMPI_MCA_mpi_yield_when_idle=1
root=$work/root

clean() {
    [ ! -d "$root" ] || "$top_builddir/src/tools/capstan" down --root "$root" \
        >/dev/null 2>&1 || :
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    cat "$work/out" >&2
    exit 1
}

# probe_run RANKS PATH CASE...: what it prints is in $work/out
probe_run() {
    mpi "$@" >"$work/out" 2>&1
}

posix_reads() {
    for how in blocking nonblocking; do
        echo "read $how eio 1 ok  read $how badsum 0 ok  read $how eio all error
              read $how badsum all error  read $how short all ok
              read $how end all short  read $how cut 0 short
              read $how argument 1 error"
    done
}

posix_writes() {
    for how in blocking nonblocking; do
        echo "write $how eio 1 ok  write $how nospace all error
              write $how short all ok  write $how argument 2 error"
    done
}

# A device that fails, on one rank and on all: check_posix RANKS HINT CASE...
# where the hint says whether reads are mapped; of these the last ones worked.
check_posix() {
    n=$1 hint=$2
    shift 2
    echo "capstan_map_reads $hint" >"$work/hints"
    probe_run "$n" env LD_PRELOAD="$preload" CAPSTAN_REPORT=1 \
        ROMIO_HINTS="$work/hints" "$probe" "$work/file" "$@" ||
        fail "posix, mapped reads: $hint, $n ranks"
    nmapped=$(grep -c " [1-9][0-9]* bytes copied" "$work/out")
    if [ "$hint" = enable ] && may_map; then
        [ "$nmapped" -gt 0 ] || fail "nothing was mapped"
    else
        [ "$nmapped" -eq 0 ] || fail "reads were mapped"
    fi
    grep -q "file.* at [0-9]*: Input/output error" "$work/out" ||
        fail "the text does not name file, offset and cause"
    grep ": as expected" "$work/out"
}

# damage NAME: change a byte in every 64 KiB of what a server's target holds.
damage() {
    python3 - "$root/$1" <<'END'
import os, sys
n = 0
for at, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(at, name)
        if "obj" not in at or os.path.getsize(path) < 65536:
            continue
        with open(path, "r+b") as f:
            for block in range(0, os.path.getsize(path), 65536):
                f.seek(block + 100)
                byte = f.read(1)
                f.seek(block + 100)
                f.write(bytes([byte[0] ^ 1]))
                n += 1
print("damaged", n, "blocks")
sys.exit(n == 0)
END
}

cluster_start() {
    CAPSTAN_SERVER=$top_builddir/tests/cluster/fault_server
    export CAPSTAN_SERVER
    timeout 120 "$top_builddir/src/tools/capstan" up --root "$root" \
        --servers 2 --targets 1 --stripe-size 65536 >"$work/out" 2>&1 ||
        fail "capstan up"
    eval "$("$top_builddir/src/tools/capstan" env --root "$root")"
}

# device ORDER FILE CASE...: while the device of a server does as it is told.
device() {
    at=$(echo "$root"/s2/t*)
    order=$1 file=$2
    shift 2
    echo "$order" >"$at/faults.new"
    mv "$at/faults.new" "$at/faults"
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" "$file" "$@" ||
        fail "capstan, device with $order, $n ranks"
    rm "$at/faults"
    grep ": as expected" "$work/out"
    grep -m1 "rank 0.* (server s2)" "$work/out" ||
        fail "the text does not name the server"
}

check_capstan() {
    n=$1
    cluster_start
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/f \
        read blocking argument 1 error write nonblocking argument 1 error \
        read blocking cut 0 short read nonblocking cut 0 short \
        write blocking make 0 ok || fail "capstan, $n ranks"
    grep ": as expected" "$work/out"
    device "write ENOSPC" capstan:/f write blocking kept 0 error
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/f \
        write blocking make 0 ok || fail "capstan, $n ranks"
    device "write EIO" capstan:/f write nonblocking kept 0 error
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/f \
        read blocking none 0 ok || fail "capstan, $n ranks"
    device "read EIO" capstan:/f read blocking kept 0 error \
        read nonblocking kept 0 error
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/f \
        read blocking kept 0 ok || fail "capstan, the device works again"
    damage s2 || fail "nothing to damage"
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/f \
        read blocking kept 0 error read nonblocking kept 0 error ||
        fail "capstan, bad checksum, $n ranks"
    grep ": as expected" "$work/out"
    grep -m1 "rank 0" "$work/out"
    CAPSTAN_TIMEOUT_MS=60000 probe_run "$n" "$probe" capstan:/g \
        read blocking none 0 ok || fail "capstan, another file"
    kill -9 "$(cat "$root/s2.pid")"
    CAPSTAN_TEST_TIMEOUT=100 CAPSTAN_TIMEOUT_MS=2000 \
        probe_run "$n" "$probe" capstan:/g \
        read blocking kept 0 error read nonblocking kept 0 error \
        write nonblocking kept 0 error ||
        fail "capstan, lost server, $n ranks"
    grep ": as expected" "$work/out"
    grep -m1 "rank 0" "$work/out"
    "$top_builddir/src/tools/capstan" down --root "$root" >/dev/null 2>&1
    rm -rf "$root"
}

# What a run did to its ranks.
outcome() {
    word=$(sed -n 's/.* on [a-z0-9]*: //p' "$work/out" | head -n 1)
    if [ "$1" -eq 124 ]; then
        echo "hang: $(grep -c '^rank' "$work/out") of $ranks_peer ranks return"
    elif [ "$word" != "as expected" ]; then
        echo "${word:-crash}"
    elif grep -m1 "^rank" "$work/out" | grep -q ": class 0"; then
        echo "all: success, $(sed -n 's/^rank.* count/count/p' "$work/out" |
            head -n 1)"
    else
        echo "all: the same error"
    fi
}

# peer ENGINE NAME=VALUE...
peer() {
    engine=$1
    shift
    for case in "read blocking eio 0" "read blocking eio all" \
        "read blocking end all" "read blocking argument 0" \
        "write blocking eio 0" "write blocking nospace all" \
        "write blocking argument 0"; do
        # shellcheck disable=SC2086
        CAPSTAN_TEST_TIMEOUT=${PEER_SECONDS:-20} probe_run "$ranks_peer" \
            env LD_PRELOAD="$preload" "$@" "$probe" "$work/file" $case any
        rc=$?
        printf '%-22s %-26s %s\n' "$engine" "$case" "$(outcome $rc)"
        [ "${PEER_VERBOSE:-0}" = 0 ] || cat "$work/out"
    done
}

[ -f "$preload" ] || skip "no shared library to preload"
ranks_peer=${CAPSTAN_TEST_RANKS:-4}
for name; do
    case $name in
    ompio)
        for module in ${PEER_MODULES:-vulcan dynamic dynamic_gen2 two_phase \
            individual}; do
            peer "ompio, $module" OMPI_MCA_io=ompio OMPI_MCA_fcoll=$module
        done
        ;;
    romio) peer romio OMPI_MCA_io=romio321 ;;
    posix) peer "this engine" OMPI_MCA_io=capstan ;;
    *) fail "no engine $name" ;;
    esac
done
[ $# -eq 0 ] || exit 0
for n in ${CAPSTAN_TEST_RANKS:-4 7}; do
    # shellcheck disable=SC2046
    check_posix "$n" disable $(posix_reads) $(posix_writes)
    # shellcheck disable=SC2046
    check_posix "$n" enable $(posix_reads)
    check_capstan "$n"
done
