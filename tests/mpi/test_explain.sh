# SPDX-License-Identifier: BSD-3-Clause
# What the engine tells of itself (test_explain.c): every key of
# MPI_File_get_info, the line of CAPSTAN_REPORT=1, the warnings of hints that do
# not exist, and CAPSTAN_TRACE's file: is it JSON, does it hold every collective
# of every rank, was a round read while the one before was delivered, and can
# benchmarks/timeline draw it?
. "$top_srcdir/tests/mpi/lib.sh"

fail() {
    echo "FAIL: $*" >&2
    cat "$work/out" >&2
    exit 1
}

mapped=
! may_map || mapped=mapped
export CAPSTAN_REPORT=1 CAPSTAN_TRACE="$work/trace.json"
for n in ${CAPSTAN_TEST_RANKS:-1 4 7}; do
    rm -f "$CAPSTAN_TRACE"
    mpi "$n" "$top_builddir/tests/mpi/test_explain" "$files" $mapped \
        >"$work/out" 2>&1 || fail "$n ranks"
    line=$(sed -n 's/^expected: //p' "$work/out")
    [ "$(grep -cFx "$line" "$work/out")" = 1 ] ||
        fail "$n ranks: the report is not: $line"
    [ "$(grep -c '^capstan: .*collectives' "$work/out")" = 3 ] ||
        fail "$n ranks: not one report a file"
    for hint in romio_nonsense capstan_nonsense; do
        [ "$(grep -c "hint $hint: no such hint" "$work/out")" = 1 ] ||
            fail "$n ranks: $hint is not warned of once"
    done
    ! grep -q access_style "$work/out" || fail "a foreign hint is warned of"
    python3 - "$CAPSTAN_TRACE" "$n" "$mapped" >"$work/out" 2>&1 <<'END' || fail "trace, $n ranks"
import collections, json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    events = json.load(file)
ranks = int(sys.argv[2])
spans = [e for e in events if e["ph"] == "X"]
assert all(e["dur"] >= 0 and e["ts"] > 0 for e in spans)
files = [e["name"] for e in events if e["ph"] == "i"]
assert len(files) == 3 and all(f.startswith("open ") for f in files), files
seen = collections.Counter((e["pid"], e["name"]) for e in spans)
named = {e["pid"]: e["args"]["name"] for e in events
         if e["name"] == "process_name"}
for rank in range(ranks):
    assert named[rank] == f"rank {rank}"
    # Two files of five collectives and one of two; one rank alone makes fewer
    # meetings.
    assert seen[rank, "classify"] == 12, seen
    assert seen[rank, "move"] == 4, seen
words = {e["name"].split()[0] for e in spans}
assert {"classify", "direct", "exchange", "move", "agree", "read",
        "deliver"} <= words, words
assert ("mapped" in words) == (ranks > 1 and sys.argv[3] != ""), words

def overlap(a, b):
    return min(a["ts"] + a["dur"], b["ts"] + b["dur"]) - max(a["ts"], b["ts"])

# Reading round i + 1 and delivering round i, on the same rank.
lines = collections.defaultdict(list)
for e in spans:
    if e["tid"] > 0:
        word, number = e["name"].split()
        lines[e["pid"], word, int(number)].append(e)
met = sum(overlap(read, deliver) > 0
          for (rank, word, i), reads in list(lines.items()) if word == "read"
          for read in reads for deliver in lines[rank, "deliver", i - 1])
print(len(spans), "spans,", met, "rounds read while the one before was delivered")
assert ranks == 1 or met > 0
END
    cat "$work/out"
    python3 "$top_srcdir/benchmarks/timeline" "$CAPSTAN_TRACE" 1 >"$work/svg" ||
        fail "timeline"
    python3 -c '
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert sum(e.tag.endswith("title") for e in root.iter()) > 10' "$work/svg" ||
        fail "the picture is not SVG"
done
