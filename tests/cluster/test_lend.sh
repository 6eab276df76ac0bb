# SPDX-License-Identifier: BSD-3-Clause
# Long reads of what servers keep in memory are copied once: by the servers' own
# counter. Damaged, cut, removed and overwritten meanwhile, the bytes are right or
# there is an error.
TMPDIR=/dev/shm
export TMPDIR
. "$top_srcdir/tests/posix/lib.sh"
need python3

[ "$(stat -f -c %T "$work")" = tmpfs ] || skip "/dev/shm is no tmpfs"
[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ] ||
    skip "processes may not touch each other's memory here"
[ "$(df -Pk "$work" | awk 'NR == 2 { print $4 }')" -ge 300000 ] ||
    skip "/dev/shm is small"
size=16777216
cluster_up --servers 2 --targets 2

gets() {
    "$capstan" get /data "$work/back" >"$work/said" 2>&1 &&
        cmp -s "$1" "$work/back"
}

lends() {
    before=$(counter bytes_lent)
    gets "$1" || fail "get: $(cat "$work/said")"
    lent=$(($(counter bytes_lent) - before))
    echo "of $size bytes $lent were lent"
    [ $lent -ge "$2" ] && [ $lent -le "$3" ] || fail "lent $lent"
}

head -c $size /dev/urandom >"$work/data"
"$capstan" put "$work/data" /data || fail put
gets "$work/data" # opens what is not open
lends "$work/data" $((size * 3 / 4)) $size

# A large object, of which a byte is changed, then all but a block cut.
object=$(find "$root" -path '*/objects/*' -type f ! -name '*.sum' -size +100k |
    head -n 1)
[ -n "$object" ] || fail "no object"
cp "$object" "$work/kept"
python3 - "$object" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(300000)
    byte = f.read(1)[0]
    f.seek(300000)
    f.write(bytes([byte ^ 4]))
END
! gets "$work/data" || fail "a changed byte is not seen"
grep -qi "checksum\|corrupt\|damage" "$work/said" || fail "$(cat "$work/said")"
cp "$work/kept" "$object"
lends "$work/data" $((size * 3 / 4)) $size
truncate -s 4096 "$object"
! gets "$work/data" || fail "a cut object is not seen"
cp "$work/kept" "$object"
gets "$work/data" || fail "it does not recover: $(cat "$work/said")"

# A writer under a reader: each block is one that was written, and no error.
before=$(counter bytes_lent)
preloaded python3 - <<'END' || fail "reading what is being written"
import os, sys
size, block = 1 << 20, 4096
fd = os.open("/capstan/w", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"a" * size, 0)
child = os.fork()
if child == 0:
    try:
        for i in range(150):
            os.pwrite(fd, bytes([98 + i % 20]) * size, 0)
    except BaseException:
        os._exit(1)
    os._exit(0)
reads = 0
while True:
    got = os.pread(fd, size, 0)
    assert len(got) == size, len(got)
    for at in range(0, size, block):
        assert got[at : at + block] == got[at : at + 1] * block, at
    reads += 1
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
assert status == 0, status
assert os.pread(fd, size, 0) == bytes([98 + 149 % 20]) * size
print(reads, "reads beside 150 writes")
END
lent=$(($(counter bytes_lent) - before))
echo "$lent bytes were lent"
[ $lent -gt 0 ] || fail "none was lent"

# A server that dies under a reader, and comes back.
(while [ ! -e "$work/over" ]; do gets "$work/data" || :; done) &
background=$!
kill -9 "$(server_pid s2)"
timeout 120 "$capstan" up --root "$root" >/dev/null || fail "up again"
: >"$work/over"
wait "$background"
background=
gets "$work/data" || fail "after a death: $(cat "$work/said")"
lends "$work/data" $((size * 3 / 4)) $size
echo "ok: lend"
