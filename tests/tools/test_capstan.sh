#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The capstan program against real servers on the loopback interface: start,
# copy in and out, list, remove, stop; a server killed and taken over; and what
# it says when something is wrong. The servers' processes are ended by their
# pids, and nothing is left behind.
set -eu

capstan=$top_builddir/src/tools/capstan
server=$top_builddir/src/server/capstan-server
for program in "$capstan" "$server"; do
    if [ ! -x "$program" ]; then
        echo "no ${program##*/} in this build tree"
        exit 77
    fi
done

dir=$(mktemp -d)
root=$dir/root
HOME=$dir/home
mkdir "$HOME"
export HOME
unset CAPSTAN_CLUSTER CAPSTAN_ROOT CAPSTAN_SERVER CAPSTAN_TIMEOUT_MS || :

clean() {
    for started in "$root" "$HOME/.capstan/local" "$dir/other"; do
        [ ! -d "$started" ] ||
            "$capstan" down --root "$started" >/dev/null 2>&1 || :
    done
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    tail -n 20 "$root"/*.log >&2 || :
    exit 1
}

# run STATUS WORDS COMMAND...: the exit status, and WORDS somewhere in what it
# prints (a fixed string). $dir/out and $dir/err keep it.
run() {
    wanted=$1
    words=$2
    shift 2
    rc=0
    timeout 120 "$@" >"$dir/out" 2>"$dir/err" </dev/null || rc=$?
    cat "$dir/out" "$dir/err" >"$dir/both"
    [ "$rc" = "$wanted" ] ||
        fail "$* ended with $rc, not $wanted: $(cat "$dir/both")"
    [ -z "$words" ] || grep -qF -- "$words" "$dir/both" ||
        fail "$* did not say '$words': $(cat "$dir/both")"
}

cap() {
    status=$1
    words=$2
    command=$3
    shift 3
    run "$status" "$words" "$capstan" "$command" --root "$root" "$@"
}

# A number from `status --json`: for all targets, the sum.
counter() {
    "$capstan" status --root "$root" --json | python3 -c '
import json, sys
targets = json.load(sys.stdin)["targets"]
assert [t["id"] for t in targets] == [1, 2], targets
assert all(t["state"] == "up" for t in targets), targets
print(sum(t[sys.argv[1]] for t in targets))' "$1"
}

# --- wrong usage --------------------------------------------------------------
run 2 "Usage" "$capstan"
run 0 "Commands" "$capstan" --help
run 0 "capstan " "$capstan" --version
run 2 "no such command" "$capstan" fly
run 2 "out of range" "$capstan" up --servers 0
run 2 "multiple of 4096" "$capstan" up --stripe-size 5000
run 2 "operand missing" "$capstan" put x
for command in up down status env put get cp ls stat mkdir mv find du df mount \
    umount rm; do
    run 0 "Usage: capstan $command" "$capstan" "$command" --help
done
echo "ok: usage"

# --- no cluster, a bad one, one that is away ----------------------------------
[ -e /etc/capstan/cluster.yaml ] || run 1 "CAPSTAN_CLUSTER" "$capstan" ls
run 1 "/nowhere: No such file" "$capstan" ls --cluster /nowhere
cat >"$dir/bad.yaml" <<'END'
cluster: 12
servers:
  - name: s1
    node: 127.0.0.1
    targets:
      - id: 70000
        service: "1"
        directory: /x
END
run 1 "bad.yaml: line 6: servers[0].targets[0].id: 70000 is out of range" \
    "$capstan" ls --cluster "$dir/bad.yaml"
sed 's/70000/1/' "$dir/bad.yaml" >"$dir/away.yaml"
begin=$(date +%s)
run 1 "127.0.0.1:1" "$capstan" ls --timeout 2 --cluster "$dir/away.yaml" /
run 1 '"state": "down"' \
    "$capstan" status --json --timeout 2 --cluster "$dir/away.yaml"
[ $(($(date +%s) - begin)) -lt 20 ] || fail "unreachable servers took too long"
echo "ok: no cluster"

# --- up -----------------------------------------------------------------------
cap 0 "nothing runs" down
cap 0 "2 servers, 2 targets, up" up --servers 2
cap 0 "already running" up
cap 1 "has --servers 2, not 3" up --servers 3
cap 0 "bytes_sent" status
cap 0 "node_of_thread" status
eval "$("$capstan" env --root "$root" 2>/dev/null)"
[ "$CAPSTAN_CLUSTER" = "$(realpath "$root")/cluster.yaml" ] ||
    fail "env: CAPSTAN_CLUSTER=$CAPSTAN_CLUSTER"
run 0 "target 2: up" capstan status
unset CAPSTAN_CLUSTER CAPSTAN_ROOT
echo "ok: up"

# --- files --------------------------------------------------------------------
head -c 40000001 /dev/urandom >"$dir/big"
head -c 4194304 "$dir/big" >"$dir/chunk"
: >"$dir/empty"
echo small >"$dir/a name with 'quotes'"
sent=$(counter bytes_sent)
received=$(counter bytes_received)
for name in big chunk empty "a name with 'quotes'"; do
    cap 0 "" put "$dir/$name" "capstan:/$name"
    cap 0 "" get "/$name" "$dir/back"
    cmp "$dir/$name" "$dir/back" || fail "$name came back changed"
done
[ $(($(counter bytes_received) - received)) -ge 44194305 ] ||
    fail "bytes_received counts too little"
[ $(($(counter bytes_sent) - sent)) -ge 44194305 ] ||
    fail "bytes_sent counts too little"
"$capstan" put --root "$root" - /stream <"$dir/big"
"$capstan" get --root "$root" /stream - | cmp - "$dir/big" ||
    fail "the stream came back changed"
cap 0 "" put "$dir/chunk" /stream
cap 0 "" get /stream "$dir/back"
cmp "$dir/chunk" "$dir/back" || fail "a replaced file came back changed"
"$capstan" stat --root "$root" --json /big | python3 -c '
import json, sys
stat = json.load(sys.stdin)
assert stat["type"] == "file" and stat["size"] == 40000001, stat
assert stat["is_striped"] and stat["width"] == 2, stat' || fail "stat --json"
"$capstan" ls --root "$root" --json | python3 -c '
import json, sys
sizes = {e["path"]: e["size"] for e in json.load(sys.stdin)}
assert sizes["/big"] == 40000001 and sizes["/empty"] == 0, sizes
assert len(sizes) == 5, sizes' || fail "ls --json"
cap 0 "40000001" ls -l
cap 0 "size         40000001" stat /big
echo "ok: files"

# --- trees --------------------------------------------------------------------
mkdir -p "$dir/tree/a/b" "$dir/tree/empty"
cp "$dir/chunk" "$dir/tree/a/b/one"
: >"$dir/tree/a/two"
cap 1 "is a directory" put "$dir/tree" /t
cap 0 "" put -r "$dir/tree" /t
cap 0 "" put -r "$dir/tree/" /t
cap 0 "" get -r /t "$dir/out.t"
diff -r "$dir/tree" "$dir/out.t/tree" || fail "the tree came back changed"
cap 0 "/t/tree/a/b:" ls -R /t
cap 0 "" mkdir -p /d/e/f
cap 0 "" mkdir -p /d/e/f
cap 1 "File exists" mkdir /d/e/f
cap 0 "" put "$dir/chunk" "$dir/empty" /d
cap 0 "chunk" ls /d
cap 1 "is not a directory" put "$dir/chunk" "$dir/empty" /nodir
cap 0 "" mv /d/chunk /d/e/moved
cap 1 "No such file" stat /d/chunk
cap 0 "" mv /d/e/moved /d/empty /d/e/f
cap 0 "moved" ls /d/e/f
cap 1 "File exists" mv --no-replace /d/e/f/moved /d/e/f/empty
cap 1 "is not a directory" mv /d/e/f/moved /d/e/f/empty /nodir
cap 0 "" mv /d/e/f/moved /d/e/f/empty
cap 0 "4194304" ls -l /d/e/f
cap 1 "No such file" mv /none /d
cap 0 "2 targets, 0 of them silent" df
"$capstan" df --root "$root" --json | python3 -c '
import json, sys
df = json.load(sys.stdin)
assert df["used_bytes"] + df["free_bytes"] == df["total_bytes"] > 0, df
assert df["targets"] == 2, df' || fail "df --json"
cap 1 "is a directory" rm /t
cap 0 "" rm -r /t /d
cap 1 "No such file" stat /t
cap 0 "" rm -f /t
cap 1 "the root is not removed" rm -r /
echo "ok: trees"

# --- what goes wrong ----------------------------------------------------------
long=$(printf '%0256d' 0)
cap 1 "File name too long" put "$dir/empty" "/$long"
cap 1 "No such file" stat /no/such
cap 1 "No such file" get /no/such "$dir/never"
[ ! -e "$dir/never" ] || fail "a failed get left a file"
cap 1 "$dir/never: No such file" put "$dir/never" /never
cap 1 "No such file" stat /never
run 1 "No space left" sh -c "'$capstan' get --root '$root' /big - >/dev/full"
cap 0 "" rm /stream
echo "ok: errors"

# --- a server is killed, and taken over ---------------------------------------
kill -9 "$(cat "$root/s2.pid")"
cap 1 "target 2: down" status --timeout 2
cap 0 "target" up
cap 0 "" get /big "$dir/back"
cmp "$dir/big" "$dir/back" || fail "big came back changed after a kill"
for name in s1 s2; do
    kill -9 "$(cat "$root/$name.pid")"
done
cap 0 "2 servers, 2 targets, up" up
cap 0 "" get /big "$dir/back"
cmp "$dir/big" "$dir/back" || fail "big came back changed after two kills"
echo "ok: takeover"

# --- a port that is taken meanwhile -------------------------------------------
cap 0 "2 servers stopped" down
cap 0 "0 servers stopped" down
port=$(sed -n 's/.*service: "\([0-9]*\)".*/\1/p' "$root/cluster.yaml" | head -n 1)
mkfifo "$dir/fifo"
: >"$dir/held"
python3 -c '
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[1])))
s.listen()
print("held", flush=True)
sys.stdin.read()' "$port" <"$dir/fifo" >"$dir/held" &
holder=$!
exec 3>"$dir/fifo"
until grep -q held "$dir/held"; do
    kill -0 "$holder" 2>/dev/null || fail "port $port cannot be held"
    sleep 0.05
