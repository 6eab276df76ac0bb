# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Building out of tree, for tests/run and the benchmarks. To be sourced by bash
# with $top set to the repository's top.
#
#   build_cores                   how many jobs to give make
#   build_configure DIR [ARG...]  make DIR a build tree, unless it is one of the
#                                 same arguments and of the same makefiles
#   build_make DIR [ARG...]       make there
#
# Each is quiet but for errors of the tools it runs.

build_cores() {
    nproc 2>/dev/null || echo 2
}

# What a build tree was made from. make does not notice when an archive's parts
# change their place, so after a change here a tree starts anew.
build_stamp() {
    printf '%s\n' "$*"
    (cd "$top" && find . \( -name build -o -name 'build-*' \) ! -path './src/*' \
        -prune -o \( -name '*.am' -o -name configure.ac -o -name capstan.m4 \) \
        -print | LC_ALL=C sort | xargs cksum)
}

build_configure() {
    local dir=$1 stamp
    shift
    if [ -f "$top/config.status" ]; then
        echo "build: $top is configured in place; run 'make distclean' there" >&2
        return 1
    fi
    if [ ! -x "$top/configure" ] ||
        [ "$top/configure.ac" -nt "$top/configure" ]; then
        "$top/autogen.sh" || return 1
    fi
    stamp=$(build_stamp "$@")
    if [ -f "$dir/Makefile" ] &&
        [ "$(cat "$dir/.configured" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    mkdir -p "$dir" || return 1
    find "$dir" -mindepth 1 -maxdepth 1 ! -name logs -exec rm -rf {} + ||
        return 1
    (cd "$dir" && "$top/configure" "$@") || return 1
    printf '%s\n' "$stamp" >"$dir/.configured"
}

build_make() {
    local dir=$1
    shift
    make -s -C "$dir" -j"$(build_cores)" "$@"
}
