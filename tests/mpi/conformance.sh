#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run the conformance program. Without arguments, as `make check` does: a few
# seeds with each number of ranks on the posix driver and on real servers that
# are started here. Otherwise:
#
#   conformance.sh [-s SEEDS] [-f FIRST] [-n "RANKS..."] [-o "OPTIONS"]
#       [-r REPORT] ENGINE...
#
#   posix    this component on a POSIX file system
#   capstan  this component on servers of its own
#   ompio    Open MPI's own engine
#   romio    ROMIO as Open MPI brings it
#
# With -r a seed that crashes or does not end is noted in the report, and the
# run goes on behind it. The end is a table of what was wrong: how often, at
# which number of ranks, what, in which call.
. "$top_srcdir/tests/mpi/lib.sh"

export OMPI_MCA_mpi_yield_when_idle=1
program=$top_builddir/tests/mpi/conformance
capstan=$top_builddir/src/tools/capstan
root=$work/root
bad=0

clean() {
    [ ! -d "$root" ] || "$capstan" down --root "$root" >/dev/null 2>&1 || :
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# start_servers: once.
start_servers() {
    [ -d "$root" ] && return 0
    timeout 120 "$capstan" up --root "$root" --servers 2 >"$work/up" 2>&1 ||
        { cat "$work/up" >&2; exit 1; }
    eval "$("$capstan" env --root "$root" 2>/dev/null)"
}

# run_range ENGINE RANKS FIRST SEEDS: one run of the program. What else it takes
# is in $options.
run_range() {
    case $1 in
    posix) path=${files}conformance io='' posix=$files ;;
    capstan) path=capstan:/conformance io='' posix='' ;;
    ompio) path=$work/conformance io=ompio posix='' ;;
    romio) path=$work/conformance io=$romio posix='' ;;
    esac
    # shellcheck disable=SC2086
    (
        [ -z "$io" ] || export OMPI_MCA_io="$io"
        export OMPI_MCA_io_capstan_posix_prefix="$posix"
        mpi "$2" "$program" --start "$3" --seeds "$4" $options \
            ${report:+--report "$report"} "$path"
    ) >"$work/out" 2>&1
}

# Behind a crash the next run starts with the next seed.
run_all() {
    first=$3
    last=$(($3 + $4 - 1))
    while :; do
        rc=0
        run_range "$1" "$2" "$first" $((last - first + 1)) || rc=$?
        grep -v '^capstan.*warn: hint\|^--*$\|^mpirun\|^$' "$work/out" |
            sed -n '/^seed\|^ \|^conformance/p'
        [ $rc = 0 ] && return 0
        bad=1
        [ "$1" != capstan ] || grep -H 'warn\|error' "$root"/*.log | tail
        [ -n "$report" ] || { tail -n 30 "$work/out"; return 0; }
        grep -q '^conformance: .* seeds from' "$work/out" && return 0
        seed=$(cat "$report.seed")
        grep -q "^$seed $2 .* \(crash\|hang\) " "$report" ||
            echo "$seed $2 ? crash ?" >>"$report"
        [ "$seed" -lt "$last" ] || return 0
        first=$((seed + 1))
    done
}

# Several ranks may have noted one hang.
table() {
    sort -u "$1" | awk '{ n[$4 " in " $5 " " $6 " " $7 " at " $2 " ranks"]++ }
        END { for (k in n) printf "%7d %s\n", n[k], k }' |
        sort -k2,2 -k1,1nr
}

have() {
    case $1 in
    capstan) [ -x "$capstan" ] && [ -x "$top_builddir/src/server/capstan-server" ] ;;
    romio) [ -n "$romio" ] ;;
    esac
}

# What Open MPI calls its ROMIO: romio321, romio341, ...
romio=$(ompi_info 2>/dev/null | sed -n 's/.*MCA io: \(romio[0-9]*\).*/\1/p')
report='' options='--strict --no-sync --interlaced' seeds='' first=1
while getopts s:f:n:o:r: option; do
    case $option in
    s) seeds=$OPTARG ;;
    f) first=$OPTARG ;;
    n) ranks=$OPTARG ;;
    o) options=$OPTARG ;;
    r) report=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

: "${CAPSTAN_TEST_TIMEOUT:=300}" # the program watches its steps itself
[ -z "$report" ] || CAPSTAN_TEST_TIMEOUT=100000
[ $# -gt 0 ] || set -- posix capstan
for engine in "$@"; do
    case $engine in
    capstan)
        have capstan || { echo "no servers in this build tree"; continue; }
        start_servers
        ;;
    romio) have romio || { echo "no ROMIO in this Open MPI"; continue; } ;;
    posix | ompio) ;;
    *) echo "no engine $engine" >&2; exit 2 ;;
    esac
    for n in $ranks; do
        # Many ranks on few cores take long, and servers sync their names.
        [ "$engine" = capstan ] && few=40 || few=160
        echo "$engine, $n ranks:"
        run_all "$engine" "$n" "$first" \
            "${seeds:-$((few / (n * (n + 1) / 2) + 4))}"
    done
done
[ -z "$report" ] || [ ! -f "$report" ] || table "$report"
exit $bad
