# SPDX-License-Identifier: BSD-3-Clause
"""The chart of benchmarks/collective: a bar a row, the better peer's time to
ours, with the least and the most of the repetitions, on a logarithmic scale."""
import html
import math

ROW, LEFT, WIDTH, TOP = 18, 240, 640, 40
FASTER, SLOWER = "#2f80c3", "#d64545"


def draw(path, title, table):
    rows = [t for t in table if t["ratio"]]
    least = min([0.5] + [min(t["ratios"]) for t in rows])
    most = max([2.0] + [max(t["ratios"]) for t in rows])

    def x_of(ratio):
        return LEFT + WIDTH * math.log(ratio / least) / math.log(most / least)

    height = TOP + ROW * len(rows) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}"'
           f' height="{height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="8" y="18" font-size="13">{html.escape(title)}</text>']
    for mark in (0.25, 0.5, 1, 2, 4, 8, 16):
        if least <= mark <= most:
            out.append(
                f'<line x1="{x_of(mark):.1f}" x2="{x_of(mark):.1f}" y1="{TOP}"'
                f' y2="{height - 26}" stroke="#{"000" if mark == 1 else "ccc"}"'
                f'/><text x="{x_of(mark):.1f}" y="{height - 10}"'
                f' text-anchor="middle">{mark}</text>')
    for i, t in enumerate(rows):
        y = TOP + ROW * i
        ends = sorted((x_of(1), x_of(t["ratio"])))
        colour = FASTER if t["ratio"] >= 1 else SLOWER
        out.append(
            f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">'
            f'{html.escape(t["row"])}</text>'
            f'<rect x="{ends[0]:.1f}" y="{y + 3}" fill="{colour}"'
            f' width="{max(ends[1] - ends[0], 1):.1f}" height="{ROW - 6}"/>'
            f'<line x1="{x_of(min(t["ratios"])):.1f}"'
            f' x2="{x_of(max(t["ratios"])):.1f}" y1="{y + ROW / 2}"'
            f' y2="{y + ROW / 2}" stroke="black"/>'
            f'<text x="{LEFT + WIDTH + 12}" y="{y + 12}">{t["ratio"]:.2f}</text>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")
