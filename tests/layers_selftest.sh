#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does tests/layers.sh find what it looks for? A small tree that keeps the rules
# passes; with one violation planted it fails and names file and kind.
set -eu

script=$top_srcdir/tests/layers.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

spdx='/* SPDX-License-Identifier: BSD-3-Clause */'
CC=${CC:-cc}
export CC

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

put() {
    mkdir -p "$dir/tree/$(dirname "$1")"
    cat >"$dir/tree/$1"
}

# A tree with one good file in each of some layers.
make_tree() {
    rm -rf "$dir/tree"
    for layer in base net proto store meta rpc server client tools mpiio; do
        printf '%s\n#include "base/a.h"\n' "$spdx" | put "src/$layer/b.c"
    done
    printf '%s\n#include "adio/common/a.h"\n' "$spdx" | put src/mpiio/b.c
    printf '%s\n#include <stdint.h>\ntypedef uint8_t octet;\n' "$spdx" |
        put src/base/a.h
    printf '%s\n#include "base/a.h"\n#include <rdma/fabric.h>\n' "$spdx" |
        put src/net/net_ofi_ep.c
    printf '%s\n/* not strcpy(3) */\nint a_strcpy(void);\n' "$spdx" |
        put adio/common/a.h
}

run() {
    top_srcdir=$dir/tree LAYERS_CFLAGS="-I$dir/tree -I$dir/tree/src" \
        sh "$script" >"$dir/out" 2>&1
}

# finds KIND FILE: stdin is planted as FILE, and found.
finds() {
    make_tree
    put "$2"
    if run; then
        fail "$1 in $2 was not found"
    fi
    grep -q "^$1: $2" "$dir/out" || fail "$1 in $2: $(cat "$dir/out")"
    [ "$(grep -c . "$dir/out")" = 1 ] || fail "$2: too much: $(cat "$dir/out")"
    echo "ok: $1 in $2"
}

# include HEADER: a source file that includes it.
include() {
    printf '%s\n#include %s\n' "$spdx" "$1"
}

make_tree
run || fail "a good tree was refused: $(cat "$dir/out")"

include '"net/net.h"' | finds layers src/base/x.c
include '"proto/msgs.h"' | finds layers src/net/x.c
include '"meta/names.h"' | finds layers src/store/x.c
include '"server/server.h"' | finds layers src/client/x.c
include '"client/session.h"' | finds layers src/server/x.c
include '"rpc/rpc.h"' | finds layers src/tools/x.c
include '"client/session.h"' | finds layers adio/ad_capstan/x.c
include '<capstan/file.h>' | finds layers adio/common/x.c
include '<capstan/file.h>' | finds layers src/mpiio/x.c
include '"adio/common/adio.h"' | finds layers src/client/x.c
include '"client/session.h"' | finds layers src/loader/x.c
include '"base/a.h"' | finds layers src/unheard-of/x.c
include '"../net/net.h"' | finds layers src/base/y.c
include '<rdma/fabric.h>' | finds vendors src/server/x.c
include '<liburing.h>' | finds vendors src/store/obj_mem.c
include '<rocksdb/c.h>' | finds vendors src/meta/names.c
include '<numa.h>' | finds vendors src/server/place.c
include '<mpi.h>' | finds vendors src/client/x.c
include '"ompi/file/file.h"' | sed 's/"\(.*\)"/<\1>/' |
    finds vendors adio/common/x.c
printf '%s\n#if OMPI_MAJOR_VERSION > 4\n#endif\n' "$spdx" |
    finds vendors src/mpiio/io.c
echo 'int x;' | finds licence src/base/x.c
printf '#!/bin/sh\necho\n' | finds licence tests/x.sh
printf '%s\nvoid f(char *a) { strcpy(a, "b"); }\n' "$spdx" |
    finds words src/base/x.c
printf '%s\n    sprintf (a, "b");\n' "$spdx" | finds words adio/common/x.c
printf '%s\nextern size_t x;\n' "$spdx" >"$dir/planted"
make_tree
put src/base/x.h <"$dir/planted"
run && fail "a header that does not compile alone was not found"
grep -q '^headers: src/base/x.h' "$dir/out" || fail "$(cat "$dir/out")"
echo "ok: headers in src/base/x.h"
