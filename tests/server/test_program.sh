#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The program capstan-server: how it starts, refuses, stops and exits.
# Exits 77 where a server cannot listen on the loopback address.
set -u

server=$top_builddir/src/server/capstan-server
dir=$(mktemp -d) || exit 1
pid=
trap 'test -n "$pid" && kill -9 "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

fail()
{
    echo "FAILED: $*"
    sed 's/^/  | /' "$dir"/*.log 2>/dev/null
    exit 1
}

# write_map TARGET PORT
write_map()
{
    cat >"$dir/cluster.yaml" <<END
cluster: 7e57
servers:
  - name: s1
    node: 127.0.0.1
    targets:
      - id: $1
        service: "$2"
        directory: $dir/data
END
}

# expect_exit CODE TEXT: start in the foreground, which must fail so.
expect_exit()
{
    timeout 30 "$server" --cluster "$dir/cluster.yaml" --name s1 \
        >"$dir/out.log" 2>"$dir/err.log"
    code=$?
    test $code -eq "$1" || fail "exit code $code, expected $1 ($2)"
    grep -q "$2" "$dir/err.log" || fail "does not say: $2"
}

# start [OPTION...]
start()
{
    : >"$dir/out.log"
    "$server" --cluster "$dir/cluster.yaml" --name s1 "$@" \
        >"$dir/out.log" 2>"$dir/err.log" &
    pid=$!
    tries=0
    until grep -q "capstan-server s1 ready: 1 targets" "$dir/out.log"; do
        kill -0 $pid 2>/dev/null || return 1
        tries=$((tries + 1))
        test $tries -lt 300 || fail "not ready in 30 s"
        sleep 0.1
    done
}

# stop SIGNAL
stop()
{
    kill -"$1" $pid
    wait $pid
    code=$?
    pid=
    test $code -eq 0 || fail "exit code $code after SIG$1"
}

"$server" --version | grep -q "^capstan-server [0-9]" || fail "--version"
"$server" --help | grep -q "^usage:" || fail "--help"
"$server" 2>/dev/null
test $? -eq 2 || fail "no name: exit code"
"$server" --name s1 --log loud 2>/dev/null
test $? -eq 2 || fail "bad level: exit code"
"$server" --name s1 --nice 20 2>/dev/null
test $? -eq 2 || fail "bad nice value: exit code"

mkdir "$dir/data"
port=$((20000 + $$ % 10000))
tries=0
write_map 1 $port
until start; do
    tries=$((tries + 1))
    if test $tries -ge 5; then
        echo "SKIPPED: cannot listen: $(cat "$dir/err.log")"
        exit 77
    fi
    port=$((port + 37))
    write_map 1 $port
done

expect_exit 3 "in use"
stop TERM

start --nice 5 || fail "does not start again"
for stat in /proc/$pid/task/*/stat; do
    nice=$(sed 's/.*) //' "$stat" | cut -d ' ' -f 17)
    test "$nice" -ge 5 || fail "nice value $nice of $stat, expected 5"
done
stop INT

write_map 2 $port
expect_exit 1 "belongs to target 1"
write_map 1 $port
echo damaged >"$dir/data/target"
expect_exit 1 "damaged"
rm -rf "$dir/data"
expect_exit 1 "No such file"
mkdir "$dir/data"
echo thesis >"$dir/data/thesis"
expect_exit 1 "thesis"
rm "$dir/cluster.yaml"
expect_exit 1 "cluster.yaml"
echo "all as it should be"
