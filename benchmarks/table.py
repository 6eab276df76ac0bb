#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the rows of a benchmark as one table, or as one JSON document.

usage: table.py demo|ior|datatypes table|json FILE

FILE holds one JSON object a line. A table has one line a row, columns aligned,
numbers to the right; a value that a row does not have is a dash.
"""
import json
import statistics
import sys


def big(value):
    return "-" if value is None else f"{value:,}"


def rate(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def demo_row(row):
    info = row["info"]
    collective = row["mode"] == "collective"
    wanted = "one rank" if row["group"] == 1 else f"{row['group']} ranks"
    return [
        row["storage"],
        row["mode"],
        wanted,
        f"{row['seconds']:.2f}",
        rate(row["samples_per_s"]),
        rate(row["mib_per_s"]),
        big(row.get("bytes_left")),
        big(row["bytes"]),
        info.get("capstan_last_strategy", "-") if collective else "-",
        info.get("capstan_last_rounds", "-") if collective else "-",
    ]


DEMO_HEAD = ["storage", "reads", "a sample goes to", "time s", "samples/s",
             "MiB/s", "bytes left servers", "bytes reached ranks", "strategy",
             "rounds"]


def ior_key(row):
    return (row["ranks"], row["access"], row["files"], row["transfer"])


def ior_rows(rows):
    """One line for all repeats of a shape: medians."""
    shapes = {}
    for row in rows:
        shapes.setdefault(ior_key(row), []).append(row)
    for key, repeats in shapes.items():
        write = statistics.median(r["write_mib_s"] for r in repeats)
        read = statistics.median(r["read_mib_s"] for r in repeats)
        yield [str(key[0]), key[1], key[2], big(key[3]), rate(write),
               rate(read), str(len(repeats))]


IOR_HEAD = ["ranks", "access", "files", "transfer B", "write MiB/s",
            "read MiB/s", "median of"]


def datatypes_row(row):
    """Of a piece where it grows with them: nanoseconds, bytes."""
    def per_piece(key):
        return f"{row[key] / row['pieces']:.2f}"
    return [
        row["storage"], row["pattern"], big(row["pieces"]),
        f"{row['view_ns'] / 1e6:.2f}", big(row["view_bytes"]),
        per_piece("view_bytes"), per_piece("alone_ns"),
        big(row["requests"]) if row["requests"] >= 0 else "-",
        per_piece("all_ns"), big(row["all_bytes"]), big(row["messages"]),
        big(row["exchanged"]),
    ]


DATATYPES_HEAD = ["storage", "pattern", "pieces a rank", "view ms",
                  "view memory B", "B a piece", "read ns a piece",
                  "read requests", "read_all ns a piece", "its memory B",
                  "messages", "sent B"]


def is_number(text):
    return text[:1].isdigit() or text == "-"


def print_table(head, lines):
    widths = [max(len(line[i]) for line in [head, *lines])
              for i in range(len(head))]
    right = [all(is_number(line[i]) for line in lines)
             for i in range(len(head))]
    for line in [head, ["-" * width for width in widths], *lines]:
        cells = (cell.rjust(width) if is_right else cell.ljust(width)
                 for cell, width, is_right in zip(line, widths, right))
        print("  ".join(cells).rstrip())


def main():
    if len(sys.argv) != 4 or \
            sys.argv[1] not in ("demo", "ior", "datatypes") or \
            sys.argv[2] not in ("table", "json"):
        sys.exit(__doc__)
    with open(sys.argv[3], encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if not rows:
        sys.exit("table.py: no rows")
    if sys.argv[2] == "json":
        print(json.dumps({"benchmark": sys.argv[1], "rows": rows}, indent=1))
    elif sys.argv[1] == "demo":
        print_table(DEMO_HEAD, [demo_row(row) for row in rows])
    elif sys.argv[1] == "datatypes":
        print_table(DATATYPES_HEAD, [datatypes_row(row) for row in rows])
    else:
        print_table(IOR_HEAD, list(ior_rows(rows)))


if __name__ == "__main__":
    main()
