# SPDX-License-Identifier: BSD-3-Clause
# README's training loops run exactly as they stand there: each is taken out of
# it, put behind what it says it needs, and run by 2 ranks on a cluster.
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

# example TITLE: the indented lines behind the line that begins with TITLE.
example() {
    awk -v title="$1" '
        index($0, title) == 1 { has_title = 1; next }
        has_title && /^[^ ]/ { if (has_lines) exit; next }
        has_title && /^    / { has_lines = 1 }
        has_lines { print substr($0, 5) }' "$top_srcdir/README"
}

example "A training loop in C" >"$work/loop.c"
example "And in Python" >"$work/loop.py"
for file in loop.c loop.py; do
    [ "$(grep -c . "$work/$file")" -ge 8 ] || fail "README has no $file"
done

# 600 images, of which two batches of 256 are an epoch; a model for 64 bytes.
$python - "$work" <<'END' || fail "no data"
import json, os, random, struct, sys
os.chdir(sys.argv[1])
os.mkdir("images")
random.seed(2)
for i in range(600):
    open(f"images/{i:04d}.raw", "wb").write(random.randbytes(64))
    open(f"images/{i:04d}.cls", "w").write(str(i % 10))
data = struct.pack("<650f", *range(650))
header = json.dumps({
    "weight": {"dtype": "F32", "shape": [10, 64], "data_offsets": [0, 2560]},
    "bias": {"dtype": "F32", "shape": [10], "data_offsets": [2560, 2600]}})
with open("model", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header.encode() + data)
END
cluster_up --servers 1 --targets 2
(cd "$work" && "$capstan" pack images capstan:/images) || fail "pack"
"$capstan" put "$work/model" / || fail "put"

cat >"$work/readme.c" <<'END'
#include <capstan/loader.h>
#include <errno.h>
#include <stdio.h>

static unsigned long samples;

static void train(const void *data, size_t length)
{
    samples += data != NULL && length > 64;
}

int main(int argc, char **argv)
{
    int rc, provided;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    {
#include "loop.c"
    }
    MPI_Allreduce(MPI_IN_PLACE, &samples, 1, MPI_UNSIGNED_LONG, MPI_SUM,
                  MPI_COMM_WORLD);
    printf("%lu samples\n", samples);
    MPI_Finalize();
    return rc == -ENODATA && samples == 10 * 512 ? 0 : 1;
}
END
libs=$top_builddir/src/loader/.libs
[ -e "$libs/libcapstan_loader.so" ] || skip "the loader is built without sharing"
"$MPICC" -std=gnu11 -Wall -Werror -I"$top_srcdir/include" -I"$work" \
    "$work/readme.c" -o "$work/readme" -L"$libs" -Wl,-rpath,"$libs" \
    -lcapstan_loader || fail "README's C does not compile"
mpi 2 "$work/readme" || fail "README's C does not run"
echo "ok: C"

find_python torch || skip "README's Python: $python_lacks; its C is good"
cat >"$work/readme.py" <<'END'
import sys
from mpi4py import MPI
import torch

model = torch.nn.Linear(64, 10)
samples = 0


def train(images, labels):
    global samples
    assert images.shape == (len(labels), 64)
    torch.nn.functional.cross_entropy(model(images.float()), labels).backward()
    samples += len(labels)


exec(open(sys.argv[1]).read())
assert torch.equal(model.weight.flatten(), torch.arange(640.0))
assert MPI.COMM_WORLD.allreduce(samples) == 512
print("512 samples")
END
mpi 2 "$python" "$work/readme.py" "$work/loop.py" ||
    fail "README's Python does not run"
echo "ok: Python"
