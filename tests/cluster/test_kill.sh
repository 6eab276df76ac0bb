# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of a server during collective reads: every rank gets the same error in
# time, none hangs; when the server is back, the next open works.
. "$top_srcdir/tests/cluster/lib.sh"

bytes=8388608
program=$top_builddir/tests/cluster/read_shared
cluster_up --servers 2 --targets 2 --stripe-size 65536
python3 - "$work/data" $bytes <<'END'
import sys
n = int(sys.argv[2])
block = bytes(((i * 131) ^ (i >> 9)) & 255 for i in range(1 << 17))
with open(sys.argv[1], "wb") as f:
    for _ in range(n >> 17):
        f.write(block)
END
"$capstan" put "$work/data" /data || fail "put"

# Wait until a line of a file says so; at most 60 s.
wait_for() {
    tries=0
    until grep -q "$1" "$2" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "no '$1' in 60 s: $(cat "$2")"
        sleep 0.1
    done
}

for n in 4 7; do
    CAPSTAN_TIMEOUT_MS=3000 timeout 100 "$MPIRUN" --oversubscribe -n $n \
        "$program" capstan:/data $bytes 0 >"$work/out" 2>&1 </dev/null &
    background=$!
    wait_for reading "$work/out"
    kill -9 "$(server_pid s2)"
    wait "$background"
    rc=$?
    background=
    cat "$work/out"
    [ $rc -eq 0 ] || fail "ranks hung or differed ($rc)"
    grep -q "server s2" "$work/out" || fail "the error does not name the server"
    cluster_up --servers 2 --targets 2 --stripe-size 65536
    mpi $n "$program" capstan:/data $bytes 2 || fail "reading after the restart"
done

# A server that comes back within the deadline is not noticed at all.
timeout 100 "$MPIRUN" --oversubscribe -n 4 "$program" capstan:/data $bytes 100 \
    >"$work/out" 2>&1 </dev/null &
background=$!
wait_for reading "$work/out"
kill -9 "$(server_pid s1)"
cluster_up --servers 2 --targets 2 --stripe-size 65536
wait "$background" || fail "a restart was noticed: $(cat "$work/out")"
background=
echo "a server killed and restarted in time was not noticed"
