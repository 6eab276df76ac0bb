# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Long commands that can be interrupted, and one temporary directory that takes
# everything with it. To be sourced by bash.
#
#   jobs_init NAME       make $jobs_tmp, set TMPDIR to it, install the traps
#   jobs_run COMMAND...  run in a process group of its own and wait for it
#   jobs_at_end COMMAND  have a command run before the directory is removed; the
#                        last one first
#   jobs_strays          print the pids of processes that still use $jobs_tmp
#
# On exit, also by SIGHUP, SIGINT or SIGTERM, the running job's group is ended,
# the at-end commands run, strays are ended and the directory is removed. Only
# processes are ended that descend from this one: those of the job's group, and
# those which inherited a TMPDIR that nobody else has.

jobs_tmp=
jobs_pid=
jobs_end=()

jobs_init() {
    jobs_tmp=$(mktemp -d "${TMPDIR:-/tmp}/$1.XXXXXX")
    export TMPDIR=$jobs_tmp
    trap jobs_fini EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

jobs_at_end() {
    jobs_end+=("$*")
}

jobs_run() {
    local rc=0
    set -m
    ("$@") </dev/null &
    jobs_pid=$!
    set +m
    wait "$jobs_pid" || rc=$?
    jobs_pid=
    return "$rc"
}

jobs_strays() {
    local entry pid
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] || continue
        if tr '\0' '\n' 2>/dev/null <"$entry/environ" |
            grep -qxF "TMPDIR=$jobs_tmp"; then
            printf '%s\n' "$pid"
        fi
    done 2>/dev/null
}

# jobs_wait_gone SECONDS PID...: until all are gone, or the time is over.
jobs_wait_gone() {
    local left=$(($1 * 10)) pid alive
    shift
    while [ "$left" -gt 0 ]; do
        alive=0
        for pid in "$@"; do
            ! kill -0 "$pid" 2>/dev/null || alive=1
        done
        [ "$alive" = 1 ] || return 0
        left=$((left - 1))
        sleep 0.1
    done
    return 1
}

jobs_fini() {
    local i strays
    trap '' HUP INT TERM
    set +e
    if [ -n "$jobs_pid" ]; then
        kill -TERM -- "-$jobs_pid" 2>/dev/null
        jobs_wait_gone 10 "$jobs_pid" || kill -KILL -- "-$jobs_pid" 2>/dev/null
        wait "$jobs_pid" 2>/dev/null
    fi
    for ((i = ${#jobs_end[@]} - 1; i >= 0; i--)); do
        eval "${jobs_end[i]}"
    done
    mapfile -t strays < <(jobs_strays)
    if [ "${#strays[@]}" -gt 0 ]; then
        kill -TERM "${strays[@]}" 2>/dev/null
        jobs_wait_gone 5 "${strays[@]}" || kill -KILL "${strays[@]}" 2>/dev/null
    fi
    rm -rf "$jobs_tmp"
}
