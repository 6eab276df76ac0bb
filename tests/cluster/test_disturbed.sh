# SPDX-License-Identifier: BSD-3-Clause
# A server that stands still for a while, clients that do, and a target whose
# directory is removed under its server: clear errors or none, others are served,
# no wrong byte, nobody dies.
#
#   STOP_SECONDS   how long a server stands still (3)
. "$top_srcdir/tests/cluster/lib.sh"

fault_io=$top_builddir/tests/cluster/fault_io
cluster_up --servers 2 --targets 1 --stripe-size 65536
pid1=$(server_pid s1)
pid2=$(server_pid s2)
stopped=
end_all() {
    for pid in $stopped; do
        kill -CONT "$pid" 2>/dev/null
        kill "$pid" 2>/dev/null
    done
    end
}
trap end_all EXIT

head -c 8000000 /dev/urandom >"$work/data"
for i in 1 2 3; do
    "$capstan" put "$work/data" /data$i || fail "put"
done
rss() {
    awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}
alive() {
    kill -0 "$pid1" && kill -0 "$pid2" || fail "a server died: $1"
}

# Clients that stop in the midst of their reads and writes, with requests under
# way and replies not fetched.
before=$(rss "$pid1")
steps=
for i in $(seq 3000); do # far more than there is time for
    steps="$steps write:4000000 read:4000000"
done
for i in 1 2 3 4 5 6; do
    timeout 300 "$fault_io" /busy$i $steps >"$work/busy$i" 2>&1 &
    stopped="$stopped $!"
done
tries=0
for i in 1 2 3 4 5 6; do
    until grep -q ok "$work/busy$i"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "client $i does nothing"
        sleep 0.05
    done
done
clients=$(for pid in $stopped; do echo "$pid"; pgrep -P "$pid"; done)
stopped=$clients
kill -STOP $stopped
for i in 1 2 3; do
    timeout 60 "$capstan" get /data$i - | cmp - "$work/data" ||
        fail "not served beside clients that stand still"
    timeout 60 "$capstan" put "$work/data" /more$i || fail "put beside them"
done
after=$(rss "$pid1")
[ $((after - before)) -lt 300000 ] ||
    fail "the server grew from $before to $after KiB"
kill -CONT $stopped
for i in 1 2 3 4 5 6; do
    n=$(wc -l <"$work/busy$i")
    tries=0
    until [ "$(wc -l <"$work/busy$i")" -gt $((n + 1)) ]; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || fail "client $i does not go on"
        sleep 0.05
    done
    ! grep -v ": ok" "$work/busy$i" || fail "client $i met an error"
done
kill $stopped 2>/dev/null
wait
stopped=
alive "stopped clients"
echo "clients stopped: server $before KiB before, $after KiB after"

# A server stands still: who has patience does not notice, who has none is told.
kill -STOP "$pid2"
stopped=$pid2
CAPSTAN_TIMEOUT_MS=1000 timeout 60 "$capstan" get /data1 "$work/a" \
    2>"$work/text" && fail "got from a server that stands still"
cat "$work/text"
grep -qE "timed out|did not answer" "$work/text" || fail "no clear text"
grep -q "/data1.*server s2" "$work/text" || fail "file and server are not named"
timeout 120 "$capstan" get /data1 "$work/a" &
background=$!
sleep "${STOP_SECONDS:-3}"
kill -CONT "$pid2"
stopped=
wait $background || fail "get beside a server that stood still"
background=
cmp "$work/a" "$work/data" || fail "wrong bytes after a server stood still"
alive "it stood still"

# Its directory goes: nothing new is taken, nothing wrong is read.
rm -rf "$root/s2/t1"
tries=0
while timeout 60 "$capstan" put "$work/data" /late$tries 2>"$work/text"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "a target without a directory takes all"
done
cat "$work/text"
grep -q "Input/output error" "$work/text" || fail "no clear text"
for i in 1 2 3; do
    rm -f "$work/a"
    timeout 60 "$capstan" get /data$i "$work/a" 2>"$work/text" &&
        { cmp "$work/a" "$work/data" || fail "wrong bytes without a directory"; }
    cat "$work/text"
done
alive "its directory was removed"
kill -9 "$pid2"
timeout 60 "$capstan" up --root "$root" >"$work/text" 2>&1 &&
    fail "a target without its directory was started"
cat "$work/text"
grep -q "cannot open the directory" "$work/text" || fail "no clear text"
