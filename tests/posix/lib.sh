# SPDX-License-Identifier: BSD-3-Clause
# A cluster with a mount, for the scripts here. To be sourced by sh.
#
#   mount_up DIR [OPTION...]   mount the cluster; unmounted when the script ends
#   preloaded COMMAND...       run with the preload library
#   need_fuse, need PROGRAM... skip where they are missing
#
# And what tests/cluster/lib.sh gives.
. "$top_srcdir/tests/cluster/lib.sh"

mounts=
preload=$top_builddir/src/posix/.libs/libcapstan_posix.so

end_mounts() {
    for mounted in $mounts; do
        "$capstan" umount "$mounted" >/dev/null 2>&1 || : # it may be gone
    done
    end
}
trap end_mounts EXIT

need_fuse() {
    [ -c /dev/fuse ] || skip "no /dev/fuse on this machine"
    [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse is not for us"
}

need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "no $program on this machine"
    done
}

mount_up() {
    mkdir "$1" 2>/dev/null || : # it may be there, even as a dead mount
    timeout 60 "$capstan" mount --root "$root" --log "$work/mount.log" "$@" ||
        fail "capstan mount $1"
    mounts="$mounts $1"
}

preloaded() {
    LD_PRELOAD=$preload timeout "${CAPSTAN_TEST_TIMEOUT:-120}" "$@"
}
