"""What the metric filters of template.yaml make of a local stack's log: the local AWS makes nothing of them."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from local.logs import Line as LogLine

TERM = re.compile(r'\$\.([\w.]+) = "([^"]*)"')


class Value(NamedTuple):
    """A value of a metric, and when it was logged, in seconds."""

    at_s: float
    value: float


def of_log(resources: dict[str, Any], log: Iterable[LogLine]) -> dict[str, list[Value]]:
    """The values of each metric."""
    filters = [entry["Properties"] for entry in resources.values() if entry["Type"] == "AWS::Logs::MetricFilter"]
    values = defaultdict(list)
    for logged in log:
        try:
            line = json.loads(logged.message)
        except ValueError:
            continue  # a line of the platform
        for metric, value in _values(filters, logged.function, line):
            values[metric].append(Value(_seconds(line, logged), value))
    return dict(values)


def _values(filters: list[dict[str, Any]], function: str, line: Any) -> Iterator[tuple[str, float]]:
    for one in filters:
        group: str = one["LogGroupName"]["Ref"]
        terms = TERM.findall(one["FilterPattern"])
        is_of_it = group == f"{function.capitalize()}LogGroup"
        if not is_of_it or not all(_at(line, path) == text for path, text in terms):
            continue
        (metric,) = one["MetricTransformations"]
        text: str = metric["MetricValue"]
        value = _at(line, text.removeprefix("$.")) if text.startswith("$.") else float(text)
        if isinstance(value, int | float):
            yield metric["MetricName"], value


def _at(line: Any, path: str) -> Any:
    for name in path.split("."):
        line = line.get(name) if isinstance(line, dict) else None
    return line


def _seconds(line: dict[str, Any], logged: LogLine) -> float:
    text = line.get("timestamp")
    return datetime.fromisoformat(text).timestamp() if text else logged.at_ms / 1_000
