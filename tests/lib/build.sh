# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Building out of tree, for tests/run and the benchmarks. To be sourced by bash
# with $top set to the repository's top.
#
#   build_cores                   how many jobs to give make
#   build_configure DIR [ARG...]  make DIR a build tree, unless it is one
#   build_make DIR [ARG...]       make there
#
# Each is quiet but for errors of the tools it runs.

build_cores() {
    nproc 2>/dev/null || echo 2
}

build_configure() {
    local dir=$1
    shift
    if [ -f "$top/config.status" ]; then
        echo "build: $top is configured in place; run 'make distclean' there" >&2
        return 1
    fi
    if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
        "$top/autogen.sh" || return 1
    fi
    if [ -f "$dir/Makefile" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$*" ]; then
        return 0
    fi
    mkdir -p "$dir" || return 1
    (cd "$dir" && "$top/configure" "$@") || return 1
    printf '%s\n' "$*" >"$dir/.configured"
}

build_make() {
    local dir=$1
    shift
    make -s -C "$dir" -j"$(build_cores)" "$@"
}
