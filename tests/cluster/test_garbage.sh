# SPDX-License-Identifier: BSD-3-Clause
# Garbage on a server's port harms nobody: random bytes, a port scan, a flood of
# connections that say nothing; afterwards the server still serves.
. "$top_srcdir/tests/cluster/lib.sh"

cluster_up --servers 1 --targets 2
echo hello >"$work/hello"
"$capstan" put "$work/hello" /hello || fail "put"
before=$(server_pid s1)
timeout 60 python3 - "$root/cluster.yaml" <<'END' || fail "cannot connect"
import os, random, re, socket, sys
seed = int.from_bytes(os.urandom(4), "little")
print("seed", seed)
rng = random.Random(seed)
ports = re.findall(r"service: [\"']?(\d+)", open(sys.argv[1]).read())
assert len(ports) == 2
for port in ports:
    idle = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(50)]
    for round in range(50):
        with socket.create_connection(("127.0.0.1", int(port)), 10) as s:
            s.settimeout(10)
            try:
                s.sendall(b"CPAN" * rng.randrange(2) +
                          rng.randbytes(rng.randrange(5000)))
            except OSError:
                pass  # the server may hang up, and should
    for s in idle:
        s.close()
END
timeout 60 "$capstan" get /hello "$work/again" || fail "get"
cmp "$work/hello" "$work/again" || fail "contents differ"
[ "$before" = "$(server_pid s1)" ] && kill -0 "$before" || fail "server died"
