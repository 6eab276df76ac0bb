# SPDX-License-Identifier: BSD-3-Clause
# The MPI programs of tests/mpi on a real cluster, with every number of ranks;
# over the default provider and over shared memory.
. "$top_srcdir/tests/cluster/lib.sh"

bin=$top_builddir/tests/mpi
cluster_up --servers 2 --targets 2 --stripe-size 65536
"$capstan" mkdir /t || fail "mkdir"
each "$bin/test_basics" capstan:/t/
each "$bin/test_open" capstan:/t/open
each "$bin/test_views" capstan:/t/
"$capstan" rm -r /t || fail "rm"
[ -z "$("$capstan" ls /)" ] || fail "files are left: $("$capstan" ls /)"
