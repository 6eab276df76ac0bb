# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Running MPI programs in tests and benchmarks. To be sourced; POSIX shell.
#
#   mpi_run RANKS SECONDS COMMAND...    run with so many ranks, at most so long
#
# Here means: on this machine, also as root, also with more ranks than cores,
# without binding, with nothing on stdin. A run that takes longer is ended and
# returns 124. MPIRUN names another mpirun than the one on PATH.

export OMPI_ALLOW_RUN_AS_ROOT=1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# More ranks than cores: a waiting rank gives its core away.
export OMPI_MCA_mpi_yield_when_idle=1
# Containers commonly forbid a process to read another's memory.
if [ -e /.dockerenv ] || [ -e /run/.containerenv ]; then
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
fi

mpi_run() {
    mpi_ranks=$1
    mpi_seconds=$2
    shift 2
    timeout --kill-after=10 "$mpi_seconds" "${MPIRUN:-mpirun}" \
        --oversubscribe --bind-to none -n "$mpi_ranks" "$@" </dev/null
}
