# SPDX-License-Identifier: BSD-3-Clause
# Servers and clients on two "machines": network namespaces with a cable between
# them. The client has a second network that the server knows nothing of. And
# the cable is cut under a collective read: every rank gets the error in time,
# and reads again when it is whole.
. "$top_srcdir/tests/cluster/lib.sh"

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null || skip "no ip(8) (Debian: iproute2)"
there=capstan-s$$
here=capstan-c$$
server=

end_all() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
    ip netns del "$there" 2>/dev/null
    ip netns del "$here" 2>/dev/null
    end
}
trap end_all EXIT

ip netns add "$there" 2>/dev/null && ip netns add "$here" ||
    skip "no network namespaces here"
ip -n "$here" link add cable type veth peer name cable netns "$there" ||
    skip "no veth devices here"
ip -n "$here" link set lo up
ip -n "$there" link set lo up
ip -n "$here" addr add 10.213.7.2/24 dev cable
ip -n "$here" addr add fd37:5::2/64 dev cable nodad
ip -n "$here" link set cable up
ip -n "$there" addr add 10.213.7.1/24 dev cable
ip -n "$there" addr add fd37:5::1/64 dev cable nodad
ip -n "$there" link set cable up
ip -n "$here" link add other type veth peer name other1
ip -n "$here" addr add 10.214.7.2/24 dev other
ip -n "$here" link set other up
ip -n "$here" link set other1 up

on_client() {
    ip netns exec "$here" "$@"
}

# serve NODE: a server of two targets in the other namespace
serve() {
    mkdir -p "$root/t1" "$root/t2"
    cat >"$root/cluster.yaml" <<END
cluster: 7d3c1a55
defaults:
  stripe_size: 65536
servers:
  - name: s1
    node: "$1"
    targets:
      - id: 1
        service: "40001"
        directory: $root/t1
      - id: 2
        service: "40002"
        directory: $root/t2
END
    ip netns exec "$there" "$top_builddir/src/server/capstan-server" \
        --cluster "$root/cluster.yaml" --name s1 >"$root/s1.log" 2>&1 &
    server=$!
    tries=0
    until grep -q ready "$root/s1.log"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] && kill -0 "$server" || fail "no server on $1"
        sleep 0.1
    done
}

stop() {
    kill "$server"
    wait "$server" || fail "the server ended with $?"
    server=
}

mkdir "$root"
export CAPSTAN_CLUSTER="$root/cluster.yaml"
export CAPSTAN_TIMEOUT_MS=20000
bytes=4194304
python3 - "$work/data" $bytes <<'END'
import sys
n = int(sys.argv[2])
block = bytes(((i * 131) ^ (i >> 9)) & 255 for i in range(1 << 17))
with open(sys.argv[1], "wb") as f:
    for _ in range(n >> 17):
        f.write(block)
END

# CAPSTAN_NO_SHORTCUT: all that is moved goes over the cable.
export CAPSTAN_NO_SHORTCUT=1
for node in fd37:5::1 10.213.7.1; do
    serve "$node"
    on_client timeout 60 "$capstan" put "$work/data" /data || fail "put to $node"
    on_client timeout 60 "$capstan" get /data "$work/back" ||
        fail "get from $node"
    cmp "$work/data" "$work/back" || fail "other bytes from $node"
    rm "$work/back"
    [ "$node" = 10.213.7.1 ] || stop
done
echo "servers on another network reach a client that has two"

program=$top_builddir/tests/cluster/read_shared
CAPSTAN_TIMEOUT_MS=3000 timeout 100 ip netns exec "$here" "$MPIRUN" \
    --oversubscribe -n 3 "$program" capstan:/data $bytes 0 \
    >"$work/out" 2>&1 </dev/null &
background=$!
tries=0
until grep -q reading "$work/out"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no reading in 60 s: $(cat "$work/out")"
    sleep 0.1
done
ip -n "$there" link set cable down
wait "$background"
rc=$?
background=
cat "$work/out"
[ $rc -eq 0 ] || fail "ranks hung or differed ($rc)"
grep -q "server s1" "$work/out" || fail "the error does not name the server"
ip -n "$there" link set cable up
timeout 100 ip netns exec "$here" "$MPIRUN" --oversubscribe -n 3 \
    "$program" capstan:/data $bytes 3 </dev/null ||
    fail "reading over the cable that is whole again"

# Cut and whole again within the deadline: nobody notices.
timeout 100 ip netns exec "$here" "$MPIRUN" --oversubscribe -n 2 \
    "$program" capstan:/data $bytes 60 >"$work/out" 2>&1 </dev/null &
background=$!
tries=0
until grep -q reading "$work/out"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no reading in 60 s: $(cat "$work/out")"
    sleep 0.1
done
ip -n "$there" link set cable down
sleep 2
ip -n "$there" link set cable up
wait "$background" || fail "a short cut was noticed: $(cat "$work/out")"
background=
stop
