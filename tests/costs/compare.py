#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare what operations cost now with a table of what they did.

usage: compare.py [--update] TABLE ROWS [CALLGRIND-OUT...]

ROWS holds what costs and collective print, one JSON object a line; the files of
callgrind belong to the operations of costs, in their order. A column of EXACT
must be as in the table. A column of MARGIN may be dearer by that part; cheaper by
more than CHEAPER is told as well, so that the table stays true. Columns of
COMPILED are what the table's compiler makes of the source, and are compared for
that one only. --update writes the table instead.
"""
import json
import pathlib
import re
import sys

EXACT = ["requests", "messages", "in them", "RMA", "by RMA", "extents"]
MARGIN = {"copied": 0.02, "allocations": 0.0, "allocated": 0.02,
          "instructions": 0.05}
CHEAPER = 0.10
COMPILED = ["copied", "instructions"]
COLUMNS = EXACT + list(MARGIN)
WIDTH = 48  # of an operation's name
SIMULATED = {"net_sim.c", "net_sim_event.c", "net_sim_fabric.c", "obj_mem.c",
             "image_mem.c", "journal_mem.c", "kv_mem.c", "pairs_mem.c"}
HEAD = """\
# What operations cost; tests/costs/test_costs.sh compares, COSTS_UPDATE=1 writes.
#
# On a simulated cluster of 4 targets with stripes of 64 KiB, client and servers
# together: requests that servers serve, messages both ways and the bytes in them,
# RMA transfers and their bytes, extents read and written by servers, bytes copied
# by calls of memcpy and memmove, allocations and the bytes asked for,
# instructions of our own code between call and answer. Collectives ("together"):
# all ranks, requests to a driver, messages between ranks; MPI's own are not
# counted, nor are instructions.
"""


def is_ours(path):
    path = pathlib.PurePath(path)
    return ("src" in path.parts or "include" in path.parts) and \
        path.name not in SIMULATED


def instructions(path):
    """Of our functions, without what they call in libraries."""
    names, file, total, is_callee = {}, "", 0, False
    for line in pathlib.Path(path).read_text().splitlines():
        if found := re.match(r"(c?f[lie])=\((\d+)\)(?: (.*))?$", line):
            kind, number, name = found.groups()
            if name:
                names[number] = name
            if kind == "fl":
                file = names[number]
        elif line.startswith("calls="):
            is_callee = True  # the next line is what the call cost in all
        elif found := re.match(r"[+*-]?\d* (\d+)$", line):
            if not is_callee and is_ours(file):
                total += int(found[1])
            is_callee = False
    return total


def read_rows(path, profiles):
    """{operation: {column: count}}, and the compiler."""
    rows, compiler = {}, ""
    for line in pathlib.Path(path).read_text().splitlines():
        row = json.loads(line)
        if "compiler" in row:
            compiler = row["compiler"]
        else:
            rows[row.pop("operation")] = row
    profiles = sorted(profiles, key=lambda p: int(p.rsplit(".", 1)[1]))
    for row, profile in zip(rows.values(), profiles):
        row["instructions"] = instructions(profile)
    return rows, compiler


def read_table(path):
    table, compiler = {}, ""
    for line in path.read_text().splitlines():
        if line.startswith("# compiler: "):
            compiler = line.split(": ", 1)[1]
        elif line and not line.startswith("#"):
            values = line[WIDTH:].split()
            table[line[:WIDTH].rstrip()] = {
                c: int(v) for c, v in zip(COLUMNS, values) if v != "-"}
    return table, compiler


def write_table(path, rows, compiler):
    widths = [max(len(c), 12) if c in MARGIN else max(len(c), 8)
              for c in COLUMNS]
    lines = [HEAD + f"#\n# compiler: {compiler}\n#",
             "#".ljust(WIDTH) + " ".join(
                 c.replace(" ", "_").rjust(w) for c, w in zip(COLUMNS, widths))]
    for name, row in rows.items():
        lines.append(name.ljust(WIDTH) + " ".join(
            str(row.get(c, "-")).rjust(w) for c, w in zip(COLUMNS, widths)))
    path.write_text("\n".join(lines) + "\n")


def verdict(column, was, now):
    """What is wrong with a count, or None."""
    if now > was * (1 + MARGIN.get(column, 0)):
        return "dearer"
    if now < was * (1 - (CHEAPER if column in MARGIN else 0)):
        return "cheaper"
    return None


def compare(rows, table, skipped):
    """Print what differs. @return how many."""
    wrong = 0
    for name in sorted(set(rows) ^ set(table)):
        print(f"{name}: only in {'the table' if name in table else 'the run'}")
        wrong += 1
    for name, row in rows.items():
        for column in COLUMNS:
            if column in skipped or column not in row or \
                    column not in table.get(name, {}):
                continue
            was, now = table[name][column], row[column]
            if word := verdict(column, was, now):
                print(f"{name}: {column}: was {was}, is {now}: {word}")
                wrong += 1
    return wrong


def main():
    args = sys.argv[1:]
    is_update = args[:1] == ["--update"]
    if len(args) < 2 + is_update:
        sys.exit(__doc__)
    path = pathlib.Path(args[is_update])
    rows, compiler = read_rows(args[1 + is_update], args[2 + is_update:])
    if is_update:
        write_table(path, rows, compiler)
        return
    table, table_compiler = read_table(path)
    skipped = COMPILED if compiler != table_compiler else []
    if skipped:
        print(f"SKIP: {', '.join(skipped)}: built by {compiler}, the table is of "
              f"{table_compiler}")
    elif len(args) == 2:
        print("SKIP: instructions: there is no valgrind")
    wrong = compare(rows, table, skipped)
    print(f"{len(rows)} operations, {wrong} counts that are not the table's")
    if wrong:
        sys.exit("if that is meant: COSTS_UPDATE=1 make check "
                 "TESTS=tests/costs/test_costs.sh")


if __name__ == "__main__":
    main()
