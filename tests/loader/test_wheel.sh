# SPDX-License-Identifier: BSD-3-Clause
# The wheel installs without network, and what is in it loads a dataset.
. "$top_srcdir/tests/mpi/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

find_python setuptools wheel pip || skip "$python_lacks"
[ -e "$top_builddir/src/loader/.libs/libcapstan_loader.so.0" ] ||
    skip "the loader is built without sharing"
[ -x "$capstan" ] || skip "no capstan program in this build tree"
PYTHON3=$python "$top_srcdir/src/python/wheel" "$top_srcdir" "$top_builddir" \
    "$work/wheel" 0.1.0 || die "no wheel"
"$python" -m pip install --no-index --no-deps --quiet --root-user-action=ignore \
    --disable-pip-version-check --target "$work/site" "$work"/wheel/*.whl ||
    die "it cannot be installed"
make_records
"$capstan" index --record-size 96 "$work/flat" || die "index"
unset CAPSTAN_LOADER_LIBRARY
cat >"$work/load.py" <<'END'
import sys
from mpi4py import MPI
import capstan

assert capstan.__file__.startswith(sys.argv[2])
with capstan.Dataset(sys.argv[1], batch=100) as data:
    count = sum(len(batch) for batch in data)
assert MPI.COMM_WORLD.allreduce(count) == 1000
END
PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
mpi 2 "$python" "$work/load.py" "$work/flat" "$work/site" ||
    die "what it has installed does not load"
