"""The template of a canary deployment, after SAM's transformation."""

import copy
import json
import tempfile
import unittest
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, ClassVar

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from deploy import canary
from local import aws, paths, template
from local.errors import LocalError
from tests.test_template import Stack, transformed

KIND = "Canary10Percent5Minutes"
FUNCTIONS = ("Collect", "Publish", "Query", "Request", "Webhook")


def sam(source: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """The template as CloudFormation gets it with these parameters."""
    source = copy.deepcopy(source)
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    region = boto3.Session(region_name=aws.REGION)
    return Translator({}, Parser(), boto_session=region).translate(source, parameters)


def named(value: Any) -> Iterator[str]:
    """What a part of a template refers to, whatever it is."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (piece.split("}")[0].split(".")[0] for piece in text.split("${")[1:])
        case dict():
            for part in value.values():
                yield from named(part)
        case list():
            for part in value:
                yield from named(part)


class Canary(unittest.TestCase):
    """With an event bus, so that all functions are there."""

    build: ClassVar[Path]
    template: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.build = Path(directory.name)
        for function in FUNCTIONS:
            program = cls.build / f"{function}Function" / "bootstrap"
            program.parent.mkdir()
            program.write_bytes(function.encode())
        cls.template = sam(cls.with_aliases())

    @classmethod
    def with_aliases(cls, kind: str = KIND, **parameters: str) -> dict[str, Any]:
        """The template before SAM transforms it."""
        return canary.with_aliases(template.read(), kind, cls.build, parameters)

    def of_type(self, kind: str, transformed: dict[str, Any] | None = None) -> set[str]:
        """The names of the resources of one type."""
        resources = (transformed or self.template)["Resources"].items()
        return {name for name, resource in resources if resource["Type"] == kind}

    def test_without_one_there_is_no_alias(self) -> None:
        kinds = {resource["Type"] for resource in transformed()["Resources"].values()}
        self.assertFalse({kind for kind in kinds if "CodeDeploy" in kind or kind.endswith(("::Alias", "::Version"))})

    def test_the_api_and_the_triggers_call_the_aliases(self) -> None:
        aliases = {f"{function}FunctionAlias{canary.ALIAS}" for function in FUNCTIONS}
        self.assertEqual(self.of_type("AWS::Lambda::Alias"), aliases)
        resources = self.template["Resources"]
        kinds = ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission")
        callers = [resources[name] for kind in kinds for name in self.of_type(kind)] + [resources["Api"]]
        called = {name for caller in callers for name in named(caller)}
        self.assertEqual({name for name in called if "Function" in name}, aliases)

    def test_what_only_an_event_bus_needs_is_there_with_one_only(self) -> None:
        without, with_bus = Stack(self.template), Stack(self.template, EventBusName="a-bus")
        self.assertFalse([name for name in without.resources if "Publish" in name])
        groups = [name for name, it in with_bus.resources.items() if it["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
        self.assertEqual(set(groups), {f"{function}FunctionDeploymentGroup" for function in FUNCTIONS})

    def test_the_errors_of_a_new_version_take_it_back(self) -> None:
        for function in FUNCTIONS:
            group = self.template["Resources"][f"{function}FunctionDeploymentGroup"]["Properties"]
            alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
            self.assertEqual(alarms, ["ErrorLinesAlarm", f"{function}CanaryAlarm"])
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["AutoRollbackConfiguration"]["Events"])
            dimensions = self.template["Resources"][f"{function}CanaryAlarm"]["Properties"]["Dimensions"]
            (version,) = named(next(it["Value"] for it in dimensions if it["Name"] == "ExecutedVersion"))
            self.assertEqual(self.template["Resources"][version]["Type"], "AWS::Lambda::Version")
            self.assertTrue(version.startswith(function))

    def test_nothing_refers_to_itself(self) -> None:
        """CloudFormation takes no template that goes round in a circle."""
        self.in_order(self.template)

    def test_an_alarm_of_the_api_would(self) -> None:
        """Hence none of these ends a deployment."""
        source = self.with_aliases()
        preference = source["Resources"]["WebhookFunction"]["Properties"]["DeploymentPreference"]
        preference["Alarms"].append({"Ref": "WebhookErrorsAlarm"})
        with self.assertRaises(CycleError):
            self.in_order(sam(source))

    def in_order(self, template: dict[str, Any]) -> None:
        """Fails unless each resource can be made after those that it refers to."""
        resources = template["Resources"]
        graph = {name: {other for other in named(it) if other in resources} for name, it in resources.items()}
        TopologicalSorter(graph).prepare()

    def test_a_program_or_a_parameter_makes_new_versions(self) -> None:
        """An alias would keep the environment of its version, and SAM by itself overlooks values of parameters."""

        def versions(source: dict[str, Any], **parameters: str) -> set[str]:
            return self.of_type("AWS::Lambda::Version", sam(source, **parameters))

        before = versions(self.with_aliases(LogLevel="INFO"), LogLevel="INFO")
        self.assertEqual(versions(self.with_aliases(LogLevel="INFO"), LogLevel="INFO"), before)
        self.assertFalse(versions(self.with_aliases(LogLevel="DEBUG"), LogLevel="DEBUG") & before)
        program = self.build / "QueryFunction" / "bootstrap"
        self.addCleanup(program.write_bytes, program.read_bytes())
        program.write_bytes(b"another")
        (changed,) = versions(self.with_aliases(LogLevel="INFO"), LogLevel="INFO") - before
        self.assertTrue(changed.startswith("QueryFunctionVersion"))

    def test_at_once_means_without_a_look_at_alarms(self) -> None:
        """So that a version can be deployed that ends an alarm."""
        transformed = sam(self.with_aliases(canary.AT_ONCE))
        group = transformed["Resources"]["CollectFunctionDeploymentGroup"]["Properties"]
        self.assertNotIn("AlarmConfiguration", group)
        self.assertNotIn("CollectCanaryAlarm", transformed["Resources"])

    def test_it_is_written_beside_the_functions(self) -> None:
        built = self.build / "template.yaml"
        built.write_text((paths.ROOT / "template.yaml").read_text())
        written = canary.write(built, KIND, {})
        self.assertEqual(written.parent, self.build)
        self.assertEqual(json.loads(written.read_text()), self.with_aliases())

    def test_a_type_that_codedeploy_does_not_have_is_refused(self) -> None:
        canary.require_type(KIND)
        with self.assertRaisesRegex(LocalError, "canary is 10Percent, and may be one of Canary10Percent5Minutes"):
            canary.require_type("10Percent")


class Parameter(unittest.TestCase):
    """Why it is not a parameter of the template."""

    def test_sam_makes_no_alias_that_depends_on_one(self) -> None:
        """When this fails, docs/decisions/0039-deployments.md has lost its reason."""
        conditional = {"Fn::If": ["HasEventBus", "live", {"Ref": "AWS::NoValue"}]}
        for alias, message in ((conditional, "must be a string"), ({"Ref": "EventBusName"}, "Alias name is required")):
            source = template.read()
            source["Resources"]["QueryFunction"]["Properties"]["AutoPublishAlias"] = alias
            with self.assertRaises(InvalidDocumentException) as refused:
                sam(source, EventBusName="")
            (cause,) = refused.exception.causes
            self.assertIn(message, cause.message)
