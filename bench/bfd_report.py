"""Figures of all daemons and rounds: one table, with ratios of paired rounds, and one chart."""

import re
import statistics

from bfd_parts import PARTS, grouped

FIRST = "peregrine"
CHART_ROW = re.compile(r"CPU, ([\d ]+) x 50 ms")


class Results:
    """What was measured. Rows keep the order in which they came, within their part."""

    def __init__(self, names):
        self.names = names
        self.rows = {}  # (part, what, unit): {name: {round: number}}
        self.notes = []

    def add(self, name, number, figures):
        for row, value in figures.items():
            self.rows.setdefault(row, {n: {} for n in self.names})[name][number] = value

    def note(self, name, text):
        line = f"{name}: {text}"
        if line not in self.notes:
            self.notes.append(line)

    def derive_memory(self):
        """Memory per session is what some of them take beyond what one takes."""
        one = self.rows.pop(("memory", "resident, 1 x 50 ms", "bytes"), None)
        rows = [row for row in self.rows if row[0] == "memory"]
        for row in rows:
            values = self.rows.pop(row)
            count = int(re.search(r"([\d ]+) x", row[1])[1].replace(" ", ""))
            for name in self.names:
                base = list((one or {}).get(name, {}).values())
                per_session = {n: (v - statistics.median(base)) / (count - 1) for n, v in values[name].items() if base}
                self.add_all(("memory", row[1].replace("resident", "per session"), "bytes"), name, per_session)
            self.rows[(row[0], row[1].replace("resident", "resident set"), "MB")] = {
                name: {n: v / 1e6 for n, v in of.items()} for name, of in values.items()}

    def add_all(self, row, name, values):
        for number, value in values.items():
            self.add(name, number, {row: value})

    def median(self, row, name):
        values = list(self.rows[row][name].values())
        return statistics.median(values) if values else None

    def ratio(self, row, name):
        """To Peregrine's, the median of those rounds in which both took part; None where it says nothing."""
        if row[0] == "jitter" or row[2] in ("", "1/s"):
            return None
        ours, theirs = self.rows[row].get(FIRST, {}), self.rows[row][name]
        ratios = [theirs[n] / ours[n] for n in theirs if ours.get(n, 0) > 0 and theirs[n] > 0]
        return statistics.median(ratios) if ratios else None


def number(value):
    if value is None:
        return "-"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def print_table(results):
    others = [name for name in results.names if name != FIRST and FIRST in results.names]
    heads = ["", "unit", *results.names, *(f"{name}/{FIRST}" for name in others)]
    lines = []
    for part in PARTS:
        for row in (r for r in results.rows if r[0] == part):
            lines.append([f"{part}: {row[1]}", row[2] or "count", *(number(results.median(row, n)) for n in results.names),
                          *(number(results.ratio(row, n)) for n in others)])
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    for line in [heads, *lines]:
        print(line[0].ljust(widths[0]), line[1].ljust(widths[1]),
              *(cell.rjust(width) for cell, width in zip(line[2:], widths[2:])), sep="  ")
    for note in results.notes:
        print("note:", note)


def draw_chart(results, path):
    """CPU by number of sessions at 50 ms."""
    try:
        import matplotlib  # pylint: disable=import-outside-toplevel
    except ImportError:
        print("note: no chart, matplotlib (python3-matplotlib) is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    counts = set()
    for name in results.names:
        points = sorted((int(found[1].replace(" ", "")), results.median(row, name))
                        for row in results.rows if (found := CHART_ROW.fullmatch(row[1])) and results.rows[row][name])
        counts |= {count for count, _ in points}
        if points:
            axes.plot(*zip(*points), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="BFD sessions, 50 ms x 3", ylabel="CPU of the daemon, % of a core",
             title="Processor time by number of sessions")
    axes.set_xticks(sorted(counts), [grouped(count) for count in sorted(counts)], minor=False)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    print(f"chart: {path}")
