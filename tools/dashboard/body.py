"""The dashboard's definition, as `template.yaml` has it ("Dashboard body structure and syntax", CloudWatch API)."""

import json
import re
from collections.abc import Iterator
from typing import Any

from dashboard.graphs import ROWS, Graph, alarms_of, thresholds

BEGIN = "  # Made by `make dashboard`, of tools/dashboard/graphs.py and the alarms above."
END = "\nOutputs:\n"
ACROSS = 24
HEIGHT = 6
PERIOD_S = 300


def put_into(text: str, resources: dict[str, Any]) -> str:
    """The template's text with the dashboard as it should be."""
    before = text[: text.index(BEGIN)] if BEGIN in text else text[: text.index(END)] + "\n"
    after = text[text.index(END) :]
    widgets = ",\n".join(f"            {_json(widget)}" for widget in _widgets(resources))
    return f"""{before}{BEGIN}
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: !Sub |-
        {{
          "periodOverride": "inherit",
          "widgets": [
{widgets}
          ]
        }}
{after}"""


def _widgets(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    arn = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    alarms = [f"{arn}${{{name}}}" for name in alarms_of(resources)]
    properties = {"title": "Alarms", "sortBy": "stateUpdatedTimestamp", "alarms": alarms}
    yield {"type": "alarm", "x": 0, "y": 0, "width": ACROSS, "height": 3, "properties": properties}
    for number, row in enumerate(ROWS):
        width = ACROSS // len(row)
        for place, graph in enumerate(row):
            yield {
                "type": "metric",
                "x": place * width,
                "y": 3 + number * HEIGHT,
                "width": width,
                "height": HEIGHT,
                "properties": _properties(resources, graph),
            }


def _json(widget: dict[str, Any]) -> str:
    # A parameter stands for a number.
    return re.sub(r'"value": "(\${\w+})"', r'"value": \1', json.dumps(widget, ensure_ascii=False))


def _properties(resources: dict[str, Any], graph: Graph) -> dict[str, Any]:
    metrics = [
        [line.namespace, line.metric, *line.dimensions, {"stat": line.statistic, "label": _label(graph, number)}]
        for number, line in enumerate(graph.lines)
    ]
    lines = [
        {"label": name, "value": f"${{{value['Ref']}}}" if isinstance(value, dict) else value}
        for name, value in thresholds(resources, graph).items()
    ]
    return {
        "title": graph.title,
        "region": "${AWS::Region}",
        "period": PERIOD_S,
        "metrics": metrics,
        "yAxis": {"left": {"min": 0}},
        **({"annotations": {"horizontal": lines}} if lines else {}),
    }


def _label(graph: Graph, number: int) -> str:
    """The metric's name; with the statistic, or what it is of, where there are several of that name."""
    line = graph.lines[number]
    namesakes = [other for other in graph.lines if other.metric == line.metric]
    if len(namesakes) == 1:
        return line.metric
    if line.dimensions:
        return (
            f"{line.metric} of {line.dimensions[-1].strip('${}').removesuffix('.QueueName').removesuffix('Function')}"
        )
    return f"{line.metric}, {line.statistic}"
