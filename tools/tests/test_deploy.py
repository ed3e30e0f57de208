"""A deployment to AWS goes the way of one to the local AWS, and says early what is wrong with it."""

import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.stub import Stubber

from deploy import __main__ as command
from deploy import aws, canary, edge, environment, sam
from deploy.aws import Aws
from deploy.environment import Environment
from deploy.sam import Deployment, Stack
from local import aws as local_aws
from local import deployment, paths, template
from local.aws import Endpoint
from local.errors import LocalError
from release import package

ENDPOINT = Endpoint("http://127.0.0.1:4566", "secret")
THEIRS = {"PATH": os.environ["PATH"], "HOME": "/home/of/theirs", "AWS_PROFILE": "work"}
# No profile, no credentials and no machine that could give some.
NOBODY = {
    "PATH": os.environ["PATH"],
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "sa-east-1",
}


class Files(unittest.TestCase):
    """Tests with files of their own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)

    def own(self, text: str) -> Path:
        """A deploy.toml."""
        file = self.folder / "deploy.toml"
        file.write_text(text)
        return file

    def load(self, text: str, name: str = "dev") -> Environment:
        """The environment as this deploy.toml makes it."""
        return environment.load(name, own=self.own(text))


class SameWay(Files):
    """What `sam` is called with for both."""

    updated_at = "now"

    def setUp(self) -> None:
        super().setUp()
        built = self.folder / "template.yaml"
        shutil.copy(paths.ROOT / "template.yaml", built)
        with patch.object(paths, "BUILT_TEMPLATE", built):
            self.ours = deployment.planned(ENDPOINT, self.folder, {"Architecture": "arm64"})
        reached = Aws(client=lambda _: None, region="sa-east-1", variables=THEIRS, profile="work")
        self.theirs = replace(self.ours, aws=reached)

    def called_with(self, plan: Deployment, log: Path | None = None) -> tuple[list[str], Mapping[str, str]]:
        """The arguments and the environment of `sam`."""
        done = subprocess.CompletedProcess([], 0)
        with (
            patch("deploy.sam.subprocess.run", return_value=done) as run,
            patch("deploy.sam.paths.require", side_effect=lambda path, _: path),
            patch("deploy.sam.find", side_effect=[Stack("", {}, {}, at) for at in ("before", self.updated_at)]),
        ):
            self.stack = sam.deploy(plan, self.folder, log)
        return run.call_args.args[0], run.call_args.kwargs["env"]

    def test_a_stack_that_stays_as_it_was_is_told_from_one_that_was_changed(self) -> None:
        """SAM succeeds either way."""
        self.called_with(self.theirs)
        self.assertTrue(self.stack.is_changed)
        self.updated_at = "before"
        self.called_with(self.theirs)
        self.assertFalse(self.stack.is_changed)

    def test_the_arguments_differ_in_region_and_profile_alone(self) -> None:
        local, _ = self.called_with(self.ours, self.folder / "log")
        real, _ = self.called_with(self.theirs)
        self.assertEqual(set(local) - set(real), {"--region=us-east-1"})
        self.assertEqual(set(real) - set(local), {"--region=sa-east-1", "--profile=work"})

    def test_the_endpoint_is_in_the_environment_of_the_local_one_alone(self) -> None:
        _, local = self.called_with(self.ours, self.folder / "log")
        _, real = self.called_with(self.theirs)
        self.assertEqual(local["AWS_ENDPOINT_URL"], ENDPOINT.url)
        self.assertNotIn("AWS_PROFILE", local)
        self.assertEqual({**real}, {**THEIRS, "SAM_CLI_TELEMETRY": "0"})

    def test_both_read_the_section_of_their_environment(self) -> None:
        local, _ = self.called_with(self.ours, self.folder / "log")
        self.assertIn("--config-env=local", local)
        dev, _ = self.called_with(replace(self.theirs, environment="dev", unasked=True))
        self.assertIn("--config-env=dev", dev)
        self.assertIn(f"--config-file={paths.ROOT / 'samconfig.toml'}", dev)
        self.assertIn("--no-confirm-changeset", dev)

    def test_a_deployment_that_fails_says_where_to_look(self) -> None:
        failed = subprocess.CompletedProcess([], 1)
        with (
            patch("deploy.sam.subprocess.run", return_value=failed),
            patch("deploy.sam.find", return_value=None),
            patch("deploy.sam.paths.require", side_effect=lambda path, _: path),
            self.assertRaisesRegex(LocalError, "see above"),
        ):
            sam.deploy(self.theirs, self.folder)

    def test_every_parameter_has_a_value(self) -> None:
        """Of what was deployed before, nothing stays that is no longer asked for."""
        values = sam.all_parameters(self.ours.template, self.ours.parameters)
        declared = template.read()["Parameters"]
        self.assertEqual(values.keys(), declared.keys())
        self.assertEqual(values["QueuesRequireTls"], "false", "as samconfig.toml has it for local runs")
        self.assertEqual(values["AlarmTopicArn"], "")
        self.assertEqual(values["ScrubDays"], "7")

    def test_a_parameter_that_the_template_does_not_have_is_refused(self) -> None:
        for name, hint in (("LogLevle", "is LogLevel meant"), ("Xyzzy", "README.md")):
            with self.assertRaisesRegex(LocalError, hint):
                sam.all_parameters(self.ours.template, {name: "INFO"})


class Environments(Files):
    """samconfig.toml and deploy.toml."""

    def test_an_environment_that_is_none_is_refused_and_the_others_are_named(self) -> None:
        for name in ("", "staging"):
            with self.assertRaisesRegex(LocalError, "has dev, prod: make deploy ENVIRONMENT=dev"):
                self.load("", name)
        with self.assertRaisesRegex(LocalError, "make up"):
            self.load("", "local")

    def test_only_prod_asks_and_it_calls_belvos_production(self) -> None:
        dev, prod = self.load(""), self.load("", "prod")
        self.assertEqual((dev.asks, prod.asks), (False, True))
        self.assertEqual(prod.parameters, {"BelvoBaseUrl": "https://api.belvo.com"})
        self.assertEqual((dev.stack, prod.stack), ("belvo-ingest-dev", "belvo-ingest-prod"))

    def test_what_is_ones_own_goes_before_what_all_have(self) -> None:
        mine = self.load(
            """
            [prod]
            stack_name = "mine"
            region = "sa-east-1"
            [prod.parameters]
            BelvoBaseUrl = "https://belvo.example"
            DeletionProtection = false
            ScrubDays = 3
            """,
            "prod",
        )
        self.assertEqual((mine.stack, mine.region, mine.profile), ("mine", "sa-east-1", None))
        expected = {"BelvoBaseUrl": "https://belvo.example", "DeletionProtection": "false", "ScrubDays": "3"}
        self.assertEqual(mine.parameters, expected)

    def test_the_longest_stack_name_is_one_with_which_queues_can_be_named(self) -> None:
        resources = template.read()["Resources"].values()
        names = [
            it["Properties"]["QueueName"]["Fn::Sub"] for it in resources if "QueueName" in it.get("Properties", {})
        ]
        longest = max(names, key=len).replace("${AWS::StackName}", "s" * environment.LONGEST_STACK_NAME)
        self.assertEqual(len(longest), 80)
        self.assertEqual(environment.LONGEST_STACK_NAME, 61)
        self.assertTrue(self.load(f'[dev]\nstack_name = "{"s" * 61}"'))
        with self.assertRaisesRegex(LocalError, "has 62 characters, and may have 61"):
            self.load(f'[dev]\nstack_name = "{"s" * 62}"')

    def test_what_deploy_toml_cannot_mean_is_refused(self) -> None:
        for text, message in (
            ("[staging]", r"a section \[staging\]"),
            ('[dev]\nprofil = "work"', "names profil"),
            ("[dev", "is not TOML"),
            ("[dev]\nedge = true", r"it is a section: \[dev.edge\]"),
        ):
            with self.assertRaisesRegex(LocalError, message):
                self.load(text)

    def test_the_example_is_one(self) -> None:
        text = (paths.ROOT / "deploy.example.toml").read_text()
        # The front, which costs something each month, is a comment.
        text = re.sub(r"^# (\[|\w+ = )", r"\1", text, flags=re.MULTILINE)
        declared, sections = template.read()["Parameters"], tomllib.loads(text)
        of_front = template.read(edge.TEMPLATE)["Parameters"]
        self.assertEqual({key for section in sections.values() for key in section}, environment.OWN_KEYS)
        for name in sections:
            shown = self.load(text, name)
            for parameter, value in shown.parameters.items():
                self.assertRegex(value, declared[parameter].get("AllowedPattern", "."), parameter)
            for parameter, value in (shown.edge or {}).items():
                self.assertIn(value, of_front[parameter].get("AllowedValues", [value]), parameter)
            edge.require_possible(shown)
            if shown.canary:
                canary.require_type(shown.canary)

    def test_nothing_tracked_is_of_an_account(self) -> None:
        text = (paths.ROOT / "samconfig.toml").read_text()
        self.assertIsNone(re.search(r"\d{12}|^(profile|region|role_arn) *=", text, re.MULTILINE))
        self.assertIn("/deploy.toml", (paths.ROOT / ".gitignore").read_text().splitlines())


class Command(Files):
    """`python -m deploy`."""

    def setUp(self) -> None:
        super().setUp()
        built = self.folder / "build" / "template.yaml"
        built.parent.mkdir()
        shutil.copy(paths.ROOT / "template.yaml", built)
        for name, resource in template.read()["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                (built.parent / name).mkdir()
                (built.parent / name / "bootstrap").touch()
        there = Aws(client=lambda _: None, region="sa-east-1", variables={})
        self.said = self.enterContext(patch("sys.stdout", io.StringIO()))
        self.errors = self.enterContext(patch("sys.stderr", io.StringIO()))
        self.enterContext(patch.object(command, "BUILT_TEMPLATE", built))
        self.enterContext(patch.object(environment, "OWN", self.folder / "deploy.toml"))
        self.enterContext(patch("deploy.aws.of_user", return_value=there))
        self.account = self.enterContext(patch("deploy.aws.account_of", return_value="111111111111"))
        stack = Stack("UPDATE_COMPLETE", {"WebhookUrl": "https://a/webhooks/belvo"}, {})
        self.deploy = self.enterContext(patch("deploy.sam.deploy", return_value=stack))

    def run_with(self, *argv: str) -> int:
        """Where there is no terminal."""
        with patch("sys.argv", ["deploy", *argv]), patch("sys.stdin", io.StringIO()):
            return command.main()

    def test_the_environment_is_deployed_and_its_stack_shown(self) -> None:
        self.assertEqual(self.run_with("check", "dev"), 0)
        self.assertIn("belvo-ingest-dev to account 111111111111, sa-east-1", self.said.getvalue())
        self.deploy.assert_not_called()
        self.assertEqual(self.run_with("deploy", "dev"), 0)
        plan = self.deploy.call_args.args[0]
        self.assertEqual((plan.environment, plan.stack, plan.unasked), ("dev", "belvo-ingest-dev", False))
        self.assertIn("belvo-ingest-dev: UPDATE_COMPLETE", self.said.getvalue())
        self.assertIn("make secrets ENVIRONMENT=dev", self.said.getvalue())

    def test_prod_is_not_deployed_unasked_where_nobody_can_be_asked_unless_that_is_meant(self) -> None:
        for step in ("check", "deploy"):
            self.assertEqual(self.run_with(step, "prod"), 1)
        self.assertIn("no terminal to ask at", self.errors.getvalue())
        self.assertIn("CONFIRM=no", self.errors.getvalue())
        self.deploy.assert_not_called()
        self.assertEqual(self.run_with("deploy", "prod", "--unasked"), 0)
        self.assertTrue(self.deploy.call_args.args[0].unasked)

    def test_a_first_change_set_that_is_declined_deploys_nothing(self) -> None:
        self.deploy.return_value = Stack("REVIEW_IN_PROGRESS", {}, {}, is_changed=False)
        self.assertEqual(self.run_with("deploy", "dev"), 0)
        self.assertIn("the change set was not executed", self.said.getvalue())
        self.assertNotIn("make secrets", self.said.getvalue())

    def test_another_account_is_not_deployed_to(self) -> None:
        self.own('[dev]\naccount = "222222222222"')
        self.assertEqual(self.run_with("deploy", "dev"), 1)
        self.assertIn("wants 222222222222", self.errors.getvalue())
        self.deploy.assert_not_called()

    def test_a_parameter_that_there_is_not_is_refused_before_anything_is_built(self) -> None:
        self.own("[dev.parameters]\nLogLevle = 'INFO'")
        self.assertEqual(self.run_with("check", "dev"), 1)
        self.assertIn("is LogLevel meant", self.errors.getvalue())

    def test_a_front_is_deployed_after_the_stack_that_is_behind_it(self) -> None:
        self.own("[dev.edge]\nWafMode = 'count'")
        outputs = {"ApiUrl": "https://a", "WebhookUrl": "https://a/webhooks/belvo"}
        behind = Stack("UPDATE_COMPLETE", outputs, {"WebhookRateLimit": "500", "RunbooksUrl": "docs"})
        front = Stack("CREATE_COMPLETE", {"WebhookUrl": "https://front/webhooks/belvo"}, {})
        self.deploy.side_effect = [behind, front]
        self.assertEqual(self.run_with("deploy", "dev"), 0)
        plans = [call.args[0] for call in self.deploy.call_args_list]
        self.assertEqual([plan.stack for plan in plans], ["belvo-ingest-dev", "belvo-ingest-dev-edge"])
        self.assertEqual(plans[1].parameters["WafMode"], "count")
        self.assertIn("Register    https://front/webhooks/belvo at Belvo", self.said.getvalue())

    def test_a_front_that_is_impossible_is_refused_before_anything_is_built(self) -> None:
        self.own("[dev.parameters]\nAllowedSourceIps = '192.0.2.1'\n[dev.edge]")
        self.assertEqual(self.run_with("check", "dev"), 1)
        self.assertIn("would refuse every webhook", self.errors.getvalue())

    def test_a_canary_deploys_the_template_with_aliases(self) -> None:
        self.assertEqual(self.run_with("deploy", "dev", "--canary", "Canary10Percent5Minutes"), 0)
        plan = self.deploy.call_args.args[0]
        self.assertEqual(plan.template.name, "canary.json")
        query = template.read(plan.template)["Resources"]["QueryFunction"]["Properties"]
        self.assertEqual(query["DeploymentPreference"]["Type"], "Canary10Percent5Minutes")
        self.own('[dev]\ncanary = "AllAtOnce"')
        self.assertEqual(self.run_with("deploy", "dev"), 0)
        query = template.read(plan.template)["Resources"]["QueryFunction"]["Properties"]
        self.assertEqual(query["DeploymentPreference"]["Type"], "AllAtOnce")
        self.assertEqual(self.run_with("check", "dev", "--canary", "10Percent"), 1)

    def released(self) -> Path:
        """A release whose programs do nothing."""
        self.enterContext(patch.object(package, "RELEASES", self.folder))
        folder = self.folder / "1.2.3"
        folder.mkdir()
        (self.folder / "program").touch()
        programs = dict.fromkeys(package.programs(template.read()).values(), self.folder / "program")
        package.write(folder, paths.ROOT, programs, "arm64", None)
        package.write_sums(folder)
        return folder

    def test_a_release_is_deployed_as_it_was_made(self) -> None:
        folder = self.released()
        self.assertEqual(self.run_with("deploy", "dev", "--release", "1.2.3"), 0)
        self.assertEqual(self.deploy.call_args.args[0].template, folder / "template.yaml")
        self.deploy.reset_mock()
        (folder / "query.zip").write_bytes(b"another")
        for step in ("check", "deploy"):
            self.assertEqual(self.run_with(step, "dev", "--release", "1.2.3"), 1)
        self.assertIn("query.zip in", self.errors.getvalue())
        self.deploy.assert_not_called()

    def test_a_release_that_is_not_there_is_not_deployed(self) -> None:
        self.enterContext(patch.object(package, "RELEASES", self.folder))
        self.assertEqual(self.run_with("check", "dev", "--release", "1.2.3"), 1)
        self.assertIn("make release VERSION=1.2.3", self.errors.getvalue())

    def test_a_canary_of_a_release_looks_at_its_zips(self) -> None:
        folder = self.released()

        def digests() -> dict[str, str]:
            self.assertEqual(self.run_with("deploy", "dev", "--release=1.2.3", "--canary=AllAtOnce"), 0)
            resources = template.read(self.deploy.call_args.args[0].template)["Resources"]
            functions = package.programs(template.read())
            return {name: resources[name]["Properties"]["AutoPublishCodeSha256"] for name in functions}

        before = digests()
        (folder / "query.zip").write_bytes(b"another")
        package.write_sums(folder)
        changed = digests().items() - before.items()
        self.assertEqual([name for name, _ in changed], ["QueryFunction"])


class Page(unittest.TestCase):
    """docs/DEPLOYMENT.md."""

    TEXT = (paths.ROOT / "docs" / "DEPLOYMENT.md").read_text()

    def test_it_has_every_output(self) -> None:
        for output in template.read()["Outputs"]:
            name = re.sub(r"^(Request|Webhook|Collect|Query|Publish)(Function|LogGroup)", r"<Function>\2", output)
            self.assertIn(f"`{name}`", self.TEXT)

    def test_its_policies_are_ones(self) -> None:
        policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", self.TEXT, re.DOTALL)]
        self.assertEqual([policy["Version"] for policy in policies], ["2012-10-17"] * 2)


@patch.dict(os.environ, NOBODY, clear=True)
class Credentials(unittest.TestCase):
    """Whose AWS it is."""

    def test_without_credentials_it_says_how_to_get_some(self) -> None:
        there = aws.of_user(None, None)
        with self.assertRaisesRegex(LocalError, "no AWS credentials.*aws sso login.*deploy.toml"):
            aws.account_of(there)

    def test_credentials_that_aws_refuses_are_said_to_be(self) -> None:
        with patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}):
            client = aws.of_user(None, None).client("sts")
        with Stubber(client) as stub:
            stub.add_client_error("get_caller_identity", "ExpiredToken", "The security token is expired")
            with self.assertRaisesRegex(LocalError, "refuses the credentials.*expired.*aws sso login"):
                aws.account_of(self.reached(client))

    def test_another_account_than_the_wanted_one_is_refused(self) -> None:
        with patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}):
            client = aws.of_user(None, None).client("sts")
        with Stubber(client) as stub:
            for _ in range(3):
                stub.add_response("get_caller_identity", {"Account": "111111111111"})
            aws.require_account(self.reached(client), "111111111111")
            aws.require_account(self.reached(client), None)
            with self.assertRaisesRegex(LocalError, "of account 111111111111.*wants 222222222222"):
                aws.require_account(self.reached(client), "222222222222")

    def test_a_profile_and_a_region_have_to_be_known(self) -> None:
        with self.assertRaisesRegex(LocalError, r"\(work\) could not be found.*deploy.toml"):
            aws.of_user("work", None)
        with patch.dict(os.environ, {"AWS_REGION": "sa-east-1"}):
            del os.environ["AWS_DEFAULT_REGION"]
            self.assertEqual(aws.of_user(None, None).region, "sa-east-1")
            self.assertEqual(aws.of_user(None, "us-east-2").region, "us-east-2")
            del os.environ["AWS_REGION"]
            with self.assertRaisesRegex(LocalError, "no AWS region.*deploy.toml"):
                aws.of_user(None, None)

    def test_the_variables_of_a_local_stack_lead_nowhere(self) -> None:
        """A deployment to AWS from a shell that has read .local/stack/env would end on this machine."""
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
            with (
                patch.dict(os.environ, local_aws.environment(ENDPOINT) | {name: ENDPOINT.url}),
                self.assertRaisesRegex(LocalError, "on this machine.*make up"),
            ):
                aws.of_user(None, None)

    def reached(self, client: Any) -> Aws:
        """An AWS whose services are all this one."""
        return Aws(lambda _: client, "sa-east-1", {})
