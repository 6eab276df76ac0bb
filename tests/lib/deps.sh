# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the build and the tests need of Debian 12, and how it gets there. To be
# sourced by bash.
#
#   deps_missing   print those packages that are not installed
#   deps_install   install them; says what it does, and nothing if none is missing
#
# Root, or sudo, is needed only when something is missing. Where there is no apt
# nothing is installed: configure then names each thing that it does not find.

DEPS_PACKAGES=(
    # the build
    autoconf automake libtool pkg-config gcc libc6-dev make xz-utils
    clang libclang-rt-14-dev
    # what Capstan stands on
    libopenmpi-dev openmpi-bin libfabric-dev liburing-dev libnuma-dev
    librocksdb-dev libisal-dev libcyaml-dev libyaml-dev uthash-dev libxxhash-dev
    libfuse3-dev fuse3 libblkid-dev
    # the tests: unit tests, MPI programs in C, Python and Fortran, HDF5 and
    # PnetCDF over MPI-IO, cut links between network namespaces
    libcunit1-dev python3 python3-mpi4py python3-numpy
    libhdf5-openmpi-dev libpnetcdf-dev python3-h5py-mpi gfortran
    iproute2 procps
    # instructions of operations
    valgrind
    # devices of files, formatted
    e2fsprogs mount
    # the wheel, the training run, README's Python
    python3-setuptools python3-wheel python3-pip python3-torch python3-sklearn
    # programs on a mount
    git rsync sqlite3
)

deps_missing() {
    local package
    for package in "${DEPS_PACKAGES[@]}"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed || printf '%s\n' "$package"
    done
}

# deps_root COMMAND...: run as root, by sudo if need be.
deps_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
    elif [ -t 0 ]; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
    fi
}

# deps_known PACKAGE...: do the package lists on this machine have them all?
deps_known() {
    local package
    for package in "$@"; do
        apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1
    done
}

deps_update() {
    echo "deps: apt-get update"
    deps_root apt-get -qq update
}

deps_get() {
    deps_root apt-get -qq -o Dpkg::Use-Pty=0 -o APT::Color=0 install -y \
        --no-install-recommends "$@" >/dev/null
}

deps_install() {
    local missing
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "deps: not a Debian system; configure will name what is missing"
        return 0
    fi
    mapfile -t missing < <(deps_missing)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "deps: neither root nor sudo; as root, run:" >&2
        echo "  apt-get install ${missing[*]}" >&2
        return 1
    fi
    if ! deps_known "${missing[@]}"; then
        deps_update || return 1
    fi
    echo "deps: apt-get install ${missing[*]}"
    deps_get "${missing[@]}" && return 0
    echo "deps: that failed; once more with fresh package lists"
    deps_update && deps_get "${missing[@]}"
}
