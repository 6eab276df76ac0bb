#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Ordinary programs on a mount: cp -a, tar, rsync, find, git, sqlite3, python,
# and a program that is executed from it.
set -eu
. "$top_srcdir/tests/posix/lib.sh"
need_fuse
need tar rsync find git sqlite3 python3 diff

cluster_up --servers 2
mount_up "$work/m"
src=$work/src
mkdir -p "$src/a/b"
for i in 1 2 3; do
    head -c $((i * 100000)) /dev/urandom >"$src/a/f$i"
done
ln -s f1 "$src/a/link"
ln "$src/a/f2" "$src/a/b/hard"
chmod 750 "$src/a/b"
touch -d '2001-02-03 04:05:06.789' "$src/a/f3"
cd "$work/m"

cp -a "$src" cp
diff -r --no-dereference "$src" cp || fail "cp -a"
[ "$(stat -c '%y %a' cp/a/f3)" = "$(stat -c '%y %a' "$src/a/f3")" ] ||
    fail "cp -a: $(stat cp/a/f3)"
[ "$(stat -c %h cp/a/f2)" = 2 ] && [ "$(stat -c %a cp/a/b)" = 750 ] ||
    fail "cp -a: links or modes"

tar cf t.tar -C "$work" src
mkdir x
tar xf t.tar -C x
diff -r --no-dereference "$src" x/src || fail "tar"
tar cf - x | tar tf - | grep -q x/src/a/f3 || fail "tar of the mount"

rsync -a --delete "$src/" rs/
echo more >>"$src/a/f1"
rm "$src/a/f3"
rsync -a --delete "$src/" rs/
diff -r --no-dereference "$src" rs || fail "rsync"

[ "$(find cp -type f | wc -l)" = 4 ] || fail "find -type f"
[ "$(find . -name link -type l | wc -l)" = 3 ] || fail "find -name"

export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e
export GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
git init -q "$work/repo" 2>/dev/null
for i in 1 2 3 4 5; do
    mkdir "$work/repo/d$i"
    cp "$src/a/f1" "$work/repo/d$i/g$i"
    echo "$i" >>"$work/repo/log"
    git -C "$work/repo" add -A
    git -C "$work/repo" commit -qm "$i"
done
git clone -q "$work/repo" clone 2>"$work/git.log" ||
    fail "git clone: $(cat "$work/git.log")"
git -C clone fsck --full >"$work/git.log" 2>&1 ||
    fail "git fsck: $(cat "$work/git.log")"
echo new >clone/new
git -C clone add new
git -C clone commit -qm new
git -C clone gc -q
git -C clone fsck --full >/dev/null 2>&1 || fail "git fsck after gc"
[ -z "$(git -C clone status --short)" ] || fail "git status"

sqlite3 db "create table t(a, b);
    with recursive c(x) as (select 1 union all select x + 1 from c
        where x < 2000) insert into t select x, hex(randomblob(50)) from c;
    delete from t where a % 3 = 0; vacuum;"
[ "$(sqlite3 db 'pragma integrity_check; select count(*) from t;')" = "ok
1334" ] || fail "sqlite3"
[ "$(sqlite3 db 'pragma journal_mode = wal; insert into t values (1, 2);
    pragma integrity_check;')" = "wal
ok" ] || fail "sqlite3 with a write-ahead log in shared memory"

python3 - <<'PYTHON' || fail python
import mmap, os, tempfile, zipfile
with tempfile.TemporaryDirectory(dir=".") as d:
    path = os.path.join(d, "f")
    with open(path, "wb") as f:
        f.write(b"x" * 100000)
    with open(path, "r+b") as f:
        with mmap.mmap(f.fileno(), 0) as m:
            m[5:8] = b"abc"
    assert open(path, "rb").read()[4:9] == b"xabcx"
    with zipfile.ZipFile(os.path.join(d, "z.zip"), "w") as z:
        z.write(path)
    assert zipfile.ZipFile(os.path.join(d, "z.zip")).testzip() is None
    with open(path, "ab") as f:
        f.write(b"tail")
    assert os.path.getsize(path) == 100004
PYTHON

cp "$(command -v ls)" myls
./myls / >/dev/null || fail "a program on the mount"
cd /
rm -r "$work/m/cp" "$work/m/clone" || fail "rm -r"
echo "ok: tools"
