#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# capstan mount and umount: what they say and leave, and that several mounts,
# the preload library and the capstan program see each other's changes at once.
set -eu
. "$top_srcdir/tests/posix/lib.sh"
need_fuse

# says STATUS WORDS COMMAND...
says() {
    wanted=$1
    words=$2
    shift 2
    rc=0
    timeout 60 "$@" >"$work/out" 2>&1 || rc=$?
    [ "$rc" = "$wanted" ] || fail "$* ended with $rc: $(cat "$work/out")"
    [ -z "$words" ] || grep -qF -- "$words" "$work/out" ||
        fail "$* did not say '$words': $(cat "$work/out")"
}

cluster_up --servers 2
one=$work/one
two=$work/two

# --- what goes wrong ----------------------------------------------------------
says 1 "No such file" "$capstan" mount "$work/nowhere"
: >"$work/file"
says 1 "Not a directory" "$capstan" mount "$work/file"
mkdir "$one"
says 1 "/none: No such file" "$capstan" mount --cluster /none "$one"
sed 's/service: .*/service: "1"/' "$root/cluster.yaml" >"$work/away.yaml"
says 1 "target" "$capstan" mount --cluster "$work/away.yaml" --timeout 2 "$one"
says 1 "no Capstan mount" "$capstan" umount "$one"
! grep -q "$work" /proc/mounts || fail "something is mounted"

# --- a mount ------------------------------------------------------------------
mount_up "$one"
mount_up "$two"
grep -q "^capstan:[^ ]*/cluster.yaml $one fuse.capstan " /proc/mounts ||
    fail "not in /proc/mounts: $(grep "$one" /proc/mounts)"
says 1 "already there" "$capstan" mount --root "$root" "$one"

