# SPDX-License-Identifier: BSD-3-Clause
# What the scripts here share: Open MPI's environment with our component in it,
# a directory of our own, and mpi(), which never waits for ever.
#
#   files    prefix of the test files; set CAPSTAN_TEST_PREFIX for another one
#   ranks    how many ranks the programs run with, one after the other

: "${top_builddir:?}" "${top_srcdir:?}" "${MPIRUN:=mpirun}"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mca_base_component_path=$top_builddir/src/mpiio/.libs:$OMPI_MCA_DIR
export OMPI_MCA_btl_vader_single_copy_mechanism=none
unset ROMIO_HINTS CAPSTAN_REPORT

work=$(mktemp -d "${TMPDIR:-/tmp}/capstan-mpi.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

if [ -n "$CAPSTAN_TEST_PREFIX" ]; then
    files=$CAPSTAN_TEST_PREFIX
else
    files=$work/
    export OMPI_MCA_io_capstan_posix_prefix=$work/
fi
ranks=${CAPSTAN_TEST_RANKS:-1 2 4 7}

# mpi NRANKS PROGRAM ARGS...
mpi() {
    nranks=$1
    shift
    timeout "${CAPSTAN_TEST_TIMEOUT:-300}" "$MPIRUN" --oversubscribe \
        -n "$nranks" "$@" </dev/null
    rc=$?
    [ $rc -eq 124 ] && echo "timed out: $*" >&2
    return $rc
}

# each PROGRAM ARGS...: with every number of ranks
each() {
    for n in $ranks; do
        mpi "$n" "$@" || { echo "failed with $n ranks: $*" >&2; exit 1; }
    done
}

# May files here be read out of a mapping (posix_fs.c)?
may_map() {
    case $(stat -f -c %T "$work") in
    ext* | xfs | btrfs | tmpfs | f2fs) return 0 ;;
    *) return 1 ;;
    esac
}

skip() {
    echo "skipped: $*"
    exit 77
}
