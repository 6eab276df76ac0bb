# SPDX-License-Identifier: BSD-3-Clause
# A cluster of real servers on the loopback interface for the scripts here, and
# MPI programs on it. To be sourced by sh.
#
#   cluster_up ARG...     capstan up with a root of our own; sets the environment
#   counter NAME          from capstan status --json, summed over the targets
#   server_pid NAME       of a server that runs
#
# Servers are stopped, by pid, and the directory removed when the script ends.
CAPSTAN_TEST_PREFIX=capstan:/
. "$top_srcdir/tests/mpi/lib.sh"

capstan=$top_builddir/src/tools/capstan
[ -x "$capstan" ] && [ -x "$top_builddir/src/server/capstan-server" ] ||
    skip "no capstan and capstan-server in this build tree"
HOME=$work
export HOME
unset CAPSTAN_CLUSTER CAPSTAN_ROOT CAPSTAN_SERVER CAPSTAN_TIMEOUT_MS || :
root=$work/root

end() {
    [ -z "$background" ] || kill "$background" 2>/dev/null
    [ ! -d "$root" ] || "$capstan" down --root "$root" >/dev/null 2>&1
    rm -rf "$work"
}
background=
trap end EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    tail -n 20 "$root"/*.log >&2
    exit 1
}

cluster_up() {
    timeout 120 "$capstan" up --root "$root" "$@" || fail "capstan up"
    exports=$("$capstan" env --root "$root") || fail "capstan env"
    eval "$exports"
}

counter() {
    "$capstan" status --json | python3 -c '
import json, sys
print(sum(t[sys.argv[1]] for t in json.load(sys.stdin)["targets"]))' "$1"
}

server_pid() {
    cat "$root/$1.pid"
}
