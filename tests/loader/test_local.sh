# SPDX-License-Identifier: BSD-3-Clause
# The loader on local files: packing, every option, three epochs, any number of
# ranks, every sample compared with its source; resuming; what is damaged.
. "$top_srcdir/tests/mpi/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

[ -x "$capstan" ] || skip "no capstan program in this build tree"
make_tree
make_records
for format in tar tfrecord raw; do
    "$capstan" pack --format $format --shards 3 "$work/tree" \
        "$work/$format" || die "pack $format"
done
"$capstan" index --record-size 96 "$work/flat" || die "index"

# Packing that ended before the index goes on where it was: here the index cannot
# be written at first, and then a shard is not what its part says any more.
mkdir -p "$work/again/index"
"$capstan" pack --format raw --shards 3 "$work/tree" "$work/again" 2>/dev/null &&
    die "a directory was taken for the index"
rmdir "$work/again/index"
truncate -s 5 "$work/again/shard-000001"
"$capstan" pack --format raw --shards 3 "$work/tree" "$work/again" |
    grep "; 2 were done before" || die "not two shards were kept"
diff -r "$work/raw" "$work/again" || die "packed again, but not the same"

# A foreign program's view of what pack made.
$python - "$work" <<'END' || die "tarfile differs"
import glob, sys, tarfile
work = sys.argv[1]
count = 0
for shard in glob.glob(work + "/tar/*.tar"):
    with tarfile.open(shard) as tar:
        for member in tar:
            data = tar.extractfile(member).read()
            assert data == open(f"{work}/tree/{member.name}", "rb").read()
            count += 1
assert count == 301, count
END

# Shards without a sample, first, between and last; a dataset of nothing else; and
# a shard that is cut short, which is not indexed.
mkdir "$work/mixed" "$work/empty" "$work/short"
for name in a c z; do
    head -c 1024 /dev/zero >"$work/mixed/$name.tar"
    : >"$work/empty/$name.tar"
done
cp "$work/tar/shard-000000.tar" "$work/mixed/b.tar"
cp "$work/tar/shard-000001.tar" "$work/mixed/d.tar"
head -c 20000 "$work/mixed/b.tar" >"$work/short/b.tar"
"$capstan" index "$work/mixed" && "$capstan" index "$work/empty" || die "index"
"$capstan" index "$work/short" 2>"$work/err" && die "a cut shard was indexed"
grep "b.tar: about byte" "$work/err" || die "not told where: $(cat "$work/err")"
load 3 "$work/mixed" epochs=2 tail=2 batch=16 shuffle=1 window=1 \
    tree="$work/tree" -- \
    "$work/mixed" epochs=2 tail=1 batch=16 tree="$work/tree" -- \
    "$work/empty" batch=16 fails=-22
grep -q "no samples in it" "$work/out" || die "not told that it is empty"

# A single sample, whose members have odd names and one of them no bytes, in a
# directory that is named by a symlink; for one rank, and for seven.
mkdir -p "$work/odd/höhe/図 1"
printf 'bytes' >"$work/odd/höhe/図 1/Ä 'x'.jpg"
: >"$work/odd/höhe/図 1/Ä 'x'.txt"
ln -s "Ä 'x'.jpg" "$work/odd/höhe/図 1/link.jpg"
ln -s odd "$work/link"
"$capstan" pack "$work/link" "$work/one" |
    grep "packed 1 samples of 2 files, .*left out 1 that are symbolic links" ||
    die "odd names"
"$capstan" pack --format raw "$work/odd" "$work/one-raw" |
    grep "packed 1 samples of 1 files, .*; left out 1 that are empty" ||
    die "an empty file as a sample"
for n in 1 7; do
    load "$n" "$work/one" epochs=3 tail=1 batch=16 tree="$work/odd" -- \
        "$work/one" epochs=3 tail=2 batch=16 tree="$work/odd" progress=1 -- \
        "$work/one" epochs=3 tail=0 batch=16 tree="$work/odd" -- \
        "$work/one" epochs=3 tail=0 batch=1 tree="$work/odd" group="$n"
done

# Shuffles, weights, groups, depths; every tail with every number of ranks is
# test_matrix.sh's.
for n in $ranks; do
    common="epochs=3 tail=$((n / 2 % 3)) seed=$n"
    load "$n" "$work/tar" $common batch=16 tree="$work/tree" plan=3 -- \
        "$work/tfrecord" $common batch=50 list="$work/list" shuffle=1 \
        window=2 depth=1 files=1 weights=1 -- \
        "$work/raw" $common batch=40 list="$work/list" progress=1 -- \
        "$work/flat" $common batch=96 flat="$work/flat/records" \
        group="$n" depth=5
    echo "ok: $n ranks"
