# SPDX-License-Identifier: BSD-3-Clause
# Every format, every tail, three epochs, every sample compared with its source;
# and each run once more, left in the middle and taken up by another number of
# ranks, which has to give the same samples step by step.
#
#   MATRIX=quick   2 ranks, taken up by 4, on a cluster (default)
#   MATRIX=full    1, 2, 4, 7 ranks, taken up by 2, 4, 7, 1, on a cluster and on plain
#                  files; also a killed rank
#   MATRIX_PAIRS=. other numbers of ranks, "1:2 7:4" for example
#   MATRIX_IO=...  plain files by another io component: ompio, romio321; and no
#                  cluster
#   MATRIX_WITH=.. more of check_load's words, progress=1 for example
#   MATRIX_SEED=N  where runs are left, and in which order samples come
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

case ${MATRIX:-quick} in
quick) pairs="2:4" ;;
full) pairs="1:2 2:4 4:7 7:1" ;;
*) fail "MATRIX=$MATRIX: quick or full" ;;
esac
pairs=${MATRIX_PAIRS:-$pairs}
seed=${MATRIX_SEED:-$$}
echo "MATRIX_SEED=$seed"
formats="tar tfrecord raw records"
if [ -z "$MATRIX_IO" ]; then
    export OMPI_MCA_io_capstan_posix_prefix="$work/"
    cluster_up --servers 2 --targets 2 --stripe-size 65536
else
    export OMPI_MCA_io="$MATRIX_IO"
fi

# The same data, at both places.
make_tree
make_records
for format in tar tfrecord raw; do
    "$capstan" pack --format $format --shards 3 "$work/tree" \
        "$work/$format" || fail "pack $format"
done
mv "$work/flat" "$work/records"
"$capstan" index --record-size 96 "$work/records" || fail "index"
if hdf5_have; then
    mkdir "$work/hdf5"
    mpi 3 "$work/make_hdf5" "$work/hdf5/" "$work/rows" || fail "writing HDF5"
    mpi 4 "$hdf5_index" "$work/hdf5" /group/rows a.h5 b.h5 ||
        fail "indexing HDF5"
    mkdir "$work/packed"
    mv "$work/hdf5/chunked.h5" "$work/hdf5/packed.h5" "$work/packed/"
    mpi 4 "$hdf5_index" "$work/packed" /group/rows chunked.h5 packed.h5 ||
        fail "indexing chunked HDF5"
    formats="$formats hdf5 packed"
else
    echo "without HDF5: $hdf5_lacks"
fi
if [ -z "$MATRIX_IO" ]; then
    for format in $formats; do
        "$capstan" put -r "$work/$format" "/$format" || fail "put $format"
    done
fi

# What check_load is to know of a format: batch, and the sources.
wish() {
    # shellcheck disable=SC2086
    [ -z "$MATRIX_WITH" ] || echo $MATRIX_WITH
    case $1 in
    tar) echo batch=16 tree="$work/tree" ;;
    tfrecord) echo batch=50 list="$work/list" shuffle=1 window=2 ;;
    raw) echo batch=40 list="$work/list" ;;
    records) echo batch=96 flat="$work/records/records" ;;
    hdf5 | packed) echo batch=24 flat="$work/rows" ;;
    esac
}

# Set `steps` to a number from 1 to 15, the next one of the seed: all datasets
# here have more steps in three epochs.
next_steps() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    steps=$((seed / 65536 % 15 + 1))
}

# place_of STEP LOG: "epoch step" of the line behind STEP steps.
place_of() {
    awk -v n="$1" 'NF { if (i++ == n) { sub(":", "", $2); print $1, $2 } }' "$2"
}

# whole BASE RANKS: full runs, and such that stop somewhere.
whole() {
    set -- "$1" "$2" --
    for format in $formats; do
        for tail in 0 1 2; do
            log=$work/log.$format.$tail
            next_steps
            # shellcheck disable=SC2046
            set -- "$@" "$1/$format" $(wish $format) tail=$tail seed=$seed \
                epochs=3 log="$log.whole" -- \
                "$1/$format" $(wish $format) tail=$tail seed=$seed \
                epochs=3 stop=$steps log="$log.cut" --
            echo "$seed $steps" >"$log.left"
        done
    done
    n=$2
    shift 3
    load "$n" "$@"
}

# resumed BASE RANKS: what whole() left, taken up by others.
resumed() {
    set -- "$1" "$2" --
    for format in $formats; do
        for tail in 0 1 2; do
            log=$work/log.$format.$tail
            read -r left steps <"$log.left"
            # shellcheck disable=SC2046
            set -- "$@" "$1/$format" $(wish $format) tail=$tail seed=$left \
                $(place_of "$steps" "$log.whole" | {
                    read -r epoch step
                    echo epoch=$epoch step=$step epochs=$((3 - epoch))
                }) log="$log.cut" --
        done
    done
    n=$2
    shift 3
    load "$n" "$@"
    for format in $formats; do
        for tail in 0 1 2; do
            log=$work/log.$format.$tail
            cmp "$log.whole" "$log.cut" ||
                fail "$format, tail $tail: taken up, other samples"
            [ "$(awk 'NF { print $1 }' "$log.whole" | sort -u | wc -l)" = 3 ] ||
                fail "$format, tail $tail: not three epochs"
        done
    done
    rm "$work"/log.*
}

killed_rank() {
    background_load "$1" epochs=1000000 batch=16 tail=2
    kill_rank
    echo "ok: $1: a killed rank ends the run"
}

places=$work
[ -n "$MATRIX_IO" ] || places="capstan:"
[ "${MATRIX:-quick}" = quick ] || [ -n "$MATRIX_IO" ] || places="capstan: $work"
for place in $places; do
    name=${MATRIX_IO:-$place}
    [ "$name" != "$work" ] || name="plain files"
    for pair in $pairs; do
        whole "$place" "${pair%:*}"
        resumed "$place" "${pair#*:}"
        echo "ok: $name: $formats: ${pair%:*} ranks, taken up by ${pair#*:}"
    done
done
if [ "${MATRIX:-quick}" = full ]; then
    deadline_ms=60000
    killed_rank "$work/raw"
fi
