"""`make preflight`: what it finds, what it lets pass, and that it leaves nothing behind in an account."""

import contextlib
import copy
import io
import json
import tempfile
import unittest
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import boto3
from botocore.stub import ANY, Stubber

from deploy import edge
from deploy.aws import Aws
from local import aws, ministack, processes, template
from local.errors import LocalError
from preflight import __main__ as preflight
from preflight import account, findings, limits, linters, page, parameters, permissions
from preflight.account import Account
from preflight.findings import Exemption, Finding, Step
from preflight.parameters import Chosen

FINDING = Finding("CKV_AWS_27", "Queue", "it is not encrypted", "Encrypt it.")
KNOWN = Exemption("CKV_AWS_27", ("Q*",), "mistaken", "It is.")


def rules_of(step: Step) -> list[tuple[str, str]]:
    """Which rules are broken, and by what."""
    return [(finding.rule, finding.resource) for finding in step.findings]


def temporary(test: unittest.TestCase) -> Path:
    """A directory for one test."""
    return Path(test.enterContext(tempfile.TemporaryDirectory()))


class Exceptions(unittest.TestCase):
    """Findings that are explained."""

    def reported(self, found: list[Finding], known: list[Exemption]) -> tuple[int, str]:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            return preflight.report([Step("a check", 3, tuple(found))], known), printed.getvalue()

    def test_a_finding_without_one_fails_and_says_what_to_do(self) -> None:
        code, printed = self.reported([FINDING], [])
        self.assertEqual(code, 1)
        self.assertIn("CKV_AWS_27  Queue\n  it is not encrypted\n  Encrypt it.", printed)

    def test_a_finding_with_one_is_counted_and_passes(self) -> None:
        code, printed = self.reported([FINDING], [KNOWN])
        self.assertEqual(code, 0)
        self.assertIn("3 rules: 1 finding by 1 of them, all explained", printed)

    def test_one_is_about_its_rule_and_its_resources_only(self) -> None:
        others = [Finding("CKV_AWS_28", "Queue", "", ""), Finding("CKV_AWS_27", "Table", "", "")]
        self.assertEqual(findings.unexplained([*others, FINDING], [KNOWN]), others)

    def test_one_that_explains_nothing_fails(self) -> None:
        code, printed = self.reported([FINDING], [Exemption("CKV_AWS_27", ("Queue", "Gone"), "mistaken", "It is.")])
        self.assertEqual(code, 1)
        self.assertIn("CKV_AWS_27  Gone\n  this exception matches nothing", printed)

    def test_each_says_why(self) -> None:
        file = temporary(self) / "exceptions.toml"
        whole = 'rule = "R"\nresources = ["A"]\nkind = "moot"\nreason = "It cannot."\n'
        file.write_text(f"[[exception]]\n{whole}")
        self.assertEqual(findings.exceptions(file), [Exemption("R", ("A",), "moot", "It cannot.")])
        for line, other in (
            ('reason = "It cannot."', ""),
            ('reason = "It cannot."', 'reason = ""'),
            ('kind = "moot"', 'kind = "odd"'),
            ('["A"]', "[]"),
        ):
            file.write_text(f"[[exception]]\n{whole.replace(line, other)}")
            with self.assertRaisesRegex(LocalError, "a reason"):
                findings.exceptions(file)


class Documents(unittest.TestCase):
    """Tables that documents quote."""

    def test_those_that_need_no_linter_are_what_the_files_say(self) -> None:
        made = {"permissions": permissions.table(), "exceptions": page.of_exceptions(findings.exceptions())}
        self.assertEqual(page.check(made).findings, (), "run `make preflight WRITE=1`")
        text = "".join(file.read_text() for file in page.PAGES)
        for name in ("preflight", *made):
            self.assertIn(f"<!-- figures: {name} -->\n|", text)

    def test_a_quoted_table_is_replaced_and_the_rest_stays(self) -> None:
        document = "before\n<!-- figures: a -->\nold\n<!-- end -->\nafter\n"
        self.assertEqual(page.quoted(document, {"a": "new"}), document.replace("old", "new"))
        self.assertEqual(page.quoted(document, {}), document)

    def test_one_with_other_figures_fails_until_it_is_written_anew(self) -> None:
        file = temporary(self) / "page.md"
        file.write_text("<!-- figures: preflight -->\n<!-- end -->\n")
        steps = [Step("a", 3, (FINDING, FINDING))]
        made = page.tables(steps, [KNOWN])
        self.assertEqual(rules_of(page.check(made, [file])), [("figures", "page.md")])
        page.write(made, [file])
        self.assertIn("| a | 3 | 2 | 1 |", file.read_text())
        self.assertEqual(page.check(made, [file]).findings, ())


