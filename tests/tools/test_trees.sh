#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# capstan cp, find and du on a tree of every kind of file, against what cp, find
# and du say of the same tree here.
set -eu
. "$top_srcdir/tests/cluster/lib.sh"

refuses() { # STATUS WORDS COMMAND...
    wanted=$1 words=$2 rc=0
    shift 2
    timeout 120 "$capstan" "$@" >"$work/said" 2>&1 || rc=$?
    [ "$rc" = "$wanted" ] ||
        fail "$* ended with $rc, not $wanted: $(cat "$work/said")"
    grep -qF -- "$words" "$work/said" ||
        fail "$* did not say '$words': $(cat "$work/said")"
}

cap() {
    timeout 120 "$capstan" "$@" || fail "$*"
}

# What a tree is: type, mode, size, time, name, where a link leads; and bytes.
picture() {
    (cd "$1" && find . -type d -printf '%y %m %T@ %p\n' -o \
        -printf '%y %m %s %T@ %p %l\n' | sort &&
        find . -type f -exec md5sum {} + | sort -k 2)
}

cluster_up --servers 2
tree=$work/tree
mkdir -p "$tree/a/b/c" "$tree/locked" "$tree/empty dir"
head -c 9000001 /dev/urandom >"$tree/a/big"
head -c 4194304 "$tree/a/big" >"$tree/a/b/chunk"
: >"$tree/a/none"
for i in $(seq 300); do echo "$i" >"$tree/a/b/c/f$i"; done
echo secret >"$tree/locked/file"
echo "a name" >"$tree/with 'quotes' and a *"
ln -s a/big "$tree/link"
ln -s /nowhere "$tree/dangling"
ln "$tree/a/none" "$tree/other name"
mkfifo "$tree/fifo"
chmod 4711 "$tree/a/b/chunk"
chmod 500 "$tree/locked"
touch -d 2001-02-03T04:05:06.789 "$tree/a/big" "$tree/a/b" "$tree/locked"

# --- there, within, and back --------------------------------------------------
cap cp -rp "$tree" capstan:/t
cap cp -rp --jobs 3 capstan:/t capstan:/within
cap cp -rp capstan:/within "$work/back"
picture "$tree" >"$work/before"
picture "$work/back" >"$work/after"
diff "$work/before" "$work/after" || fail "the tree came back changed"
cap cp -r capstan:/t/a capstan:/t/link "$work/back/locked"
cmp "$tree/a/big" "$work/back/locked/a/big" || fail "into a directory"
[ -L "$work/back/locked/link" ] || fail "a link was followed"
cap cp capstan:/t/link "$work/followed"
cmp "$tree/a/big" "$work/followed" || fail "a link was not followed"
cap cp capstan:/t/a/big capstan:/t/a/none capstan:/t/a/b
cap cp capstan:/t/a/b/big - | cmp - "$tree/a/big" || fail "to a stream"
echo streamed | cap cp - capstan:/streamed
[ "$(cap cp capstan:/streamed -)" = streamed ] || fail "from a stream"
[ "$(cap cp capstan:/t/fifo capstan:/streamed capstan:/within -r &&
    cap stat --json /within/fifo | grep -c fifo)" -ge 1 ] || fail "a pipe"
cap cp -n capstan:/t/a/big capstan:/streamed
[ "$(cap cp capstan:/streamed -)" = streamed ] || fail "no-clobber clobbers"
echo "ok: copies"

# --- what is refused ----------------------------------------------------------
refuses 2 "neither side" cp "$tree/a/big" "$work/x"
refuses 2 "of one side" cp "$tree/a/big" capstan:/t/a/big capstan:/within
refuses 1 "is a directory; -r" cp "$tree" capstan:/x
refuses 1 "is not a directory" cp capstan:/t/a/big capstan:/t/a/none \
    capstan:/nodir
refuses 1 "is the file that was" cp capstan:/t/a/big capstan:/t/a/../a/big
refuses 1 "is the file that was" cp capstan:/t/link capstan:/t/a/big
cap cp capstan:/t/a/big - | cmp - "$tree/a/big" || fail "a file was emptied"
refuses 1 "is what this copy makes" cp -r capstan:/t capstan:/t/a/b
# The rest is copied all the same.
refuses 1 "No such file" cp capstan:/none capstan:/t/a/big capstan:/within
cap stat /within/big >"$work/said"
refuses 1 "No space left" cp capstan:/t/a/big /dev/full
echo "ok: refusals"

# --- find ---------------------------------------------------------------------
# same EXPRESSION...: the same names as find(1).
same() {
    (cd "$work/found" && find t "$@") | sort >"$work/oracle"
    cap find /t "$@" | sed 's,^/,,' | sort >"$work/said"
    diff "$work/oracle" "$work/said" || fail "find $*"
    [ -s "$work/oracle" ] || fail "find $* finds nothing"
}
cap rm -r /t
cap cp -rp "$tree" capstan:/t
mkdir "$work/found"
cp -a "$tree" "$work/found/t"
same -name '*'
same -name 'f1*' -type f
same -iname 'F2*'
same ! -type f
same -type l -o -type p
same -path '*/b/*' -name 'f*' ! -name '*1*' -size 4c
same ! -type d -size +1M
same ! -type d -size -2
same '(' -name big -o -name none ')' -size 0
same -mtime +1000
same -mmin -100
same -maxdepth 1
same -mindepth 2 -maxdepth 3 -type d
same -links 1 -name big
same -type f -a -size +0 -a -not -name 'f*'
cap find /t -name '*quotes*' -print0 | tr '\0' '\n' >"$work/said"
[ "$(cat "$work/said")" = "/t/with 'quotes' and a *" ] || fail "-print0"
cap find /t --json -name big | python3 -c '
import json, sys
(found,) = json.load(sys.stdin)
assert found["path"] == "/t/a/big" and found["size"] == 9000001, found
assert found["type"] == "file" and found["mode"] == "0644", found' ||
    fail "find --json"
refuses 2 "no such test" find /t -frob
refuses 2 "an argument is missing" find /t -name
refuses 2 "is no argument" find /t -size 1x
refuses 2 "')' is missing" find /t '(' -name x
refuses 2 "a test is missing" find /t -name x -o
refuses 2 "has no '('" find /t -name x ')'
refuses 1 "No such file" find /none
refuses 0 "-name" find --help
echo "ok: find"

# --- du -----------------------------------------------------------------------
# Sizes of files alone: what directories and links take is each system's own.
[ "$(cap du -s /t | cut -f 1)" = "$(find "$tree" -printf '%i %y %s\n' | sort -u |
    awk '$2 != "d" { sum += $3 } END { print sum }')" ] || fail "du -s"
[ "$(cap du -a /t | grep -c /f)" -ge 300 ] || fail "du -a"
[ "$(cap du /t | tail -n 1 | cut -f 2)" = /t ] || fail "the sum is last"
[ "$(cap du -d 1 /t | wc -l)" = 4 ] || fail "du -d 1"
cap du -sh /t/a | grep -q "12.6 MiB" || fail "du -h: $(cap du -sh /t/a)"
cap du -c /t/a /t/locked | tail -n 1 | grep -q total || fail "du -c"
cap du --json -s /t/a | python3 -c '
import json, sys
(found,) = json.load(sys.stdin)
assert found["path"] == "/t/a" and found["files"] == 303, found' ||
    fail "du --json"
refuses 0 "human-readable" du --help
refuses 1 "No such file" du /none
echo "ok: du"