done
cap 0 "2 servers, 2 targets, up" up
exec 3>&-
wait "$holder"
grep -q "\"$port\"" "$root/cluster.yaml" && fail "port $port was kept"
cap 0 "" get /big "$dir/back"
cmp "$dir/big" "$dir/back" || fail "big came back changed on new ports"
echo "ok: ports"

# --- a server that does not start ---------------------------------------------
cat >"$dir/broken" <<'END'
#!/bin/sh
echo "the moon is wrong"
exit 1
END
chmod +x "$dir/broken"
CAPSTAN_SERVER=$dir/broken run 1 "the moon is wrong" \
    "$capstan" up --root "$dir/other" --wait 20
[ ! -e "$dir/other/s1.pid" ] || fail "a failed up left a pid file"
CAPSTAN_SERVER=$dir/none run 1 "CAPSTAN_SERVER names no program" \
    "$capstan" up --root "$dir/other" --wait 20
echo "ok: broken server"

# --- the default cluster is found without an environment ----------------------
run 0 "1 server, 1 target, up" "$capstan" up
run 0 "" "$capstan" put "$dir/chunk" /chunk
run 0 "chunk" "$capstan" ls
run 0 "1 server stopped" "$capstan" down --purge
[ -z "$(ls -A "$HOME/.capstan")" ] || fail "purge left $(ls -A "$HOME/.capstan")"
echo "ok: default"

# --- down leaves no process, purge no file of ours ----------------------------
pids=$(cat "$root"/s?.pid)
: >"$root/mine"
cap 0 "2 servers stopped" down --purge
for pid in $pids; do
    ! kill -0 "$pid" 2>/dev/null || grep -q '^State:.Z' "/proc/$pid/status" ||
        fail "process $pid is still there"
done
[ "$(ls -A "$root")" = mine ] || fail "purge left $(ls -A "$root")"
echo "ok: down"
