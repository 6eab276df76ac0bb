#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The preload library: shells, python, descriptors over dup, fork and exec,
# streams, the working directory; and that what it cannot do is refused.
set -eu
. "$top_srcdir/tests/posix/lib.sh"
need bash python3
cluster_up --servers 2

preloaded bash -c '
    set -e
    echo one >/capstan/x
    echo two >>/capstan/x
    { echo three; date >/dev/null; /bin/echo four; } >>/capstan/x
    cat /capstan/x | tr "\n" " "
    cat </capstan/x | wc -l
    mkdir /capstan/dir
    cd /capstan/dir
    pwd
    /bin/pwd
    cp ../x y
    mv y z
    ln -s z link
    cat link | wc -c
    ls | tr "\n" " "
    ls /capstan/../capstan/dir/. | wc -l
    cd /
    rm -r /capstan/dir
    ls /capstan' >"$work/out" 2>&1 || fail "bash: $(cat "$work/out")"
diff - "$work/out" <<'TEXT' || fail "bash said otherwise"
one two three four 4
/capstan/dir
/capstan/dir
19
link z 2
x
TEXT

# Who asks no server does not load the fabric, nor wait for what it brings along.
# One cat that does and one that does not.
preloaded cat /proc/self/maps | grep -q libcapstan || fail "not preloaded"
! preloaded cat /proc/self/maps | grep libfabric || fail "fabric loaded in vain"
preloaded cat /capstan/x /proc/self/maps | grep -q libfabric ||
    fail "fabric not loaded"

preloaded python3 - <<'PYTHON' || fail python
import ctypes, errno, fcntl, mmap, os, shutil, subprocess, tempfile

def refused(code, call, *args):
    try:
        call(*args)
    except OSError as e:
        assert e.errno == code, (call, e)
    else:
        assert False, "%s is not refused" % call

data = os.urandom(300000)
with open("/capstan/f", "wb") as f:
    f.write(data)
assert open("/capstan/f", "rb").read() == data
assert os.stat("/capstan/f").st_size == len(data)
with open("/capstan/f", "rb") as f:
    assert mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)[:] == data
    refused(errno.ENODEV, mmap.mmap, f.fileno(), 0, mmap.MAP_SHARED,
            mmap.PROT_READ)
    refused(errno.ENOTTY, fcntl.ioctl, f.fileno(), 0x5401, b" " * 60)
    refused(errno.ENOLCK, fcntl.lockf, f.fileno(), fcntl.LOCK_SH)
    refused(errno.ENOSYS, fcntl.flock, f.fileno(), fcntl.LOCK_SH)
    assert os.sendfile(1, f.fileno(), 0, 0) == 0
refused(errno.ENOENT, os.stat, "/capstan/none")
refused(errno.EXDEV, os.rename, "/capstan/f", "/tmp/f")
refused(errno.EXDEV, os.link, "/etc/passwd", "/capstan/p")

# copies of a descriptor share an offset, also with children
fd = os.open("/capstan/g", os.O_RDWR | os.O_CREAT)
two = os.dup(fd)
os.write(fd, b"abc")
os.write(two, b"def")
if os.fork() == 0:
    os.write(fd, b"child")
    os._exit(0)
os.wait()
subprocess.run(["sh", "-c", "echo exec"], stdout=fd, check=True)
os.write(two, b"end")
os.lseek(fd, 0, 0)
assert os.read(fd, 99) == b"abcdefchildexec\nend", os.pread(fd, 99, 0)
os.unlink("/capstan/g")
assert os.pread(fd, 3, 0) == b"abc"
os.close(two)
os.close(fd)

shutil.copyfile("/capstan/f", "/capstan/h")
assert open("/capstan/h", "rb").read() == data
# ... by number, as programs do that their C library is too old for
number = {"x86_64": 326, "aarch64": 285}.get(os.uname().machine)
if number:
    with open("/capstan/f") as f, open("/capstan/h2", "w") as h:
        done = ctypes.CDLL(None).syscall(
            ctypes.c_long(number), ctypes.c_long(f.fileno()), None,
            ctypes.c_long(h.fileno()), None, ctypes.c_long(len(data)),
            ctypes.c_long(0))
    assert done == len(data), done
    assert open("/capstan/h2", "rb").read() == data
with tempfile.NamedTemporaryFile(dir="/capstan") as t:
    t.write(b"x")
os.makedirs("/capstan/t/u/v")
open("/capstan/t/u/v/w", "w").write("w")
assert [x[2] for x in os.walk("/capstan/t")] == [[], [], ["w"]]
assert os.path.realpath("/capstan/t/u/../u/v") == "/capstan/t/u/v"
os.chdir("/capstan/t")
assert os.getcwd() == "/capstan/t" and os.path.exists("u/v/w")
# out again, by whatever way
os.chdir("../../usr")
assert os.getcwd() == "/usr" and os.path.exists("bin")
os.chdir("/capstan/t")
root = os.open("/", os.O_RDONLY)
os.fchdir(root)
assert os.getcwd() == "/" and os.path.exists("usr/bin")
# a child of vfork must not take its parent along
refused(errno.EPERM, lambda: subprocess.run(["true"], cwd="/capstan/t"))
assert os.getcwd() == "/"
os.chdir("/capstan/t")
assert subprocess.check_output(["/bin/pwd"], cwd="/usr") == b"/usr\n"
assert os.getcwd() == "/capstan/t"
os.chdir("/usr")
assert os.getcwd() == "/usr" and not os.path.exists("u")
shutil.rmtree("/capstan/t")
PYTHON

allocates /capstan/room preloaded
preloaded mkdir /capstan/old
keeps_old_times /capstan/old preloaded

# No name is no place, whatever lies behind the prefix.
mkdir -p "$work/behind/d"
CAPSTAN_PREFIX=$work/behind preloaded python3 - "$work/behind/d" <<'PYTHON' ||
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
try:
    os.chdir("")
    sys.exit("chdir to no name")
except FileNotFoundError:
    pass
assert os.getcwd() == sys.argv[1]
open("here", "w").close()
assert os.listdir(sys.argv[1]) == ["here"]
os.unlink("here")
os.rmdir(sys.argv[1])
PYTHON
    fail "no name"
[ -d "$work/behind/d" ] || fail "the local directory is gone"

# Another prefix; the local directory is then what it is.
CAPSTAN_PREFIX=/data/set preloaded sh -c 'cat /data/set/x' >"$work/out" ||
    fail "CAPSTAN_PREFIX"
grep -q four "$work/out" || fail "CAPSTAN_PREFIX: $(cat "$work/out")"
CAPSTAN_CLUSTER=/none preloaded cat /capstan/x >"$work/out" 2>&1 &&
    fail "no cluster, and yet it reads"
grep -q "/none" "$work/out" || fail "the cause is not said: $(cat "$work/out")"
# --- closing waits for the device, or not -------------------------------------
write_files() {
    before=$(counter requests)
    export CAPSTAN_LAZY="$1"
    preloaded python3 -c '
for i in range(60):
    with open("/capstan/lazy'"$1"'.%d" % i, "wb") as f:
        f.write(b"bytes" * 100)' || fail "lazy $1"
    echo $(($(counter requests) - before))
}
waits=$(write_files 0)
lazy=$(write_files 1)
[ "$lazy" -le $((waits - 60)) ] ||
    fail "closing lazily costs $lazy requests, else $waits"
[ "$(preloaded cat /capstan/lazy1.59 | wc -c)" = 500 ] || fail "lazily written"

echo "ok: preload"