class Limits(unittest.TestCase):
    """Limits of AWS that no linter knows."""

    made: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.made = template.transformed()

    def setUp(self) -> None:
        """Each test changes a template of its own."""
        self.template = copy.deepcopy(self.made)
        self.resources = self.template["Resources"]

    def found(self) -> list[tuple[str, str]]:
        return rules_of(limits.check(self.template))

    def test_the_template_keeps_them(self) -> None:
        self.assertEqual(self.found(), [])

    def test_a_name_made_of_the_stacks_needs_a_known_limit(self) -> None:
        self.resources["Sweep"]["Properties"]["Name"] = {"Fn::Sub": "${AWS::StackName}-sweep"}
        self.assertEqual(self.found(), [("name-length", "Sweep")])

    def test_a_name_leaves_room_for_the_longest_of_a_stack(self) -> None:
        queue = self.resources["Queue"]["Properties"]
        queue["QueueName"] = {"Fn::Sub": "${AWS::StackName}-notifications-2.fifo"}
        self.assertEqual(self.found(), [("name-length", "Queue")])

    def test_the_permissions_of_a_function_fit_into_its_policy(self) -> None:
        permission = next(entry for entry in self.resources.values() if entry["Type"] == "AWS::Lambda::Permission")
        self.resources |= {f"More{number}": permission for number in range(60)}
        function = permission["Properties"]["FunctionName"]["Ref"]
        self.assertEqual(self.found(), [("resource-policy-size", function)])

    def test_the_api_waits_for_its_functions(self) -> None:
        self.resources["QueryFunction"]["Properties"]["Timeout"] = 31
        self.assertEqual(self.found(), [("integration-timeout", "QueryFunction")])

    def test_messages_are_hidden_for_as_long_as_a_function_may_need(self) -> None:
        self.resources["CollectFunction"]["Properties"]["Timeout"] = 301
        self.assertEqual(self.found(), [("visibility-timeout", "CollectFunction")])

    def test_a_log_group_takes_a_hundred_filters(self) -> None:
        self.resources |= {f"More{number}": self.resources["NewRows"] for number in range(100)}
        self.assertEqual(self.found(), [("metric-filters", "CollectLogGroup")])

    def test_functions_write_into_log_groups_that_they_may_write_into(self) -> None:
        self.resources["QueryFunction"]["Properties"]["LoggingConfig"]["LogGroup"] = {"Ref": "CollectLogGroup"}
        self.assertEqual(self.found(), [("log-permission", "QueryFunction"), ("unused-log-group", "QueryLogGroup")])


class Parameters(unittest.TestCase):
    """What a deployment would choose."""

    made: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.made = template.transformed()

    def found(self, **values: str) -> list[tuple[str, str]]:
        return rules_of(parameters.check(self.made, [Chosen("here", values)]))

    def test_the_defaults_are_good(self) -> None:
        self.assertEqual(self.found(), [])

    def test_all_calls_of_belvo_together_stay_within_its_limit(self) -> None:
        self.assertEqual(self.found(CollectConcurrency="2", CollectCallsPer30Seconds="32"), [])
        for name, value in (
            ("CollectConcurrency", "3"),
            ("CollectCallsPer30Seconds", "33"),
            ("RequestCallsPer30Seconds", "21"),
        ):
            self.assertEqual(self.found(**{name: value}), [("pace", "CollectCallsPer30Seconds")])

    def test_what_cloudformation_would_refuse_is_found_before_it_does(self) -> None:
        for name, value in (
            ("Unknown", "1"),
            ("CollectConcurrency", "1"),
            ("CollectConcurrency", "1001"),
            ("CollectConcurrency", "two"),
            ("LogLevel", "TRACE"),
            ("CompanyName", ""),
            ("ConsentPurpose", "x" * 141),
            ("AllowedSourceIps", "999.1.1.1"),
        ):
            self.assertEqual(self.found(**{name: value}), [("parameter", name)], value)

    def test_belvos_example_is_not_shown_to_users_of_its_production(self) -> None:
        own = {"CompanyName": "Own", "CompanyIconUrl": "https://own/icon", "CompanyLogoUrl": "https://own/logo"}
        real = {"BelvoBaseUrl": "https://api.belvo.com"}
        self.assertEqual([rule for rule, _ in self.found(**real)], ["belvos-example"] * 3)
        self.assertEqual(self.found(**real, **own), [])

    def test_an_environment_fits_into_lambda(self) -> None:
        long = f"https://own/{'x' * 2_000}"
        self.assertEqual(self.found(CompanyIconUrl=long), [])
        self.assertEqual(
            self.found(CompanyIconUrl=long, CompanyLogoUrl=long), [("environment-size", "RequestFunction")]
        )

    def test_environments_are_those_of_make_deploy(self) -> None:
        of = {one.source: one for one in parameters.tracked()}
        self.assertEqual(of["prod"].parameters, {"BelvoBaseUrl": parameters.PRODUCTION})
        self.assertEqual(of["prod"].capabilities, ("CAPABILITY_IAM",))
        self.assertNotIn("local", of)
        own = temporary(self) / "deploy.toml"
        own.write_text("[prod.parameters]\nCollectConcurrency = 3\n")
        chosen = parameters.of_environment("prod", own)
        self.assertEqual(chosen.parameters, {"BelvoBaseUrl": parameters.PRODUCTION, "CollectConcurrency": "3"})
        self.assertEqual(
            {finding.rule for finding in parameters.check(self.made, [chosen]).findings}, {"pace", "belvos-example"}
        )

    def test_what_is_tracked_needs_no_company(self) -> None:
        """That is in everybody's own file."""
        self.assertEqual(parameters.check(self.made, parameters.tracked()).findings, ())

    def test_what_is_no_pair_is_refused(self) -> None:
        with self.assertRaisesRegex(LocalError, "LogLevel is not NAME=VALUE"):
            parameters.parsed(["LogLevel"])


