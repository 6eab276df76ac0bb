# SPDX-License-Identifier: BSD-3-Clause
# A device that fails, or is slow: the error reaches the caller concerned and
# nobody else, a sync that failed is not taken back by the next one, and a slow
# device keeps neither other targets nor other clients waiting for ever.
. "$top_srcdir/tests/cluster/lib.sh"

CAPSTAN_SERVER=$top_builddir/tests/cluster/fault_server
export CAPSTAN_SERVER
fault_io=$top_builddir/tests/cluster/fault_io
cluster_up --servers 1 --targets 2
failing=$root/s1/t1

# orders LINE...: what the device of target 1 does from now on.
orders() {
    printf '%s\n' "$@" >"$failing/faults.new"
    mv "$failing/faults.new" "$failing/faults"
}

# io PATH STEP...
io() {
    timeout 120 "$fault_io" "$@" >"$work/said" || fail "$*: $(cat "$work/said")"
    sed "s|^|$1 |" "$work/said"
}

# said STEP WHAT: so it was, of the last io.
said() {
    grep -q "^$1: .*$2" "$work/said" || fail "$1: not '$2'"
}

objects() {
    find "$failing/objects" -type f -size +0 | wc -l
}

# Names whose bytes lie on target 1 (mine, ours) and elsewhere (theirs).
mine= ours= theirs= i=0
while [ -z "$ours" ] || [ -z "$theirs" ]; do
    i=$((i + 1))
    before=$(objects)
    io /f$i write:5000 >/dev/null
    if [ "$(objects)" = "$before" ]; then
        theirs=/f$i
    elif [ -z "$mine" ]; then
        mine=/f$i
    else
        ours=/f$i
    fi
    [ $i -lt 60 ] || fail "all files on one target"
done

orders "sync EIO"
io "$mine" write:300000 sync
said write ok
said sync "Input/output error"
io "$theirs" write:300000 sync
said sync ok
rm "$failing/faults"
# The device works again, but who knows what it has of that file?
io "$mine" read:300000 sync
said read ok
said sync "Input/output error"
# The server's own sync of this one, two seconds after its writes, may have met
# the fault, too: it begins anew.
io "$ours" truncate:0 write:300000 sync
said sync ok
io "$mine" truncate:0 write:300000 sync read:300000
said sync ok
said read ok

for code in "EIO Input/output" "ENOSPC No.space" "EROFS Read-only"; do
    orders "write ${code% *}"
    io "$mine" write:200000 write:3000
    [ "$(grep -c "^write: .*${code#* }" "$work/said")" = 2 ] ||
        fail "a write that failed with ${code% *}: $(cat "$work/said")"
    io "$theirs" write:200000 read:200000
    said write ok
done
orders "read EIO"
io "$mine" read:200000
said read "Input/output error"
io "$theirs" read:200000
said read ok
rm "$failing/faults"
io "$mine" write:300000 sync read:300000
said write ok
said read ok

# A client that keeps a slow device busy for long; others come and go meanwhile.
orders "slow 200"
steps=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    steps="$steps write:2000000 read:2000000"
done
timeout 300 "$fault_io" "$mine" $steps >"$work/busy" 2>&1 &
background=$!
tries=0
until grep -q ok "$work/busy"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "nothing ends on a slow device"
    sleep 0.1
done
io "$theirs" write:300000 read:300000 sync
said read ok
said sync ok
io "$ours" read:300000
said read ok
"$capstan" ls / >/dev/null || fail "ls"
kill -0 $background 2>/dev/null || fail "the slow client ended too early"
kill $background
background=
rm "$failing/faults"
io "$ours" write:5000 sync
said sync ok
[ "$(counter sums_mismatches)" = 0 ] || fail "checksum mismatches"
exit 0
