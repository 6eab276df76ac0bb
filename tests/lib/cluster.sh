# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# A cluster on this machine for tests and benchmarks. To be sourced by bash,
# after jobs.sh, with $build set to the build tree.
#
#   cluster_have            is the `capstan` program there?
#   cluster_up ROOT ARG...  start servers, give their environment to this shell
#   cluster_counter NAME    a counter, summed over all targets
#
# The servers are stopped when the shell ends, however it ends (jobs.sh), unless
# cluster_keep is 1.

cluster_keep=0

cluster_have() {
    [ -x "$build/src/tools/capstan" ]
}

capstan() {
    "$build/src/tools/capstan" "$@"
}

cluster_up() {
    local root=$1
    shift
    # Before they are started: what is half up has to go down too.
    [ "$cluster_keep" = 1 ] ||
        jobs_at_end "capstan down --root '$root' >/dev/null 2>&1"
    # Servers that stay must not name a directory that goes.
    if [ "$cluster_keep" = 1 ]; then
        (unset TMPDIR; jobs_run capstan up --root "$root" "$@") || return 1
    else
        jobs_run capstan up --root "$root" "$@" || return 1
    fi
    cluster_env "$root"
}

cluster_env() {
    local exports
    exports=$(capstan env --root "$1") || return 1
    eval "$exports"
}

cluster_counter() {
    capstan status --json | python3 -c '
import json, sys
print(sum(t[sys.argv[1]] for t in json.load(sys.stdin)["targets"]))' "$1"
}