# --- at once, everywhere ------------------------------------------------------
preloaded sh -c 'mkdir /capstan/d && echo preload >/capstan/d/f' || fail preload
for i in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "$one/d" ] && [ -d "$two/d" ] || fail "a directory is not seen"
    echo "one $i" >"$one/d/f"
    [ "$(cat "$two/d/f")" = "one $i" ] || fail "two does not see what one wrote"
    [ "$(preloaded cat /capstan/d/f)" = "one $i" ] || fail "preload does not"
    echo "two, longer $i" >"$two/d/f"
    [ "$(stat -c %s "$one/d/f")" = $((13 + ${#i})) ] || fail "an old size"
    mv "$two/d/f" "$two/d/g"
    [ ! -e "$one/d/f" ] || fail "a renamed file is still there"
    "$capstan" get /d/g - | grep -q "two, longer $i" || fail "get"
    mv "$one/d/g" "$one/d/f"
    rm "$one/d/f"
    rmdir "$two/d"
    [ ! -e "$one/d" ] || fail "a removed directory is still there"
    mkdir "$one/d"
done

# A descriptor that stays open reads what another mount has written.
python3 - "$one/d/h" "$two/d/h" <<'PYTHON' || fail "descriptors that stay open"
import mmap, os, sys
a = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
b = os.open(sys.argv[2], os.O_RDWR)
for i in range(100):
    text = b"%06d" % i
    os.pwrite(a, text, i * 3000)
    assert os.pread(b, 6, i * 3000) == text, i
    assert os.fstat(b).st_size == i * 3000 + 6, os.fstat(b)
os.ftruncate(b, 4096)
m = mmap.mmap(a, 4096)
assert m[3000:3006] == b"000001", m[3000:3006]
m[0:4] = b"mmap"
m.flush()
assert os.pread(b, 4, 0) == b"mmap"
# removed while open: lives until the last close
os.unlink(sys.argv[1])
os.pwrite(a, b"still", 5)
assert os.pread(a, 5, 5) == b"still"
assert os.fstat(a).st_nlink == 0
# ... of several that have it open, whichever that is; and of a name that stood
# for other files before, which other threads of the daemon may still believe
for order in 20 * ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
    fds = [os.open(sys.argv[1] + "2", os.O_RDWR | os.O_CREAT) for i in range(3)]
    os.write(fds[0], b"three")
    os.unlink(sys.argv[1] + "2")
    for fd in order:
        assert os.pread(fds[fd], 5, 0) == b"three"
        os.close(fds[fd])
# directories, too, that are removed or replaced while they are open
for end in os.rmdir, lambda path: os.rename(sys.argv[1] + "4", path):
    os.mkdir(sys.argv[1] + "3", 0o750)
    os.mkdir(sys.argv[1] + "4")
    a = os.open(sys.argv[1] + "3", os.O_RDONLY)
    assert os.fstat(a).st_nlink >= 1
    end(sys.argv[1] + "3")
    assert os.fstat(a).st_nlink == 0 and os.fstat(a).st_mode & 0o777 == 0o750
    os.close(a)
    for path in "34":
        if os.path.exists(sys.argv[1] + path):
            os.rmdir(sys.argv[1] + path)
PYTHON

allocates "$one/room" timeout 60
mkdir "$one/old"
keeps_old_times "$one/old" timeout 60
TZ=UTC "$capstan" stat /old/f | grep -q "1969-12-31 23:59:59" ||
    fail "capstan stat: $("$capstan" stat /old/f)"

# --- names of directories that the kernel keeps for a moment ------------------
mkdir -p "$one/p/q/r"
echo deep >"$one/p/q/r/f"
before=$(counter requests)
python3 - "$one/p/q/r/f" >"$work/seconds" <<'PYTHON' || fail "stat"
import os, sys, time
begin = time.monotonic()
for i in range(300):
    os.stat(sys.argv[1])
print(int(time.monotonic() - begin) + 1)
PYTHON
asked=$(($(counter requests) - before))
# One request each, and every 0.1 s some for the directories.
[ $asked -le $((300 + 200 * $(cat "$work/seconds"))) ] ||
    fail "300 times stat took $asked requests in $(cat "$work/seconds") s"
for i in 1 2 3 4 5; do
    # another directory of the same name, made elsewhere
    rm -r "$two/p/q"
    mkdir -p "$two/p/q/r"
    echo "$i" >"$two/p/q/r/f"
    [ "$(cat "$one/p/q/r/f")" = "$i" ] || fail "an old directory is seen"
    [ -e "$one/p/q/r/none" ] && fail "a file that is not there"
done
(cd "$one/p/q/r" && rm f && rmdir "$one/p/q/r" && [ ! -e f ] && ! mkdir new &&
    ! echo x >new) 2>/dev/null || fail "a directory that was removed under us"
chmod 711 "$work"
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups \
    stat "$one/p" >/dev/null 2>&1; then
    mkdir -p "$one/p/q/r"
    echo secret >"$one/p/q/r/f"
    for i in 1 2 3 4 5; do
        setpriv --reuid 65534 --clear-groups cat "$one/p/q/r/f" >/dev/null ||
            fail "an open directory is closed"
        chmod 700 "$one/p"
        setpriv --reuid 65534 --clear-groups cat "$one/p/q/r/f" \
            >/dev/null 2>&1 && fail "a closed directory is open"
        chmod 755 "$one/p"
    done
else
    echo "without other users: not root, or $one is not for them"
fi

# --- large files, many entries ------------------------------------------------
head -c 9000001 /dev/urandom >"$work/big"
cp "$work/big" "$one/big"
cmp "$work/big" "$two/big" || fail "a big file came back changed"
python3 - "$one/many" <<'PYTHON' || fail "many entries"
import os, sys
os.mkdir(sys.argv[1])
for i in range(1500):
    os.close(os.open("%s/f%d" % (sys.argv[1], i), os.O_CREAT | os.O_WRONLY))
PYTHON
[ "$(ls "$two/many" | sort -u | wc -l)" = 1500 ] || fail "a listing is not whole"
rm -r "$two/many" || fail "rm -r"
[ "$(df --output=fstype "$one" | tail -n 1)" = fuse.capstan ] || fail df

# --- locks: between the programs of one mount, or none -----------------------
locked() {
    python3 - "$1" "$2" <<'PYTHON'
import fcntl, os, sys
def take(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fork() == 0: # locks of fcntl are a process's own
        other = os.open(path, os.O_RDWR)
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os._exit(0)
    return os.wait()[1]
first = take(sys.argv[1])
try:
    second = take(sys.argv[2])
except BlockingIOError:
    second = "busy"
except OSError as error:
    second = error.strerror
print(first, second)
PYTHON
}
[ "$(locked "$one/lock" "$one/lock")" = "0 busy" ] || fail "locks of one mount"
[ "$(locked "$one/lock" "$two/lock")" = "0 0" ] || fail "locks of two mounts"
mount_up "$work/three" --no-locks
[ "$(locked "$one/lock" "$work/three/lock")" = "0 No locks available" ] ||
    fail "locks that were to be refused"
"$capstan" umount "$work/three" || fail "umount"

# --- a daemon that was killed -------------------------------------------------
daemon=$(pgrep -f "capstan-fuse .*$one\$") || fail "no daemon"
kill -9 $daemon
until ! kill -0 $daemon 2>/dev/null || grep -q '^State:.Z' /proc/$daemon/status; do
    sleep 0.05
done
mount_up "$one"
[ -e "$one/big" ] || fail "a mount in place of a dead one"
daemon=$(pgrep -f "capstan-fuse .*$one\$")
kill -9 $daemon
says 0 "" "$capstan" umount "$one"

# --- the end ------------------------------------------------------------------
mount_up "$one"
daemon=$(pgrep -f "capstan-fuse .*$one\$")
exec 3<"$one/big"
says 1 "busy" "$capstan" umount "$one"
exec 3<&-
says 0 "" "$capstan" umount "$one"
! kill -0 $daemon 2>/dev/null || grep -q '^State:.Z' /proc/$daemon/status ||
    fail "the daemon outlives umount"
kill -TERM "$(pgrep -f "capstan-fuse .*$two\$")"
until ! grep -q "$two" /proc/mounts; do sleep 0.05; done
[ ! -s "$work/mount.log" ] || fail "the daemon said: $(cat "$work/mount.log")"

# --- servers that have gone ---------------------------------------------------
# What a program held is given up by then; the end does not wait for each file.
mount_up "$one" --timeout 2
mkfifo "$work/go"
python3 - "$one" "$work" <<'PYTHON' &
import os, sys
files = [os.open("%s/g%d" % (sys.argv[1], i), os.O_CREAT | os.O_RDWR)
         for i in range(100)]
for i in range(100):
    os.unlink("%s/g%d" % (sys.argv[1], i))
open(sys.argv[2] + "/held", "w").close()
open(sys.argv[2] + "/go").read()
PYTHON
python=$!
until [ -e "$work/held" ]; do
    kill -0 $python || fail "files that are removed while open"
    sleep 0.05
done
says 1 "busy" "$capstan" umount "$one"
for server in s1 s2; do kill -9 "$(server_pid $server)"; done
echo >"$work/go"
wait $python || fail "a program that held files"
says 0 "" "$capstan" umount "$one"
echo "ok: mount"
