# SPDX-License-Identifier: BSD-3-Clause
# Ranks that all read the same 64 MiB make the servers send 64 MiB: by the
# servers' own counters.
. "$top_srcdir/tests/cluster/lib.sh"

bytes=67108864
cluster_up --servers 2 --targets 2
python3 - "$work/data" $bytes <<'END'
import sys
n = int(sys.argv[2])
block = bytes(((i * 131) ^ (i >> 9)) & 255 for i in range(1 << 17))
with open(sys.argv[1], "wb") as f:
    for _ in range(n >> 17):
        f.write(block)
END
"$capstan" put "$work/data" /data || fail "put"
for n in $ranks; do
    before=$(counter bytes_sent)
    mpi "$n" "$top_builddir/tests/cluster/read_shared" capstan:/data $bytes 1 ||
        fail "read_shared with $n ranks"
    sent=$(($(counter bytes_sent) - before))
    echo "$n ranks read the same $bytes bytes: servers sent $sent"
    # A request that had to be sent again, on a slow machine, is read again.
    [ $sent -ge $bytes ] && [ $sent -le $((bytes + bytes / 4)) ] ||
        fail "servers sent $sent bytes for $n ranks"
done
