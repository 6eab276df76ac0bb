# SPDX-License-Identifier: BSD-3-Clause
# Full devices: the caller is told, nothing that was acknowledged is lost, and
# what is removed makes room again, however full it was: with data, then with
# names on top.
. "$top_srcdir/tests/cluster/lib.sh"

[ "$(id -u)" = 0 ] || skip "small file systems need root to be mounted"
mounted=
end_all() {
    "$capstan" down --root "$root" >/dev/null 2>&1
    for dir in $mounted; do
        umount "$dir"
    done
    end
}
trap end_all EXIT

for t in t1 t2; do
    mkdir -p "$root/s1/$t"
    mount -t tmpfs -o size=96m capstan-test "$root/s1/$t" ||
        skip "no file system can be mounted here"
    mounted="$mounted $root/s1/$t"
done
cluster_up --servers 1 --targets 2 --stripe-size 65536
head -c 8388608 /dev/urandom >"$work/data"

n=0
while timeout 60 "$capstan" put "$work/data" /f$n 2>"$work/text"; do
    n=$((n + 1))
    [ $n -lt 40 ] || fail "the devices do not fill"
done
cat "$work/text"
grep -q "No space left" "$work/text" || fail "no clear text"
grep -q "target . (server s1)" "$work/text" || fail "the text names no target"
[ $n -ge 8 ] || fail "only $n files found room"

# Names alone fill it no further than that either.
"$capstan" mkdir /more 2>"$work/text" && fail "a new name was taken"
grep -q "No space left" "$work/text" || fail "no clear text for a name"
for i in $(seq 0 $((n - 1))); do
    timeout 60 "$capstan" get /f$i - | cmp - "$work/data" ||
        fail "/f$i was acknowledged and is not there"
done

cluster_up --servers 1 --targets 2 --stripe-size 65536
kill -9 "$(server_pid s1)"
cluster_up --servers 1 --targets 2 --stripe-size 65536
timeout 60 "$capstan" get /f0 - | cmp - "$work/data" ||
    fail "lost when a server on full devices was killed"

for i in 0 1 2; do
    timeout 60 "$capstan" rm /f$i || fail "rm on full devices"
done
tries=0
until timeout 60 "$capstan" put "$work/data" /again 2>"$work/text"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "no room after rm: $(cat "$work/text")"
    sleep 0.1
done
timeout 60 "$capstan" get /again - | cmp - "$work/data" || fail "/again"
timeout 60 "$capstan" mkdir /more || fail "mkdir when there is room again"
echo "$n files, all there; room again after rm"
