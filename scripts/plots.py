#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the cases of RFC 8867 over time, a PNG each: what every flow gets against the capacity, what packets wait in the
bottleneck's queue, what that drops. Runs the simulations (tests/sim) that say in their head which case they are.

    scripts/plots.py [--bin build/bin] [--out build/plots] [--seed 1] [NAME...]
"""
import argparse
import collections
import csv
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

SMOOTH = 5  # of the series' steps: a second
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f3c8d", "#808080", "#a5aa00", "#3d3d3d"]
PANELS = (  # what, label of its axis, whether smoothed, part of the height, least end of its axis
    (("capacity", "rate"), "Mbit/s", True, 0.5, 0.1),
    (("queue",), "queue, ms", False, 0.25, 50),
    (("loss",), "dropped, %", True, 0.25, 1),
)
TOP, BOTTOM, GAP = 0.92, 0.07, 0.025
WIDE = 2  # a link with more than so many times what anybody gets is not worth the room


def cases(root, wanted):
    """Simulations with a series: (name, number of the case or None, what it is about)."""
    for source in sorted((root / "tests/sim").glob("*.c")):
        text = source.read_text()
        if '"support/road.h"' not in text or (wanted and source.stem not in wanted):
            continue
        head = re.sub(r"\s*\n \* ", " ", re.search(r"/\* (?!SPDX)(.*?)\s*\*/", text, re.S).group(1))
        number = re.match(r"RFC 8867 (\d\.\d)", head)
        yield source.stem, number and number.group(1), re.split(r"\.\s", head)[0]


def read_series(path):
    series = collections.OrderedDict()
    with open(path, newline="") as file:
        for seconds, what, value in csv.reader(file):
            series.setdefault(what, []).append((float(seconds), float(value)))
    return series


def with_sum(series):
    """And what all flows get together, where they meet in one link only."""
    rates = [points for what, points in series.items() if what.startswith("rate ")]
    if len(rates) < 2 or sum(1 for what in series if what.startswith("capacity")) > 1:
        return series
    total = collections.Counter()
    for points in rates:
        total.update(dict(points))
    return {"rate all": sorted(total.items()), **series}


def smoothed(points):
    window, out = collections.deque(maxlen=SMOOTH), []
    for seconds, value in points:
        window.append(value)
        out.append((seconds, sum(window) / len(window)))
    return out


def label_of(what, one_way):
    kind, which = what.split(" ", 1)
    number = re.match(r"flow(\d+)$", which)
    if kind == "rate":
        return f"flow {int(number.group(1)) + 1}" if number else which
    return kind if one_way else f"{kind}, {which}"


def panel(series, kinds, smooth, one_way):
    """Gnuplot's words and data for the lines of one panel. The same way has the same colour in all panels but rates."""
    words, data, ways = [], [], {}
    for what, points in series.items():
        kind, which = what.split(" ", 1)
        if kind not in kinds:
            continue
        if kind == "rate":
            colour = "#aaaaaa" if which == "all" else COLOURS[sum("flow" in w or "TCP" in w for w in words) % len(COLOURS)]
            style = f"with lines lw 1.6 lc rgb '{colour}'"
        else:
            way = ways.setdefault(which, len(ways))
            colour = ("black", "#666666", "#444444")[way % 3] if kind == "capacity" else COLOURS[way]
            style = f"with steps lw 2 dt {way + 1} lc rgb '{colour}'" if kind == "capacity" else f"with lines lc rgb '{colour}'"
        words.append(f"'-' {style} title '{label_of(what, one_way)}'")
        shown = smoothed(points) if smooth and kind != "capacity" else points
        data.append("\n".join(f"{s:g} {v:g}" for s, v in shown) + "\ne")
    return "plot " + ", ".join(words) + "\n" + "\n".join(data)


def most(series, kinds, least):
    """The end of the axis."""
    ends = {kind: max((v for w, points in series.items() if w.split(" ")[0] == kind for _, v in points), default=0)
            for kind in kinds}
    if "capacity" in ends:
        ends["capacity"] = min(ends["capacity"], WIDE * ends["rate"])
    return 1.05 * max(least, *ends.values())


def gnuplot_script(png, title, series):
    one_way = sum(1 for what in series if what.startswith("capacity")) == 1
    last = max(points[-1][0] for points in series.values())
    wrapped = "\\n".join(textwrap.wrap(title.replace('"', "'"), 110))
    lines = [
        "set terminal pngcairo size 1200,900 font 'sans,12' background rgb 'white'",
        f"set output '{png}'",
        "set multiplot",
        f'set label 1 "{wrapped}" at screen 0.5,0.975 center noenhanced',
        f"set xrange [0:{last:g}]",
        "set grid xtics ytics back lt 1 lw 0.5 lc rgb '#cccccc'",
        "set lmargin at screen 0.07",
        "set rmargin at screen 0.83",
        "set key outside right top samplen 2 noenhanced",
        "set format x ''",
    ]
    top = TOP
    for kinds, axis, smooth, part, least in PANELS:
        bottom = top - part * (TOP - BOTTOM)
        if kinds == PANELS[-1][0]:
            lines += ["set format x", "set xlabel 'time, s'"]
        lines += [
            f"set tmargin at screen {top:.3f}",
            f"set bmargin at screen {bottom + GAP:.3f}",
            f"set ylabel '{axis}' offset screen -0.002,0",
            f"set yrange [0:{most(series, kinds, least):g}]",
            panel(series, kinds, smooth, one_way),
            "unset label 1",
        ]
        top = bottom
    return "\n".join(lines) + "\nunset multiplot\n"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=root / "build/bin")
    parser.add_argument("--out", type=pathlib.Path, default=root / "build/plots")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    if not shutil.which("gnuplot"):
        sys.exit("plots: gnuplot is not installed: apt-get install gnuplot-nox (or scripts/bootstrap.sh)")
    args.out.mkdir(parents=True, exist_ok=True)
    todo = list(cases(root, args.name))
    if not todo:
        sys.exit("plots: no such simulation in tests/sim with a road: " + " ".join(args.name))
    for name, number, title in todo:
        program = args.bin / f"sim_{name}"
        if not program.exists():
            sys.exit(f"plots: {program} is not built: ninja -C {args.bin.parent} sim_tests")
        with tempfile.TemporaryDirectory() as scratch:
            series_path = pathlib.Path(scratch) / "series.csv"
            run = subprocess.run([program, "--seed", str(args.seed), "--series", series_path], stdout=subprocess.DEVNULL)
            if run.returncode:
                print(f"plots: sim_{name}: seed {args.seed} breaks a limit; drawn all the same", file=sys.stderr)
            series = with_sum(read_series(series_path))
        if not series:
            sys.exit(f"plots: {program} wrote no series")
        png = args.out / ((f"{number}_" if number else "") + name + ".png")
        script = gnuplot_script(png, title[0].upper() + title[1:], series)
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
        print(png)


if __name__ == "__main__":
    main()
