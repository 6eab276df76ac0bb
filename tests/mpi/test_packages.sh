# SPDX-License-Identifier: BSD-3-Clause
# Fortran, PnetCDF and h5py over the component: on the posix driver, and on
# servers when this build tree has them. Each that is not installed is named.
. "$top_srcdir/tests/mpi/lib.sh"

capstan=$top_builddir/src/tools/capstan
src=$top_srcdir/tests/mpi
ran=0

clean() {
    [ ! -d "$work/root" ] ||
        "$capstan" down --root "$work/root" >/dev/null 2>&1 || :
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' HUP INT TERM

build() {
    missing=''
    mpifort=$(dirname "$(command -v "$MPICC")")/mpifort
    "$mpifort" -o "$work/fortran-program" "$src/test_fortran.f90" -J "$work" \
        >"$work/log" 2>&1 || {
        command -v gfortran >/dev/null && { cat "$work/log"; exit 1; }
        missing="$missing gfortran"
    }
    if pkg-config --exists pnetcdf 2>/dev/null; then
        # shellcheck disable=SC2046
        "$MPICC" -std=gnu11 -I"$src" "$src/test_pnetcdf.c" -o "$work/pnetcdf-program" \
            $(pkg-config --cflags --libs pnetcdf) || exit 1
    else
        missing="$missing libpnetcdf-dev"
    fi
    for python in ${CAPSTAN_TEST_PYTHON:-python3 /usr/bin/python3} none; do
        # Debian's h5py is the parallel one when mpirun starts it.
        mpi 1 "$python" -c "import h5py; assert h5py.get_config().mpi" \
            >/dev/null 2>&1 && break
    done
    [ "$python" != none ] || missing="$missing python3-h5py-mpi"
    [ -z "$missing" ] || echo "not installed, left out:$missing"
}

# run PREFIX REOPEN
run() {
    [ ! -x "$work/fortran-program" ] || { each "$work/fortran-program" "$1"; ran=1; }
    [ ! -x "$work/pnetcdf-program" ] || { each "$work/pnetcdf-program" "$1" "$2"; ran=1; }
    [ "$python" = none ] || { each "$python" "$src/test_h5py.py" "$1"; ran=1; }
}

build
run "$files" reopen
if [ -z "$CAPSTAN_TEST_PREFIX" ] && [ -x "$capstan" ]; then
    ranks=${CAPSTAN_TEST_RANKS:-1 4} # ranks beyond the cores starve servers
    : "${CAPSTAN_TIMEOUT_MS:=120000}"
    export CAPSTAN_TIMEOUT_MS
    timeout 60 "$capstan" up --root "$work/root" --servers 2 \
        >"$work/up" 2>&1 || { cat "$work/up"; exit 1; }
    eval "$("$capstan" env --root "$work/root")"
    run capstan:/ no-reopen
fi
[ "$ran" = 1 ] || skip "none of$missing"
