#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The collective engine over servers: the same failures as over ad_posix, at 4
# and 7 ranks, injected between engine and driver.
. "$top_srcdir/tests/cluster/lib.sh"

cluster_up --servers 2 --targets 1 --stripe-size 65536
: "${CAPSTAN_TIMEOUT_MS:=60000}"
export CAPSTAN_TIMEOUT_MS
seed=${TEST_COLL_SEED:-$(date +%s)}
for n in ${TEST_COLL_RANKS:-4 7}; do
    mpi "$n" "$top_builddir/tests/adio/test_coll" "$seed" \
        "${TEST_COLL_ROUNDS:-1}" capstan:/coll ||
        fail "test_coll at $n ranks, seed $seed"
done
