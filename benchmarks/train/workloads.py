# SPDX-License-Identifier: BSD-3-Clause
"""The workloads of benchmarks/training, their data, the table and the chart.

    workloads.py make DIRECTORY NAME SCALE SAMPLES
    workloads.py shell NAME           batch a rank and seconds a step
    workloads.py table ROWS [SVG]     ROWS: a JSON object a line

Sample sizes, batch sizes and computing times are those of MLPerf Storage v1.0
for the A100: unet3d 146,600,628 bytes on average with a deviation of 68,341,808,
7 a batch, 0.636 s; resnet50 114,660 bytes, 400 a batch, 0.435 s; cosmoflow
2,828,486 bytes with a deviation of 71,311, 1 a batch, 0.00551 s.
"""
import json
import os
import random
import sys

#              mean         deviation  batch  seconds   least utilisation
WORKLOADS = {"unet3d": (146600628, 68341808, 7, 0.636, 0.90),
             "resnet50": (114660, 0, 400, 0.435, 0.90),
             "cosmoflow": (2828486, 71311, 1, 0.00551, 0.70)}
LOADERS = ["collective", "independent", "posix"]
COLOURS = {"collective": "#2266aa", "independent": "#cc8844", "posix": "#888888"}


def make(directory, name, scale, samples):
    mean, deviation, _, _, _ = WORKLOADS[name]
    rng = random.Random(name)
    os.makedirs(directory)
    for i in range(samples):
        size = int(rng.gauss(mean, deviation) / scale)
        size = min(max(size, mean // scale // 10), 2 * mean // scale)
        # One folder a thousand files, as such trees are.
        folder = os.path.join(directory, f"{i // 1000:03d}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{i:06d}.bin"), "wb") as file:
            file.write(rng.randbytes(size))


def table(rows):
    print("workload    loader        accelerators  steps  MiB/s wanted  "
          "MiB/s got  utilisation")
    for row in rows:
        wanted = row["bytes"] / row["steps"] / row["compute"] / 2 ** 20
        print(f"{row['workload']:<11} {row['loader']:<13} {row['ranks']:>12} "
              f"{row['steps']:>6} {wanted:>13.1f} "
              f"{row['bytes'] / row['seconds'] / 2 ** 20:>10.1f} "
              f"{row['utilisation'] * 100:>10.1f} %")
    print()
    for row in rows:
        print(f"training: utilisation {row['loader']}/{row['workload']} "
              f"{row['utilisation'] * 100:.1f} %")


def chart(rows, path):
    names = [name for name in WORKLOADS
             if any(row["workload"] == name for row in rows)]
    width, height, bar = 180 * len(names) + 60, 300, 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
           f'height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           '<text x="10" y="18">accelerator utilisation, %; the line is what '
           'the benchmark asks for</text>']
    for i, name in enumerate(names):
        left = 50 + 180 * i
        out.append(f'<text x="{left + 60}" y="265" text-anchor="middle">{name}'
                   '</text>')
        for row in rows:
            if row["workload"] != name:
                continue
            x = left + LOADERS.index(row["loader"]) * (bar + 4)
            top = 250 - 2 * row["utilisation"] * 100
            out.append(f'<rect x="{x}" y="{top:.1f}" width="{bar}" '
                       f'height="{250 - top:.1f}" '
                       f'fill="{COLOURS[row["loader"]]}"/>'
                       f'<text x="{x + bar / 2}" y="{top - 4:.1f}" '
                       f'text-anchor="middle">{row["utilisation"] * 100:.0f}'
                       '</text>')
        least = 250 - 200 * WORKLOADS[name][4]
        out.append(f'<line x1="{left - 4}" x2="{left + 3 * bar + 12}" '
                   f'y1="{least:.1f}" y2="{least:.1f}" stroke="red" '
                   'stroke-dasharray="4"/>')
    for i, loader in enumerate(LOADERS):
        out.append(f'<rect x="{50 + 120 * i}" y="278" width="10" height="10" '
                   f'fill="{COLOURS[loader]}"/><text x="{64 + 120 * i}" '
                   f'y="288">{loader}</text>')
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(["<!-- SPDX-License-Identifier: BSD-3-Clause -->"]
                             + out + ["</svg>"]) + "\n")


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif sys.argv[1] == "shell":
        _, _, batch, seconds, _ = WORKLOADS[sys.argv[2]]
        print(batch, seconds)
    else:
        with open(sys.argv[2], encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        table(rows)
        if len(sys.argv) > 3:
            chart(rows, sys.argv[3])


if __name__ == "__main__":
    main()
