"""What template.yaml is with an event bus and without one, after SAM's transformation."""

import copy
import json
import unittest
from typing import Any, ClassVar

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import aws, template

# What exists only with an event bus: the function, and all that it needs.
OF_EVENTS = {
    "PublishErrorLines",
    "PublishFunction",
    "PublishFunctionWritten",
    "PublishLogGroup",
    "PublishRole",
    "UnpublishedEventsAlarm",
    "UnpublishedEventsQueue",
    "UnpublishedEventsQueuePolicy",
}


def transformed() -> dict[str, Any]:
    """The template as CloudFormation gets it."""
    source = template.read()
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    region = boto3.Session(region_name=aws.REGION)
    return Translator({}, Parser(), boto_session=region).translate(source, {})


class Stack:
    """What a template makes with some parameters."""

    def __init__(self, template: dict[str, Any], **parameters: str) -> None:
        """`parameters` replace the template's defaults."""
        self._conditions = template["Conditions"]
        defaults = {name: entry.get("Default") for name, entry in template["Parameters"].items()}
        self._parameters = {**defaults, **parameters}
        self.resources = self._there(template["Resources"])
        self.outputs = self._there(template["Outputs"])

    def _there(self, entries: dict[str, Any]) -> dict[str, Any]:
        there = {}
        for name, entry in entries.items():
            condition = entry.get("Condition")
            if condition is None or self._holds({"Condition": condition}):
                there[name] = self._resolved({key: value for key, value in entry.items() if key != "Condition"})
        return there

    def _holds(self, condition: Any) -> bool:
        (kind, operands), *_ = condition.items()
        match kind:
            case "Condition":
                return self._holds(self._conditions[operands])
            case "Fn::Not":
                return not self._holds(operands[0])
            case "Fn::And":
                return all(self._holds(operand) for operand in operands)
            case "Fn::Equals":
                first, second = (self._parameters[of["Ref"]] if isinstance(of, dict) else of for of in operands)
                return first == second
        raise AssertionError(f"{kind} is a condition that this test does not know")

    def _resolved(self, value: Any) -> Any:
        """The value, with one branch of each `Fn::If`; fields without a value are left out."""
        if isinstance(value, list):
            return [self._resolved(element) for element in value]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, then, otherwise = value["Fn::If"]
            return self._resolved(then if self._holds({"Condition": condition}) else otherwise)
        fields = {name: self._resolved(field) for name, field in value.items()}
        return {name: field for name, field in fields.items() if field != {"Ref": "AWS::NoValue"}}


class EventBus(unittest.TestCase):
    """The parameter `EventBusName`."""

    template: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = transformed()

    def test_without_a_bus_there_is_nothing_of_events(self) -> None:
        stack = Stack(self.template)
        self.assertFalse(OF_EVENTS & set(stack.resources))
        text = json.dumps([stack.resources, stack.outputs])
        for word in ("Publish", "UnpublishedEvents", "EventBusName", "StreamSpecification"):
            self.assertNotIn(word, text)

    def test_a_bus_adds_a_function_and_a_stream_and_changes_nothing_else(self) -> None:
        without, with_bus = Stack(self.template), Stack(self.template, EventBusName="a-bus")
        self.assertEqual(set(with_bus.resources) - set(without.resources), OF_EVENTS)
        self.assertEqual(
            set(with_bus.outputs) - set(without.outputs), {"PublishFunctionName", "UnpublishedEventsQueueUrl"}
        )
        others = copy.deepcopy({name: with_bus.resources[name] for name in without.resources})
        stream = others["RequestsTable"]["Properties"].pop("StreamSpecification")
        self.assertEqual(stream, {"StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.assertEqual(others, without.resources)

    def test_the_stream_passes_on_links_and_requests_that_were_written(self) -> None:
        trigger = Stack(self.template, EventBusName="a-bus").resources["PublishFunctionWritten"]["Properties"]
        pattern = json.loads(trigger["FilterCriteria"]["Filters"][0]["Pattern"])
        prefixes = pattern["dynamodb"]["Keys"]["pk"]["S"]
        self.assertEqual(prefixes, [{"prefix": "link#"}, {"prefix": "request#"}])
        self.assertEqual(pattern["eventName"], ["INSERT", "MODIFY"])
        self.assertNotIn("FunctionResponseTypes", trigger, "a batch fails as a whole")

    def test_what_cannot_be_published_goes_to_a_queue_that_raises_an_alarm(self) -> None:
        resources = Stack(self.template, EventBusName="a-bus").resources
        trigger = resources["PublishFunctionWritten"]["Properties"]
        queue = {"Fn::GetAtt": ["UnpublishedEventsQueue", "Arn"]}
        self.assertEqual(trigger["DestinationConfig"]["OnFailure"]["Destination"], queue)
        self.assertLessEqual(trigger["MaximumRecordAgeInSeconds"], 3_600)
        statements = resources["PublishRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        self.assertIn({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}, statements)
        alarm = resources["UnpublishedEventsAlarm"]["Properties"]
        self.assertEqual(alarm["Dimensions"][0]["Value"], {"Fn::GetAtt": ["UnpublishedEventsQueue", "QueueName"]})
