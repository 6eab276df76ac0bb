#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does the tree keep its own rules? Prints each line that does not.
#
#   layers    a directory includes only from those below it (`layers`)
#   vendors   an outside library is seen in one place only (`vendors`)
#   licence   each source file and script begins with its SPDX line
#   words     no call that cannot know the size of what it writes (`banned`);
#             tests may, for they run under AddressSanitizer
#   headers   each header compiles alone
#
# The tables say what is allowed; tests/layers_selftest.sh plants a violation of
# each kind and looks that it is found. $top_srcdir names the tree, $top_builddir
# one with config.h, $CC and $LAYERS_CFLAGS how to compile.
set -eu

cd "$top_srcdir"

# Directory, then what it may include: directories below src/ (base, net, ...),
# below the top (adio/common), or `capstan` for include/capstan.
layers='
src/base       base
src/net        base net
src/proto      base proto
src/store      base store
src/meta       base meta
src/rpc        base net proto rpc
src/server     base net proto rpc store meta server
src/client     base net proto rpc client capstan
src/tools      base tools loader capstan
src/posix      base posix capstan
src/loader     base loader
src/mpiio      base adio mpiio
adio/common    base adio/common
adio/ad_null   base adio/common adio/ad_null
adio/ad_posix  base adio/common adio/ad_posix
adio/ad_capstan base adio/common adio/ad_capstan capstan
include/capstan capstan
benchmarks     base proto net rpc store adio benchmarks loader capstan
'

# Header or directory of headers, then the files that may include it.
vendors='
rdma/          src/net/net_ofi benchmarks/fabric
liburing.h     src/store/.*_uring[.]
rocksdb/       src/meta/kv_rocksdb[.]c
numa.h         src/base/numa
blkid/         src/base/device_blkid[.]c
cyaml/         src/rpc/cluster_yaml[.]c
yaml.h         src/rpc/cluster_where[.]c
hdf5.h         src/loader/index_hdf5[.]c src/loader/source_hdf5[.]c tests/
fuse           src/posix/fuse_
ompi/          src/mpiio/
opal/          src/mpiio/
orte/          src/mpiio/
ompi_config.h  src/mpiio/
mpi.h          adio/ src/mpiio/ src/loader/ include/capstan/loader[.]h include/capstan/tensors[.]h tests/ benchmarks/
'

banned='alloca|asctime|ctime|gets|mktemp|sprintf|strcat|strcpy|strtok|tmpnam|vsprintf'

# report KIND: print the violations on stdin.
report() {
    sed "s/^/$1: /"
}

sources() {
    find src adio include benchmarks tests -type f "$@" \
        ! -path '*/build/*' 2>/dev/null | sort
}

# file:line:header, with < or " before the header.
includes() {
    sources -name '*.[ch]' | xargs grep -nE '^[ 	]*#[ 	]*include' /dev/null |
        sed -n 's/^\([^:]*:[0-9]*\):[^<"]*\([<"]\)\([^>"]*\).*/\1:\2\3/p'
}

check_layers() {
    includes | awk -F: -v table="$layers" '
        BEGIN {
            n = split(table, rows, "\n")
            for (i = 1; i <= n; i++) {
                m = split(rows[i], word, " ")
                for (j = 2; j <= m; j++)
                    allowed[word[1], word[j]] = 1
                if (m > 0) { is_layer[word[1]] = 1; layer[++count] = word[1] }
            }
        }
        # The layer a file lies in: below src, and where the table has it, two
        # directories; else the first.
        function layer_of(file,    part) {
            split(file, part, "/")
            if (part[1] == "src" || (part[1] "/" part[2]) in is_layer)
                return part[1] "/" part[2]
            return part[1]
        }
        # What a header belongs to, in the words of the table; "" if not ours.
        function home_of(name,    part, k) {
            # They declare src/loader, which stands beside the storage.
            if (name == "capstan/loader.h" || name == "capstan/tensors.h")
                return "loader"
            split(name, part, "/")
            if (part[1] == "adio" || part[1] == "src")
                return part[1] == "src" ? part[2] : part[1] "/" part[2]
            if (part[1] == "capstan" || part[1] == "benchmarks")
                return part[1]
            return (("src/" part[1]) in is_layer) ? part[1] : ""
        }
        {
            from = layer_of($1)
            name = substr($3, 2)
            to = home_of(name)
            if (index(name, "..") > 0 && from != "tests")
                print $1 ":" $2 ": " name ": includes go by name, not by .."
            else if (substr(from, 1, 4) == "src/" && !(from in is_layer))
                print $1 ":" $2 ": " from " has no row in the table of layers"
            else if ((from in is_layer) && to != "" &&
                     !((from, to) in allowed) &&
                     !(to ~ /^adio\// && ((from, "adio") in allowed)))
                print $1 ":" $2 ": " from " includes " name
        }' | report layers
}

check_vendors() {
    includes | awk -F: -v table="$vendors" '
        BEGIN {
            n = split(table, rows, "\n")
            for (i = 1; i <= n; i++) {
                m = split(rows[i], word, " ")
                if (m == 0)
                    continue
                vendor[++count] = word[1]
                for (j = 2; j <= m; j++)
                    place[count] = place[count] (j > 2 ? "|" : "^(") word[j]
                place[count] = place[count] ")"
            }
        }
        substr($3, 1, 1) == "<" {
            name = substr($3, 2)
            for (i = 1; i <= count; i++)
                if (index(name, vendor[i]) == 1 && $1 !~ place[i])
                    print $1 ":" $2 ": <" name "> does not belong here"
        }' | report vendors
    sources -name '*.[ch]' ! -path src/mpiio/mca_compat.h |
        xargs grep -nE 'O(MPI|PAL)_(MAJOR|MINOR)_VERSION' /dev/null |
        sed 's/$/ (only in src\/mpiio\/mca_compat.h)/' | report vendors
}

check_licence() {
    { sources \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.am' \
        -o -perm -100 \) ! -name '*.pyc'; ls configure.ac Makefile.am autogen.sh \
        .ci/run 2>/dev/null || :; } |
        while read -r file; do
            sed -n '1{/^#!/{n;};p;q;}' "$file" |
                grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
                echo "$file: no SPDX line"
        done | report licence
}

check_words() {
    sources -name '*.[ch]' ! -path 'tests/*' |
        xargs grep -nE "(^|[^A-Za-z0-9_])($banned) *\\(([^0-9]|\$)" /dev/null |
        report words
}

compile_alone() {
    flags=$LAYERS_CFLAGS
    case $1 in
    src/mpiio/*) flags="$flags ${LAYERS_OMPI_CFLAGS-}" ;;
    esac
    # shellcheck disable=SC2086
    printf '#include "%s"\n' "$PWD/$1" |
        $CC -fsyntax-only $flags -x c - 2>&1 | sed "s,^,$1: ,"
}

check_headers() {
    [ -n "${CC-}" ] || return 0
    sources -name '*.h' ! -path 'tests/*' | while read -r header; do
        compile_alone "$header"
    done | report headers
}

violations=$(check_layers; check_vendors; check_licence; check_words
    check_headers)
if [ -n "$violations" ]; then
    printf '%s\n' "$violations"
    exit 1
fi
echo "ok: $(sources -name '*.[ch]' | wc -l) source files"
