#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Random operations against a local directory: on a mount, and with the preload
# library. SEEDS (100) of each; FIRST is where they begin. All of them run in one
# process on one mount, and the servers keep their files in memory: it is answers
# that are compared here, and closing a file waits for the device.
set -eu
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "$top_srcdir/tests/posix/lib.sh"
CAPSTAN_TEST_TIMEOUT=3600

model=$top_builddir/tests/posix/model
seeds=${SEEDS:-100}
first=${FIRST:-1}
mkdir "$work/oracle"
"$model" "$work" "$work/oracle" "$first" 5 >/dev/null || fail "two local trees"

cluster_up --servers 2
begin=$(date +%s)
preloaded "$model" /capstan "$work/oracle" "$first" "$seeds" || fail preload
echo "preload: $(($(date +%s) - begin)) s"
begin=$(date +%s)
if [ -w /dev/fuse ]; then
    mount_up "$work/m"
    timeout 3600 "$model" "$work/m" "$work/oracle" "$first" "$seeds" || fail mount
    echo "mount: $(($(date +%s) - begin)) s"
else
    echo "without a mount: no /dev/fuse"
fi
