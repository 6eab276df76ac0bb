# SPDX-License-Identifier: BSD-3-Clause
# mpi4py over the component.
. "$top_srcdir/tests/mpi/lib.sh"

for python in ${CAPSTAN_TEST_PYTHON:-python3 /usr/bin/python3} none; do
    "$python" -c "import mpi4py" 2>/dev/null && break
done
[ "$python" = none ] && skip "no mpi4py (Debian: python3-mpi4py)"
each "$python" "$top_srcdir/tests/mpi/test_mpi4py.py" "$files"