class Permissions(unittest.TestCase):
    """What a role needs that deploys."""

    def test_the_types_of_the_template_are_those_of_the_list(self) -> None:
        made, front = template.transformed(), template.read(edge.TEMPLATE)
        self.assertEqual(permissions.check(made, front).findings, ())
        del made["Resources"]["Dashboard"]
        made["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}
        wanted = [("permissions", "AWS::SNS::Topic"), ("permissions", "AWS::CloudWatch::Dashboard")]
        self.assertEqual(rules_of(permissions.check(made, front)), wanted)

    def test_the_policy_allows_each_action_and_roles_of_the_stack_only(self) -> None:
        text = permissions.policy("my-stack")
        everything, roles = json.loads(text)["Statement"]
        self.assertEqual(roles["Resource"], ["arn:aws:iam::*:role/my-stack*", "arn:aws:iam::*:policy/my-stack*"])
        self.assertFalse([action for action in everything["Action"] if action.startswith("iam:")])
        actions = {*everything["Action"], *roles["Action"]}
        self.assertLessEqual({"logs:CreateLogDelivery", "logs:PutResourcePolicy", "iam:PassRole"}, actions)
        # "IAM and AWS STS quotas": a managed policy, without white space.
        self.assertLess(len("".join(text.split())), 6_144)


@unittest.skipUnless((linters.BIN / "checkov").exists(), "`make preflight` installs the linters")
class Linters(unittest.TestCase):
    """cfn-lint and checkov, on a template with one fault for each."""

    def test_both_find_what_is_wrong_in_any_region(self) -> None:
        file = temporary(self) / "template.json"
        queue = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}
        # Exceptions are in one file, and not in the template.
        queue["Metadata"] = {
            "cfn-lint": {"config": {"ignore_checks": ["I3013"]}},
            "checkov": {"skip": [{"id": "CKV_AWS_27", "comment": "no"}]},
        }
        # AWS Device Farm is in one region.
        farm = {"Type": "AWS::DeviceFarm::Project", "Properties": {"Name": "a"}}
        file.write_text(json.dumps({"Resources": {"Queue": queue, "Farm": farm}}, indent=1))
        of_cfn_lint, of_checkov = linters.check({"faulty": file})
        # Informational: a queue should say how long it keeps messages.
        self.assertEqual(set(rules_of(of_cfn_lint)), {("E3006", "Farm"), ("I3013", "Queue")})
        self.assertEqual(rules_of(of_checkov), [("CKV_AWS_27", "Queue")])


class LinterAnswers(unittest.TestCase):
    """What is made of a linter's answer."""

    def test_a_template_that_checkov_cannot_read_has_not_passed(self) -> None:
        answer = {"results": {"parsing_errors": ["x"]}, "summary": {"parsing_errors": 0, "resource_count": 0}}
        with self.assertRaisesRegex(LocalError, "could not read it"):
            linters.judged("it", answer)


