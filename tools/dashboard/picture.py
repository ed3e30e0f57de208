"""The dashboard as a picture, drawn of the metrics that are made of a log."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from dashboard.graphs import OURS, ROWS, Graph

BINS = 40
Values = dict[str, list[list[float]]]


def draw(data: Path, picture: Path) -> None:
    """Draws what `python -m dashboard values` wrote."""
    content = json.loads(data.read_text())
    values: Values = content["values"]
    instants = [value[0] for series in values.values() for value in series] or [0.0, 1.0]
    span = (min(instants), max(*instants, min(instants) + 1))
    columns = max(len(row) for row in ROWS)
    with mpl.rc_context({"font.size": 7, "axes.titlesize": 8}):
        figure, grid = plt.subplots(len(ROWS), columns, figsize=(4 * columns, 2.3 * len(ROWS)), layout="constrained")
        for row, places in zip(ROWS, grid, strict=True):
            for graph, axes in zip(row, places, strict=True):
                _plot(axes, graph, values, content["thresholds"], span)
        figure.savefig(picture, dpi=90)
        plt.close(figure)


def _plot(axes: Axes, graph: Graph, values: Values, thresholds: dict[str, Any], span: tuple[float, float]) -> None:
    axes.set_title(graph.title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, span[1] - span[0])
    drawn = [line for line in graph.lines if line.metric in values]
    for line in drawn:
        points = _points(values[line.metric], line.statistic, span)
        name = f"{line.metric}, {line.statistic}" if line.statistic.startswith("p") else line.metric
        axes.plot(*zip(*points, strict=True), marker=".", linewidth=1, label=name)
    if not drawn:
        nothing = "no values" if any(line.namespace == OURS for line in graph.lines) else "measured by AWS"
        axes.text(0.5, 0.5, nothing, transform=axes.transAxes, ha="center", color="#888888")
        axes.set_yticks([])
        return
    axes.set_ylim(0, 1.3 * max(1, axes.get_ylim()[1]))
    for name, threshold in thresholds.get(graph.title, {}).items():
        if isinstance(threshold, int | float) and threshold <= 2 * axes.get_ylim()[1]:
            axes.axhline(threshold, color="#b7410e", linewidth=0.8, linestyle="--", label=name)
    axes.legend(frameon=False, loc="upper right")


def _points(series: list[list[float]], statistic: str, span: tuple[float, float]) -> list[tuple[float, float]]:
    """The statistic of each of the bins that have a value."""
    width = (span[1] - span[0]) / BINS
    bins: dict[int, list[float]] = {}
    for at_s, value in series:
        bins.setdefault(int((at_s - span[0]) / width), []).append(value)
    return [(number * width, _statistic(statistic, sorted(bins[number]))) for number in sorted(bins)]


def _statistic(name: str, values: list[float]) -> float:
    match name:
        case "Sum":
            return sum(values)
        case "Maximum":
            return values[-1]
        case "Minimum":
            return values[0]
    share = int(name.removeprefix("p")) / 100
    return values[min(len(values) - 1, int(share * len(values)))]
