# SPDX-License-Identifier: BSD-3-Clause
# A block device: `capstan format` refuses one that holds anything or is in use,
# unless told twice; a server mounts what it has made, and nothing else, keeps data
# there through kills, and lets it go when it stops.
. "$top_srcdir/tests/cluster/lib.sh"

[ "$(id -u)" = 0 ] || skip "block devices need root"
for program in losetup mkfs.ext4 mkfs.xfs; do
    PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null ||
        [ $program = mkfs.xfs ] || skip "no $program"
done
PATH=$PATH:/usr/sbin:/sbin
export PATH
truncate -s 512M "$work/image" "$work/image2"
device=$(losetup --show -f "$work/image" 2>"$work/text") ||
    skip "no loop device to be had: $(cat "$work/text")"
device2=
end_all() {
    "$capstan" down --root "$root" >/dev/null 2>&1
    umount "$work/other" "$root/s1/t1" 2>/dev/null
    losetup -d "$device"
    [ -z "$device2" ] || losetup -d "$device2"
    end
}
trap end_all EXIT
device2=$(losetup --show -f "$work/image2") || skip "no second loop device"

# says_no WHAT ARG...: format refuses and says so.
says_no() {
    what=$1
    shift
    timeout 60 "$capstan" format "$@" >"$work/text" 2>&1 &&
        fail "format $*: not refused"
    cat "$work/text"
    grep -q "$what" "$work/text" || fail "format $*: not '$what'"
}

# refused WHAT ARG...: and the image stays what it is.
refused() {
    sum=$(cksum <"$work/image")
    says_no "$@"
    [ "$(cksum <"$work/image")" = "$sum" ] || fail "format $* has written"
}

formats() {
    timeout 120 "$capstan" format "$@" >"$work/text" 2>&1 ||
        fail "format $*: $(cat "$work/text")"
    grep -q "ready for a target" "$work/text" || fail "format $*: no report"
}

refused "Block device required" "$work/image"
refused "No such file" /dev/capstan-is-not-there
refused "neither ext4 nor xfs" --type vfat "$device"
mkfs.ext4 -q -L precious "$device"
refused "holds ext4 with the label precious" "$device"
refused "holds ext4 with the label precious" --force "$device"
mkdir "$work/other"
mount "$device" "$work/other"
refused "in use" --force --force "$device"
umount "$work/other"
printf 'label: dos\n,100M\n' | sfdisk -q "$device" --wipe always >/dev/null 2>&1 &&
    refused "holds partitions (dos)" "$device"
wipefs -qa "$device"
dd if=/dev/zero of="$device" bs=1M count=2 conv=fsync 2>/dev/null
printf 'x' | dd of="$device" bs=1 seek=$((512 * 1024 * 1024 - 77)) \
    conv=notrunc,fsync 2>/dev/null
refused "no kind that is known" "$device"
refused "no kind that is known" --force "$device"
formats --force --force "$device"
refused "holds ext4 with the label capstan" "$device"
formats "$device2"
if command -v mkfs.xfs >/dev/null && grep -q xfs /proc/filesystems; then
    formats --force --force --type xfs "$device2"
fi

# A cluster whose one target names a device.
cluster_up --servers 1 --targets 1
"$capstan" down --root "$root" >/dev/null || fail "down"
with_device() {
    sed -i "/^ *device:/d; s|^\( *\)directory: .*|&\n\1device: $1|" \
        "$root/cluster.yaml"
}
mounted() {
    [ "$(stat -c %d "$root/s1/t1")" = "$(($(stat -c '0x%t * 256 + 0x%T' "$1")))" ]
}
# no_start WHAT: the server refuses, and says so.
no_start() {
    timeout 60 "$capstan" up --root "$root" >"$work/text" 2>&1 &&
        fail "the server has started"
    cat "$work/text"
    grep -q "$1" "$work/text" || fail "not '$1'"
    ! mounted "$device" || fail "mounted all the same"
}
with_device "$device"
no_start "which is not empty" # the target that was there without a device
rm -r "$root/s1/t1"
with_device /dev/capstan-is-not-there
no_start "no such device"
with_device "$work/image"
no_start "Block device required"
mkfs.ext4 -q -F -L other "$device"
with_device "$device"
no_start "was not made by"
formats --force --force "$device"

head -c 20000000 /dev/urandom >"$work/data"
for try in 1 2; do
    cluster_up --servers 1 --targets 1
    mounted "$device" || fail "not mounted"
    "$capstan" put "$work/data" "/data$try" || fail "put"
    says_no "in use" --force --force "$device" # the server writes to it
    kill -9 "$(server_pid s1)"
    cluster_up --servers 1 --targets 1
    mounted "$device" || fail "not mounted after a kill"
    "$capstan" get "/data1" - | cmp - "$work/data" || fail "lost by a kill"
    "$capstan" down --root "$root" >/dev/null || fail "down"
    [ $try = 2 ] || umount "$root/s1/t1" 2>/dev/null
done
# The first server was killed, so the second found the device mounted: it stays
# so. One that has mounted it itself unmounts it.
umount "$root/s1/t1" 2>/dev/null
cluster_up --servers 1 --targets 1
"$capstan" get /data2 - | cmp - "$work/data" || fail "lost"
"$capstan" scrub || fail "scrub"
"$capstan" down --root "$root" >/dev/null || fail "down"
! mounted "$device" || fail "still mounted"
[ -z "$(ls -A "$root/s1/t1")" ] || fail "something lies under the mount"

# The file system meets an error and becomes read-only under its server.
trigger=/sys/fs/ext4/${device#/dev/}/trigger_fs_error
cluster_up --servers 1 --targets 1
if [ -w "$trigger" ]; then
    pid=$(server_pid s1)
    echo planted >"$trigger"
    tries=0
    while timeout 60 "$capstan" put "$work/data" /none 2>"$work/text"; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || fail "a read-only device takes all"
    done
    cat "$work/text"
    grep -qE "Read-only file system|Input/output error" "$work/text" ||
        fail "no clear text"
    for i in 1 2; do # what is there is read on
        rm -f "$work/a"
        timeout 60 "$capstan" get /data$i "$work/a" || fail "get, read-only"
        cmp "$work/a" "$work/data" || fail "wrong bytes"
    done
    kill -0 "$pid" || fail "the server died"
fi
"$capstan" down --root "$root" >/dev/null || fail "down"
! mounted "$device" || fail "still mounted after an error"
e2fsck -fy "$device" >"$work/text" 2>&1 || [ $? -eq 1 ] ||
    fail "e2fsck: $(cat "$work/text")"
cluster_up --servers 1 --targets 1
"$capstan" get /data2 - | cmp - "$work/data" || fail "lost by an error"
"$capstan" fsck || fail "fsck"
"$capstan" down --root "$root" >/dev/null || fail "down"

# The other file system, through another target directory.
with_device "$device2"
cluster_up --servers 1 --targets 1
mounted "$device2" || fail "not mounted"
"$capstan" put "$work/data" /data || fail "put"
"$capstan" get /data - | cmp - "$work/data" || fail "get"
echo "formatted, refused, mounted, killed and unmounted"