class AskedFor(unittest.TestCase):
    """The account of somebody's credentials is used if that is asked for."""

    def run_with(self, *options: str) -> str:
        """What is printed; no linter runs, and no account answers."""
        self.enterContext(patch.object(linters, "check", return_value=[]))
        self.enterContext(patch("deploy.aws.of_user", side_effect=LocalError("the account was asked")))
        self.enterContext(patch("sys.argv", ["preflight", *options]))
        printed = self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        self.enterContext(contextlib.redirect_stderr(printed))
        preflight.main()
        return printed.getvalue()

    def test_without_being_asked_for_it_is_left_alone_and_that_is_said(self) -> None:
        printed = self.run_with()
        self.assertNotIn("the account was asked", printed)
        self.assertIn(preflight.WITHOUT_ACCOUNT, printed)

    def test_if_it_cannot_be_reached_the_other_checks_are_shown(self) -> None:
        printed = self.run_with("--account")
        self.assertIn("AWS's limits", printed)
        self.assertIn("error: the account was asked", printed)

    def test_an_environment_that_is_not_there_is_said_at_once(self) -> None:
        printed = self.run_with("--environment=nowhere")
        self.assertRegex(printed, "^error: there is no environment nowhere")


class WithAccount(unittest.TestCase):
    """The checks that need an account, on the local AWS."""

    endpoint: ClassVar[aws.Endpoint]

    @classmethod
    def setUpClass(cls) -> None:
        state = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.enterClassContext(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        pid, cls.endpoint = ministack.start(state)
        cls.addClassCleanup(processes.stop, pid, state)

    def setUp(self) -> None:
        """Asks often whether something is done."""
        self.account = replace(account.connect(aws.reached(self.endpoint)), poll_seconds=0.05)

    def assert_nothing_is_left(self) -> None:
        stacks = self.account.client("cloudformation").describe_stacks()["Stacks"]
        self.assertEqual(stacks, [])
        self.assertEqual(self.account.client("s3").list_buckets()["Buckets"], [])

    def test_a_change_set_is_made_and_removed(self) -> None:
        step = account.change_set(self.account, Chosen("here", {"LogLevel": "WARN"}))
        self.assertEqual(step.findings, ())
        self.assertRegex(step.scope, r"^of \d{3} resources$")
        self.assert_nothing_is_left()

    def test_a_bucket_of_another_region_names_it(self) -> None:
        """The one region that must not be named is us-east-1 ("CreateBucket", Amazon S3)."""
        for region, place in (("us-east-1", {}), ("sa-east-1", {"LocationConstraint": "sa-east-1"})):
            made: list[dict[str, Any]] = []
            s3 = self.account.client("s3")
            s3.meta.events.register(
                "provide-client-params.s3.CreateBucket", lambda params, made=made, **_: made.append(params)
            )
            there = replace(self.account, aws=replace(self.account.aws, region=region, client=lambda _, s3=s3: s3))
            with contextlib.ExitStack() as left:
                account._upload(there, left)
            self.assertEqual(made[0].get("CreateBucketConfiguration", {}), place)

    def test_one_that_is_refused_is_a_finding_and_leaves_nothing(self) -> None:
        step = account.change_set(self.account, Chosen("here", {"Attempts": "1"}))
        self.assertEqual(rules_of(step), [("change-set", "template.yaml")])
        self.assertIn("Attempts", step.findings[0].message)
        self.assert_nothing_is_left()

    def test_what_is_made_is_removed_also_if_a_call_fails(self) -> None:
        with patch.object(account, "_validation", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            account.change_set(self.account, Chosen("here", {}))
        self.assert_nothing_is_left()

    def test_retained_tables_go_on_in_a_new_stack(self) -> None:
        cloudformation, dynamodb = (self.account.client(service) for service in ("cloudformation", "dynamodb"))
        often = {"Delay": 0.05, "MaxAttempts": 1_000}
        tables = json.dumps(template.tables())
        cloudformation.create_stack(StackName="old", TemplateBody=tables)
        cloudformation.get_waiter("stack_create_complete").wait(StackName="old", WaiterConfig=often)
        old = names_of_tables(cloudformation, "old")
        dynamodb.put_item(TableName=old["TransactionsTable"], Item={"_link": {"S": "a"}, "_item": {"S": "b"}})
        cloudformation.delete_stack(StackName="old")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="old", WaiterConfig=often)

        adopt = {"StackName": "new", "ChangeSetName": "adopt"}
        cloudformation.create_change_set(
            **adopt,
            ChangeSetType="IMPORT",
            TemplateBody=tables,
            ResourcesToImport=[
                {
                    "ResourceType": "AWS::DynamoDB::Table",
                    "LogicalResourceId": name,
                    "ResourceIdentifier": {"TableName": table},
                }
                for name, table in old.items()
            ],
        )
        cloudformation.get_waiter("change_set_create_complete").wait(**adopt, WaiterConfig=often)
        changes = cloudformation.describe_change_set(**adopt)["Changes"]
        self.assertEqual([change["ResourceChange"]["Action"] for change in changes], ["Import", "Import"])
        cloudformation.execute_change_set(**adopt)
        cloudformation.get_waiter("stack_import_complete").wait(StackName="new", WaiterConfig=often)
        self.assertEqual(names_of_tables(cloudformation, "new"), old)
        self.assertEqual(dynamodb.scan(TableName=old["TransactionsTable"])["Count"], 1)

        cloudformation.delete_stack(StackName="new")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="new", WaiterConfig=often)


