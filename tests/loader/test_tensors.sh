# SPDX-License-Identifier: BSD-3-Clause
# Safetensors and checkpoints in C: written by some ranks, read by others, the same
# file from Python and from C; writers killed at any time leave a whole one
# (KILL_ROUNDS=1).
. "$top_srcdir/tests/cluster/lib.sh"
. "$top_srcdir/tests/loader/lib.sh"

check=$top_builddir/tests/loader/check_tensors
cluster_up --servers 2 --targets 2 --stripe-size 65536

$python - "$work/plain" "$work/cut" "$work/wild" "$work/lies" <<'END' || fail "no data"
import json, struct, sys
header = json.dumps({
    "__metadata__": {"made": ["here", {"a": None}]},
    "a": {"dtype": "U32", "shape": [70, 100], "data_offsets": [0, 28000]},
    "odd \"1\"": {"dtype": "U8", "shape": [5], "data_offsets": [28000, 28005]},
    "eight": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [27996, 28000]},
    "none": {"dtype": "F64", "shape": [0, 3], "data_offsets": [28005, 28005]},
}).encode()
data = struct.pack("<7000I", *range(7000)) + bytes(range(5))
whole = struct.pack("<Q", len(header)) + header + data
open(sys.argv[1], "wb").write(whole)
open(sys.argv[2], "wb").write(whole[:-10])
open(sys.argv[3], "wb").write(struct.pack("<Q", 1 << 40) + b"{}" * 10)
lies = header.replace(b"[0, 28000]", b"[0, 27000]")
open(sys.argv[4], "wb").write(struct.pack("<Q", len(lies)) + lies + data)
END
"$capstan" put "$work/plain" "$work/cut" "$work/wild" "$work/lies" / || fail "put"
mpi 3 "$check" plain capstan:/plain || fail "safetensors"
mpi 2 "$check" fails capstan:/cut -71 || fail "a file that is cut short"
mpi 2 "$check" fails capstan:/wild -71 || fail "a header without end"
mpi 2 "$check" fails capstan:/lies -71 || fail "an end that is not the shape's"
mpi 2 "$check" fails capstan:/nothing -2 || fail "no file"
echo "ok: safetensors"

mpi 2 "$check" refuse capstan:/refused || fail "what cannot be saved"
mpi 4 "$check" save capstan:/ck 3 || fail "save"
for n in 1 7; do
    mpi "$n" "$check" load capstan:/ck 3 || fail "load by $n"
done
mpi 7 "$check" save capstan:/ck 2 && mpi 2 "$check" load capstan:/ck 5 ||
    fail "saved by others"
export OMPI_MCA_io_capstan_posix_prefix="$work/"
mpi 2 "$check" save "$work/local" 3 && mpi 3 "$check" load "$work/local" 3 ||
    fail "a plain file"
echo "ok: checkpoints"

# The same file from Python.
if find_python sys; then
    mpi 2 "$python" -c '
import capstan, numpy
found, meta = capstan.load_checkpoint("capstan:/ck")
assert meta == {"by": "C"}, meta
w = found["w"]
assert (w == 5000000 + numpy.arange(w.size).reshape(w.shape)).all()
g, n = 6, 1000 + 6 * 300
w = (g * 1000000 + numpy.arange(n * 3, dtype="<u4").reshape(n, 3))
comm = capstan.checkpoint.MPI.COMM_WORLD
first, last = (n * (comm.rank + i) // comm.size for i in (0, 1))
capstan.save_checkpoint("capstan:/ck", {
    "w": capstan.Part(w[first:last].astype("<u4"), first, n),
    "bias": numpy.full(5, g, "<u4"), "own0": numpy.uint32(0)})
' || fail "Python"
    mpi 3 "$check" load capstan:/ck 6 || fail "saved by Python"
    echo "ok: Python"
else
    echo "without Python: $python_lacks"
fi

# Writers that are killed, somewhere.
for round in $(seq "${KILL_ROUNDS:-1}"); do
    rm -f "$work/out"
    timeout 100 "$MPIRUN" --oversubscribe -n 4 "$check" save capstan:/ck 100000 \
        >"$work/out" 2>&1 </dev/null &
    background=$!
    tries=0
    until [ "$(grep -c saved "$work/out" 2>/dev/null)" -ge $((3 * round)) ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "no checkpoints in 60 s: $(cat "$work/out")"
        sleep 0.1
    done
    kill_rank
    least=$(sed -n 's/^saved //p' "$work/out" | tail -n 1)
    mpi 2 "$check" load capstan:/ck "$least" || fail "killed writers"
done
echo "ok: killed writers left a whole checkpoint, times: ${KILL_ROUNDS:-1}"
