"""Each alarm of template.yaml tells somebody, leads to a page of docs/runbooks, and has a test that lets it go off."""

import json
import re
import unittest
from typing import Any, ClassVar

from dashboard import body, graphs, values
from local import paths, template
from local.logs import Line
from tests.test_template import Stack, transformed

TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
RUNBOOKS = paths.ROOT / "docs" / "runbooks"
TESTS = paths.ROOT / "tests" / "tests" / "handlers" / "alarms.rs"


class Alarms(unittest.TestCase):
    """With an event bus, so that all of them are there."""

    alarms: ClassVar[dict[str, dict[str, Any]]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.alarms = alarms_of(Stack(transformed(), EventBusName="a-bus", AlarmTopicArn=TOPIC))

    def test_each_tells_the_topic_when_it_goes_off(self) -> None:
        for name, alarm in self.alarms.items():
            # Without data it would be in alarm on a new stack; it tells when it begins to have none instead.
            without_data = alarm["TreatMissingData"] == "missing"
            action = "InsufficientDataActions" if without_data else "AlarmActions"
            self.assertEqual(alarm.get(action), [{"Ref": "AlarmTopicArn"}], name)
            self.assertNotEqual(alarm["TreatMissingData"], "breaching", name)

    def test_without_a_topic_they_tell_nobody(self) -> None:
        for name, alarm in alarms_of(Stack(transformed())).items():
            self.assertFalse([field for field in alarm if field.endswith("Actions")], name)

    def test_each_has_a_test_that_lets_it_go_off(self) -> None:
        tested = set(re.findall(r'"(\w+Alarm)"', TESTS.read_text()))
        self.assertEqual(set(self.alarms), tested)

    def test_each_leads_to_its_page_and_each_page_is_of_one(self) -> None:
        pages = {page_of(alarm) for alarm in self.alarms.values()}
        self.assertEqual(pages, {page.name for page in RUNBOOKS.glob("*.md") if page.stem != "README"})


class Dashboard(unittest.TestCase):
    """The one that `make dashboard` puts into template.yaml."""

    def test_it_is_the_one_of_the_list_and_the_alarms(self) -> None:
        text = (paths.ROOT / "template.yaml").read_text()
        made = body.put_into(text, template.read()["Resources"])
        self.assertTrue(made == text, "run `make dashboard`")

    def test_it_shows_every_metric(self) -> None:
        resources = template.read()["Resources"].values()
        filters = [entry["Properties"] for entry in resources if entry["Type"] == "AWS::Logs::MetricFilter"]
        metrics = {one["MetricTransformations"][0]["MetricName"] for one in filters}
        lines = {line for row in graphs.ROWS for graph in row for line in graph.lines}
        shown = {line.metric for line in lines if line.namespace == graphs.OURS}
        # The same age as `OldestUnansweredPercent`, in seconds.
        self.assertEqual(metrics - {"OldestUnansweredSeconds"}, shown)


class Values(unittest.TestCase):
    """What the picture of the dashboard is drawn of."""

    def test_a_filter_makes_a_value_of_a_line_of_its_function(self) -> None:
        resources = template.read()["Resources"]
        refused = json.dumps({"fields": {"event": "webhook_refused", "problem": "unauthorized"}})
        collected = json.dumps(
            {"timestamp": "2026-03-01T00:00:00Z", "fields": {"event": "rows_collected", "new": 3, "healed": None}}
        )
        made = values.of_log(
            resources,
            [
                Line(1_000, "webhook", refused),
                Line(1_000, "collect", refused),
                Line(1_000, "collect", collected),
                Line(1_000, "collect", "START"),
            ],
        )
        self.assertEqual(made, {"UnauthorizedWebhooks": [(1.0, 1.0)], "NewRows": [(1772323200.0, 3)]})


def alarms_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """The properties of a stack's alarms, by their names."""
    resources = stack.resources.items()
    return {name: entry["Properties"] for name, entry in resources if entry["Type"] == "AWS::CloudWatch::Alarm"}


def page_of(alarm: dict[str, Any]) -> str:
    """The file name at the end of an alarm's description."""
    description: str = alarm["AlarmDescription"]["Fn::Sub"]
    return description.split("${RunbooksUrl}/")[1]
