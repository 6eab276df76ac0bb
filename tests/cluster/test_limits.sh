# SPDX-License-Identifier: BSD-3-Clause
# No inode left, and a limit on the size of files: the caller is told, what was
# acknowledged is there, the server lives, and what is removed makes room.
. "$top_srcdir/tests/cluster/lib.sh"

[ "$(id -u)" = 0 ] || skip "small file systems need root to be mounted"
mounted=
end_all() {
    "$capstan" down --root "$root" >/dev/null 2>&1
    [ -z "$mounted" ] || umount "$mounted"
    end
}
trap end_all EXIT

mkdir -p "$root/s1/t1"
mount -t tmpfs -o size=400m,nr_inodes=1200 capstan-test "$root/s1/t1" ||
    skip "no file system can be mounted here"
mounted=$root/s1/t1
# Files of at most 20 MiB, or 40: shells differ in the unit. The server inherits it.
(ulimit -f 40960 && timeout 120 "$capstan" up --root "$root" >/dev/null) ||
    fail "capstan up with a limit"
cluster_up
pid=$(server_pid s1)

head -c 50000000 /dev/urandom >"$work/large"
head -c 10000 "$work/large" >"$work/small"
timeout 60 "$capstan" put "$work/large" /large 2>"$work/text" &&
    fail "a file beyond the limit was taken"
cat "$work/text"
grep -q "File too large" "$work/text" || fail "no clear text"
timeout 60 "$capstan" put "$work/small" /first || fail "put below the limit"

mkdir "$work/many"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    cp "$work/small" "$work/many/$i"
done
n=0
while timeout 60 "$capstan" put -r "$work/many" /d$n 2>"$work/text"; do
    n=$((n + 1))
    [ $n -lt 100 ] || fail "the inodes do not run out"
done
cat "$work/text"
grep -q "No space left" "$work/text" || fail "no clear text without inodes"
[ $n -ge 5 ] || fail "only $n directories found room"
for i in $(seq 0 $((n - 1))); do
    timeout 60 "$capstan" get /d$i/7 - | cmp - "$work/small" ||
        fail "/d$i/7 was acknowledged and is not there"
done

for i in $(seq 0 $((n - 1))); do
    timeout 60 "$capstan" rm -r /d$i || fail "rm without inodes"
done
tries=0
until timeout 60 "$capstan" put "$work/small" /again 2>"$work/text"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "no room after rm: $(cat "$work/text")"
    sleep 0.1
done
timeout 60 "$capstan" get /again - | cmp - "$work/small" || fail "/again"
[ "$(server_pid s1)" = "$pid" ] && kill -0 "$pid" || fail "the server died"
echo "$n directories of 20 files; room again after rm"
