"""Plots of what was measured, as SVG. The same results give the same bytes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

Row = dict[str, Any]

NAMES = {
    "ours": "Rust (ours)",
    "plain": "Rust, plain",
    "python": "Python",
    "node": "Node.js",
    "floor-noop": "floor: no-op",
    "floor-send": "floor: the SQS call",
}
# None is a floor.
COLOURS = {"ours": "#b7410e", "plain": "#8a6fb0", "python": "#3572a5", "node": "#5fa04e", None: "#888888"}
STYLE = {"svg.hashsalt": "belvo-ingest", "svg.fonttype": "none", "font.size": 9, "axes.axisbelow": True}


def draw(directory: Path) -> None:
    """Draws every plot of a directory of results into it."""
    plots: dict[str, tuple[str, Callable[[Axes, list[Row]], None]]] = {
        "init": ("start", _init),
        "webhook-cpu": ("deliveries", _webhook_cpu),
        "collect-cpu": ("collections", _collect_cpu),
        "collect-memory": ("collections", _collect_memory),
    }
    with mpl.rc_context(STYLE):
        for name, (suite, plot) in plots.items():
            figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
            plot(axes, json.loads((directory / f"{suite}.json").read_text())["measured"])
            axes.spines[["top", "right"]].set_visible(False)
            # Without a date, so that equal results are equal files.
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _init(axes: Axes, rows: list[Row]) -> None:
    # Only ours has a query function.
    compared = [row for row in rows if row["transport"] == "tls" and row["function"] != "query"]
    _bars(axes, [(_function(row), COLOURS[row["maker"]], row["init_ms"]["median"]) for row in compared])
    axes.set_xscale("log")
    axes.set_title("INIT with connections opened over TLS, ms (less is better)")


def _function(row: Row) -> str:
    return f"{row['function']}, {NAMES[row['maker']]}" if row["maker"] else row["function"]


def _webhook_cpu(axes: Axes, rows: list[Row]) -> None:
    _bars(
        axes,
        [
            (NAMES[row["maker"] or row["program"]], COLOURS[row["maker"]], row["cpu_ms"]["median"] * 1_000)
            for row in rows
        ],
    )
    axes.set_title("Processor time of one webhook, µs (less is better)")


def _collect_cpu(axes: Axes, rows: list[Row]) -> None:
    _lines(axes, rows, lambda row: row["cpu_ms"]["median"] * 1_000 / row["rows"])
    axes.set_title("Processor time of 1,000 new rows, ms (less is better)")
    axes.set_yscale("log")


def _collect_memory(axes: Axes, rows: list[Row]) -> None:
    _lines(axes, rows, lambda row: row["peak_memory_kib"] * 1_024 / 1e6)
    axes.set_title("Peak memory of a first collection, MB (less is better)")
    axes.set_ylim(bottom=0)


def _lines(axes: Axes, rows: list[Row], value: Callable[[Row], float]) -> None:
    first = sorted((row for row in rows if row["step"] == "first"), key=lambda row: row["rows"])
    for maker in dict.fromkeys(row["maker"] for row in first if row["maker"]):
        of_maker = [row for row in first if row["maker"] == maker]
        axes.plot(
            [row["rows"] for row in of_maker],
            [value(row) for row in of_maker],
            marker="o",
            color=COLOURS[maker],
            label=NAMES[maker],
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