done
# One sample a rank, and fewer: without views.
load 4 "$work/raw" epochs=3 tail=2 batch=4 list="$work/list" -- \
    "$work/raw" epochs=1 tail=2 batch=3 list="$work/list" progress=1 -- \
    "$work/tar" epochs=1 tail=1 batch=2 group=2 tree="$work/tree"
# A batch beyond the dataset: dropped, or padded many times over. Each rank
# alone. No MPI_THREAD_MULTIPLE.
load 3 "$work/tar" epochs=3 tail=0 batch=1000 tree="$work/tree" -- \
    "$work/tar" epochs=3 tail=1 batch=1000 tree="$work/tree" -- \
    "$work/raw" epochs=2 tail=2 batch=7 list="$work/list" independent=1
# Memory for fewer batches than depth: then fewer are read ahead. For less than
# one: an error.
tight="$work/raw epochs=3 tail=2 batch=40 group=4 depth=5 list=$work/list"
load 4 $tight memory=100000 -- $tight memory=100000 progress=1 -- \
    "$work/tar" epochs=2 tail=1 batch=16 depth=4 memory=60000 weights=1 \
    tree="$work/tree" -- \
    $tight memory=100000 stop=4 -- $tight memory=20000 fails=-12
grep -q "more than memory_max" "$work/out" || die "not told why"
CHECK_LOAD_SINGLE=1
export CHECK_LOAD_SINGLE
load 2 "$work/raw" epochs=2 tail=2 batch=7 list="$work/list" shuffle=2
unset CHECK_LOAD_SINGLE

# Open MPI's own implementation does not bear a second thread: unless the caller
# asks for one, he gets none there, and everything works.
load 2 "$work/raw" epochs=1 tail=2 batch=40 thread=1 list="$work/list" -- \
    "$work/raw" epochs=1 tail=2 batch=40 thread=0 progress=1 \
    list="$work/list"
OMPI_MCA_io=ompio
export OMPI_MCA_io
load 4 "$work/raw" epochs=3 tail=2 batch=40 thread=0 list="$work/list" -- \
    "$work/tar" epochs=2 tail=1 batch=16 thread=0 tree="$work/tree"
unset OMPI_MCA_io

# The samples of a step are the same with any number of ranks, and a run that is
# taken up again by others goes on as if it had not been left.
plan="batch=16 tail=2 seed=9"
load 4 "$work/tar" $plan epochs=2 log="$work/log.4" -- \
    "$work/tar" $plan epochs=2 stop=13 log="$work/log.r"
load 1 "$work/tar" $plan epochs=2 log="$work/log.1"
load 7 "$work/tar" $plan epochs=1 epoch=1 step=3 log="$work/log.r"
cmp "$work/log.4" "$work/log.1" || die "other ranks, another order"
cmp "$work/log.4" "$work/log.r" || die "resumed, another order"
[ "$(cut -d: -f2 "$work/log.4" | sort -u | wc -l)" = 21 ] ||
    die "two epochs are alike"
echo "ok: order and resuming"

# Closed in the middle, with reads under way.
load 4 "$work/tar" batch=16 stop=3 depth=4 -- \
    "$work/tar" batch=16 stop=3 depth=4 progress=1

# Damage is the same error with the same text on all ranks.
printf XXXX | dd of="$work/raw/shard-000001" bs=1 seek=999 conv=notrunc \
    2>/dev/null
head -c 20000 "$work/tfrecord/shard-000002.tfrecord" >"$work/cut"
mv "$work/cut" "$work/tfrecord/shard-000002.tfrecord"
rm "$work/flat/records"
printf X | dd of="$work/tar/index" bs=1 seek=200 conv=notrunc 2>/dev/null
load 4 "$work/raw" batch=16 epochs=1 fails=-74 -- \
    "$work/raw" batch=16 epochs=1 fails=-74 progress=1 -- \
    "$work/tfrecord" batch=16 epochs=1 fails=-5 -- \
    "$work/flat" batch=16 epochs=1 fails=-2 -- \
    "$work/tar" batch=16 epochs=1 fails=-71 -- \
    "$work/none" fails=-2 -- \
    "$work/raw" batch=16 group=3 fails=-22
grep -q 'raw/shard-000001: sample' "$work/out" || die "which sample?"
grep -q 'bytes came of' "$work/out" || die "not told that it is short"
echo "ok: damage"
