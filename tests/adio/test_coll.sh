#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The collective engine at 1, 2, 4 and 7 ranks, then at 7 as if every three were
# a node. TEST_COLL_SEED and TEST_COLL_ROUNDS repeat or lengthen a run.
: "${MPIRUN:=mpirun}" "${top_builddir:=.}"
seed=${TEST_COLL_SEED:-$(date +%s)}
rounds=${TEST_COLL_ROUNDS:-8}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mpi_yield_when_idle=1
status=0
for ranks in ${TEST_COLL_RANKS:-1 2 4 7 7/3}; do
    unset CAPSTAN_NODE_RANKS
    case $ranks in
    */*) export CAPSTAN_NODE_RANKS="${ranks#*/}" ;;
    esac
    timeout -k 5 420 "$MPIRUN" --oversubscribe -n "${ranks%/*}" \
        "$top_builddir/tests/adio/test_coll" "$seed" "$rounds" "$dir/file" || {
        echo "test_coll: failed at $ranks ranks, seed $seed" >&2
        status=1
    }
done
exit $status
