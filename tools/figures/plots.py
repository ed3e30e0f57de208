"""Plots of what was measured, as SVG. The same results give the same bytes."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from figures.results import FUNCTIONS, MAKERS, Results, Row
from figures.tables import FLOORS

COLOURS = {"ours": "#b7410e", "python": "#3572a5", "node": "#5fa04e", None: "#888888"}
STYLE = {"svg.hashsalt": "belvo-ingest", "svg.fonttype": "none", "font.size": 9, "axes.axisbelow": True}


def draw(results: Results, directory: Path) -> None:
    """Writes every plot."""
    plots: dict[str, Callable[[Axes, Results], None]] = {
        "init": _init,
        "webhook-cpu": _webhook_cpu,
        "collect-cpu": _collect_cpu,
        "collect-memory": _collect_memory,
    }
    with mpl.rc_context(STYLE):
        for name, plot in plots.items():
            figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
            plot(axes, results)
            axes.spines[["top", "right"]].set_visible(False)
            # Without a date, so that equal results are equal files.
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _init(axes: Axes, results: Results) -> None:
    bars = [("no-op", None, results.row("start", function="no-op", transport="tls"))]
    for function in FUNCTIONS:
        for maker in MAKERS:
            bars += [(f"{function}, {MAKERS[maker]}", maker, row) for row in _started(results, function, maker)]
    _bars(axes, [(name, COLOURS[maker], row["init_ms"]["median"]) for name, maker, row in bars])
    axes.set_xscale("log")
    axes.set_title("INIT with connections opened over TLS, ms (less is better)")


def _started(results: Results, function: str, maker: str) -> list[Row]:
    return results.rows("start", function=function, maker=maker, transport="tls")


def _webhook_cpu(axes: Axes, results: Results) -> None:
    names = MAKERS | FLOORS
    rows = results.rows("deliveries")
    _bars(
        axes,
        [
            (names[row["maker"] or row["program"]], COLOURS[row["maker"]], row["cpu_ms"]["median"] * 1_000)
            for row in rows
        ],
    )
    axes.set_title("Processor time of one webhook, µs (less is better)")


def _collect_cpu(axes: Axes, results: Results) -> None:
    _lines(axes, results, lambda row: row["cpu_ms"]["median"] * 1_000 / row["rows"])
    axes.set_title("Processor time of 1,000 new rows, ms (less is better)")
    axes.set_yscale("log")


def _collect_memory(axes: Axes, results: Results) -> None:
    _lines(axes, results, lambda row: row["peak_memory_kib"] * 1_024 / 1e6)
    axes.set_title("Peak memory of a first collection, MB (less is better)")
    axes.set_ylim(bottom=0)


def _lines(axes: Axes, results: Results, value: Callable[[Row], float]) -> None:
    for maker in results.makers():
        rows = sorted(results.rows("collections", maker=maker, step="first"), key=lambda row: row["rows"])
        axes.plot(
            [row["rows"] for row in rows],
            [value(row) for row in rows],
            marker="o",
            color=COLOURS[maker],
            label=MAKERS[maker],
        )
    axes.set_xscale("log")
    axes.set_xlabel("rows of the window")
    axes.grid(axis="y", color="#dddddd")
    axes.legend(frameon=False)


def _bars(axes: Axes, bars: list[tuple[str, str, float]]) -> None:
    names, colours, values = zip(*bars, strict=True)
    container = axes.barh(names, values, color=colours)
    axes.bar_label(container, fmt="{:,.1f}", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
