# SPDX-License-Identifier: BSD-3-Clause
# A cluster with a mount, for the scripts here. To be sourced by sh.
#
#   mount_up DIR [OPTION...]   mount the cluster; unmounted when the script ends
#   preloaded COMMAND...       run with the preload library
#   allocates PATH RUN...      storage can be set aside for a new file, run by RUN
#   keeps_old_times DIR RUN... times before 1970, in an empty directory
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

allocates() {
    file=$1
    shift
    "$@" touch "$file"
    before=$(du -sk "$root" | cut -f 1)
    "$@" fallocate -n -o 1M -l 8M "$file" || fail "fallocate keeping the size"
    [ "$("$@" stat -c %s "$file")" = 0 ] || fail "fallocate -n changed the size"
    after=$(du -sk "$root" | cut -f 1)
    # the names' files may have become smaller meanwhile
    [ $((after - before)) -ge 7000 ] ||
        fail "8 MiB set aside, and the devices hold $((after - before)) KiB more"
    "$@" python3 -c '
import os, sys
with open(sys.argv[1], "r+b") as f:
    f.write(b"here")
    f.flush()
    os.posix_fallocate(f.fileno(), 2, 1000)
    assert os.fstat(f.fileno()).st_size == 1002
    os.posix_fallocate(f.fileno(), 0, 10)
    assert os.fstat(f.fileno()).st_size == 1002
    assert os.pread(f.fileno(), 9, 0) == b"here" + bytes(5)
' "$file" || fail "posix_fallocate"
    rc=0
    "$@" fallocate -p -l 4096 "$file" 2>"$work/out" || rc=$?
    [ $rc != 0 ] && grep -q supported "$work/out" ||
        fail "a hole is not refused: $rc $(cat "$work/out")"
    "$@" rm "$file"
}

keeps_old_times() {
    dir=$1
    shift
    "$@" python3 -c '
import os, sys
os.chdir(sys.argv[1])
old = -315619200 * 10**9 + 250000000  # 1960
open("f", "w").close()
os.mkdir("d")
for name in "f", "d":
    os.utime(name, ns=(old + 1, old))
    info = os.stat(name)
    assert (info.st_atime_ns, info.st_mtime_ns) == (old + 1, old), info
    assert info.st_ctime_ns > 0, info
open("d/new", "w").close()
with open("f", "w") as f:
    f.write("now")
assert min(os.stat(name).st_mtime for name in ("f", "d")) > 10**9
os.utime("f", ns=(-10**9, -1))
assert os.stat("f").st_mtime_ns == -1, os.stat("f")
' "$dir" || fail "times before 1970"
}
