# SPDX-License-Identifier: BSD-3-Clause
# Damage on the device: a flipped bit of a file is never returned, `capstan scrub`
# finds it, with and without restarts; a damaged or half-written target directory
# keeps its server from starting, with the reason.
. "$top_srcdir/tests/cluster/lib.sh"

cluster_up --servers 1 --targets 1
python3 -c '
import random, sys
random.seed(7)
sys.stdout.buffer.write(random.randbytes(3 << 20))' >"$work/data"
"$capstan" put "$work/data" /data || fail "put"
"$capstan" put "$work/data" /other || fail "put"

# All sums on the device; at most 60 s.
wait_clean() {
    tries=0
    until [ "$(counter objects_dirty)" = 0 ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "objects stay dirty"
        sleep 0.1
    done
}

# flip FILE OFFSET
flip() {
    python3 - "$1" "$2" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 4]))
END
}

directory=$(python3 -c '
import re, sys
print(re.search(r"directory: .?(/[^\x27\"\s]+)", open(sys.argv[1]).read()).group(1))' \
    "$CAPSTAN_CLUSTER")
object=$(find "$directory/objects" -type f -size +1M ! -name '*.sum' | head -1)
inode=$(basename "$object")

scrub_says() {
    "$capstan" scrub >"$work/scrub" 2>&1
    rc=$?
    cat "$work/scrub"
    [ $rc -eq "$1" ] || fail "scrub: status $rc"
    grep -q "$2" "$work/scrub" || fail "scrub does not say '$2'"
}

gets_neither_wrong() {
    : >"$work/err"
    for name in /data /other; do
        rm -f "$work/a"
        if "$capstan" get $name "$work/a" 2>>"$work/err"; then
            cmp "$work/a" "$work/data" || fail "wrong bytes"
        fi
    done
    cat "$work/err"
    grep -q "checksum mismatch.*inode $inode, offset 1048576, target 1" \
        "$work/err" || fail "the damage is not told"
}

restart() {
    "$capstan" down --root "$root" >/dev/null || fail "down"
    cluster_up
}

wait_clean
scrub_says 0 " 0 damaged blocks"
for how in running restarted killed; do
    flip "$object" 1050000
    case $how in
    restarted) restart ;;
    killed)
        kill -9 "$(server_pid "$(basename "$root"/*.pid .pid)")"
        restart
        ;;
    esac
    scrub_says 1 "inode $inode: block at 1048576 "
    gets_neither_wrong
    flip "$object" 1050000
    scrub_says 0 " 0 damaged blocks"
done
"$capstan" scrub --json --rate 100M | python3 -c '
import json, sys
report = json.load(sys.stdin)
assert report["damaged"] == 0 and report["bytes"] >= 6 << 20, report' ||
    fail "scrub --json"

"$capstan" top --rounds 1 | tee "$work/top"
grep -q '^ *1 s1 ' "$work/top" || fail "top"
"$capstan" status --json | python3 -c '
import json, sys
target = json.load(sys.stdin)["targets"][0]
assert sum(n for name, n in target.items()
           if name.startswith("reads_within_")) == target["reads"], target' ||
    fail "the latency counters do not add up to the reads"

# refuses WORDS: the server does not start, and its log says so.
refuses() {
    rm -f "$root"/*.log
    if timeout 60 "$capstan" up --root "$root" --wait 20 >"$work/up" 2>&1; then
        fail "it started: $1"
    fi
    cat "$work/up" "$root"/*.log 2>/dev/null | tail -n 5
    grep -q -i "$1" "$work/up" "$root"/*.log || fail "no word of '$1'"
}

"$capstan" down --root "$root" >/dev/null || fail "down"
cp -a "$directory" "$work/saved"
restore() {
    rm -rf "$directory"
    cp -a "$work/saved" "$directory"
}

: >"$directory/target" # half written
refuses "the file target is damaged"
restore
flip "$directory/target" 20
refuses "the file target is damaged"
restore
rm "$directory/target"
refuses "not a target"
restore
printf 'MANIFEST-999999\n' >"$directory/names/CURRENT"
refuses "names"
restore
manifest=$(find "$directory/names" -name 'MANIFEST-*' | head -1)
flip "$manifest" 30
refuses "names"
restore
rm "$directory/names/CURRENT" # RocksDB would begin a new store
refuses "names"
restore
rm -rf "$directory/names" # likewise
refuses "names"
restore
table=$(find "$directory/names" -name '*.sst' | head -1)
truncate -s 100 "$table"
refuses "names"
restore
# RocksDB would drop what was durable, as if the end had been torn.
log=$(find "$directory/names" -name '*.log' -size +0 | sort | tail -1)
truncate -s 20 "$log"
refuses "were acknowledged"
restore
flip "$directory/names.mark" 25
refuses "names.mark is damaged"
restore
: >"$directory/names.mark"
refuses "names.mark is damaged"
restore
rm -rf "$directory/objects"
: >"$directory/objects" # not a directory
refuses "objects"
restore
cluster_up # and whole again, it serves
rm -f "$work/a"
"$capstan" get /data "$work/a" || fail "get"
cmp "$work/a" "$work/data" || fail "wrong bytes"
exit 0