def names_of_tables(cloudformation: Any, stack: str) -> dict[str, str]:
    """The tables of a stack, by their logical ids."""
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}


class ImportOfTheApi(unittest.TestCase):
    """API Gateway's import, which the local AWS does not have."""

    def setUp(self) -> None:
        """API Gateway answers what a test says."""
        key = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self.gateway = boto3.client("apigatewayv2", "eu-west-1", **key)
        self.answers = self.enterContext(Stubber(self.gateway))
        self.account = Account(Aws(lambda _: self.gateway, "eu-west-1", {}), "123456789012", "aws", "throw-away")

    def test_the_api_is_imported_with_warnings_as_errors_and_deleted(self) -> None:
        wanted = {"Body": ANY, "FailOnWarnings": True}
        self.answers.add_response("import_api", {"ApiId": "an-id"}, wanted)
        self.answers.add_response("delete_api", {}, {"ApiId": "an-id"})
        step = account.import_api(self.account, template.transformed())
        self.assertEqual(step.findings, ())
        self.answers.assert_no_pending_responses()

    def test_nothing_of_cloudformation_is_left_in_its_body(self) -> None:
        sent = []
        self.gateway.meta.events.register(
            "provide-client-params.*.ImportApi", lambda params, **_: sent.append(params["Body"])
        )
        self.answers.add_response("import_api", {"ApiId": "an-id"})
        self.answers.add_response("delete_api", {})
        account.import_api(self.account, template.transformed())
        self.assertNotRegex(sent[0], r"Fn::|\$\{|\"Ref\"")
        self.assertNotIn("servers", json.loads(sent[0]), "the default endpoint is disabled by a parameter alone")
        uri = json.loads(sent[0])["paths"]["/links"]["get"]["x-amazon-apigateway-integration"]["uri"]
        function = "arn:aws:lambda:eu-west-1:123456789012:function:throw-away-QueryFunction"
        self.assertEqual(uri, f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations")

    def test_a_warning_is_a_finding(self) -> None:
        message = "Warnings found during import: a parameter has no schema"
        self.answers.add_client_error("import_api", "BadRequestException", message)
        step = account.import_api(self.account, template.transformed())
        self.assertEqual([finding.message for finding in step.findings], [message])
        self.answers.assert_no_pending_responses()

    def test_a_refusal_names_the_page_with_the_permissions(self) -> None:
        self.answers.add_client_error("import_api", "AccessDeniedException", "not authorized")
        with self.assertRaisesRegex(LocalError, r"not authorized.*docs/DEPLOYMENT.md.*throw-away"):
            account.check(self.account, template.transformed(), Chosen("here", {}))


class ValidationByCloudFormation(unittest.TestCase):
    """What CloudFormation says of a change set that it made."""

    def test_failures_and_warnings_are_findings(self) -> None:
        client = boto3.client("cloudformation", region_name="eu-west-1")
        names = {"StackName": "a", "ChangeSetName": "b"}
        event = {
            "EventType": "VALIDATION_ERROR",
            "ValidationStatus": "FAILED",
            "ValidationName": "NAME_CONFLICT_VALIDATION",
            "ValidationFailureMode": "FAIL",
            "ValidationStatusReason": "it is there already",
            "LogicalResourceId": "Queue",
        }
        with Stubber(client) as answers:
            events = [event, {"EventType": "STACK_EVENT"}, {**event, "ValidationStatus": "SKIPPED"}]
            answers.add_response("describe_events", {"OperationEvents": events}, names)
            (finding,) = account._validation(client, names)
        self.assertEqual((finding.rule, finding.resource), ("NAME_CONFLICT_VALIDATION", "Queue"))
        self.assertEqual(finding.message, "FAIL: it is there already")
