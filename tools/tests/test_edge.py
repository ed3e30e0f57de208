"""What edge.yaml admits, and how it is deployed before a stack."""

import re
import unittest
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from deploy import edge, stacks
from deploy.aws import Aws
from deploy.environment import Environment
from deploy.sam import Stack as Described
from local import paths, template
from local.errors import LocalError
from tests.test_alarms import alarms_of, page_of
from tests.test_template import Stack, transformed

BELVO = "18.220.61.186"
STRANGER = "203.0.113.7"
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
WANTED = Environment("prod", "mine", profile="work", edge={})
BEHIND = Described(
    "CREATE_COMPLETE",
    {"ApiUrl": "https://abc.execute-api.sa-east-1.amazonaws.com", "WebhookUrl": "https://abc/webhooks/belvo"},
    {"WebhookRateLimit": "500", "RunbooksUrl": "https://wiki.example/runbooks"},
)


def front(**parameters: str) -> Stack:
    """What edge.yaml makes with these parameters, and otherwise with its defaults."""
    return Stack(template.read(edge.TEMPLATE), **parameters)


@dataclass(frozen=True)
class Request:
    """What the web ACL looks at."""

    address: str = BELVO
    method: str = "POST"
    path: str = "/webhooks/belvo"
    size: int = 1_000


class WebAcl:
    """Decides as AWS WAF does: by the first rule with an action that ends, else by the default."""

    def __init__(self, stack: Stack, parameters: dict[str, str]) -> None:
        """The web ACL of a stack."""
        self._acl = stack.resources["WebAcl"]["Properties"]
        listed = stack.resources["Addresses"]["Properties"]["Addresses"]
        self.addresses = computed(listed, parameters)

    def decide(self, request: Request) -> tuple[str, list[str]]:
        """`Allow` or `Block`, and the rules that counted it."""
        counted = []
        for rule in sorted(self._acl["Rules"], key=lambda rule: rule["Priority"]):
            if self._matches(rule["Statement"], request):
                (action,) = rule["Action"]
                if action != "Count":
                    return action, counted
                counted.append(rule["Name"])
        (action,) = self._acl["DefaultAction"]
        return action, counted

    def _matches(self, statement: dict[str, Any], request: Request) -> bool:
        ((kind, of),) = statement.items()
        match kind:
            case "AndStatement":
                return all(self._matches(each, request) for each in of["Statements"])
            case "IPSetReferenceStatement":
                return f"{request.address}/32" in self.addresses
            case "ByteMatchStatement":
                (part,) = of["FieldToMatch"]
                value = {"UriPath": request.path, "Method": request.method}[part]
                return of["PositionalConstraint"] == "EXACTLY" and value == of["SearchString"]
            case "SizeConstraintStatement":
                return of["ComparisonOperator"] == "LE" and request.size <= of["Size"]
            case "RateBasedStatement":
                return False
        raise AssertionError(f"{kind} is a statement that this test does not know")


def computed(value: Any, parameters: dict[str, str]) -> Any:
    """The value of the functions that edge.yaml makes its addresses with."""
    if not isinstance(value, dict):
        return value
    ((kind, of),) = value.items()
    match kind:
        case "Ref":
            return parameters[of]
        case "Fn::Split":
            return computed(of[1], parameters).split(of[0])
        case "Fn::Join":
            return of[0].join(computed(of[1], parameters))
        case "Fn::Sub":
            text, names = of
            return re.sub(r"\$\{(\w+)\}", lambda name: computed(names[name[1]], parameters), text)
    raise AssertionError(f"{kind} is a function that this test does not know")


def acl(**parameters: str) -> WebAcl:
    """The web ACL with these parameters."""
    defaults = {name: entry.get("Default") for name, entry in template.read(edge.TEMPLATE)["Parameters"].items()}
    return WebAcl(front(**parameters), {**defaults, **parameters})


class Admission(unittest.TestCase):
    """The rules of the web ACL."""

    REFUSED = (
        Request(address=STRANGER),
        Request(method="GET"),
        Request(size=64 * 1024 + 1),
        Request(path="/webhooks/belvo/"),
        Request(path="/links"),
        Request(address=STRANGER, path="/"),
    )

    def test_belvos_webhooks_are_admitted_and_nothing_else_is(self) -> None:
        self.assertEqual(acl().addresses, ["3.130.254.46/32", "18.220.61.186/32", "18.223.45.212/32"])
        self.assertEqual(acl().decide(Request()), ("Allow", []))
        self.assertEqual(acl().decide(Request(size=64 * 1024)), ("Allow", []))
        for request in self.REFUSED:
            self.assertEqual(acl().decide(request), ("Block", []), request)

    def test_a_list_of_ones_own_replaces_belvos(self) -> None:
        mine = acl(AllowedSourceIps=STRANGER)
        self.assertEqual(mine.decide(Request(address=STRANGER)), ("Allow", []))
        self.assertEqual(mine.decide(Request())[0], "Block")

    def test_on_trial_all_is_admitted_and_webhooks_that_would_be_refused_are_counted(self) -> None:
        trial = acl(WafMode="count")
        self.assertEqual(trial.decide(Request()), ("Allow", []))
        for request in self.REFUSED:
            counted = ["Refused"] if request.path == "/webhooks/belvo" else []
            self.assertEqual(trial.decide(request), ("Allow", counted), request)

    def test_it_is_the_route_and_the_size_that_the_function_accepts(self) -> None:
        routes = transformed()["Resources"]["Api"]["Properties"]["Body"]["paths"]
        self.assertEqual(list(routes[Request().path]), ["post"])
        source = (paths.ROOT / "functions" / "webhook" / "src" / "lib.rs").read_text()
        self.assertIn("const MAX_BODY_BYTES: usize = 64 * 1024;", source)
        inspected = web_acl()["AssociationConfig"]["RequestBody"]["CLOUDFRONT"]
        self.assertEqual(inspected, {"DefaultSizeInspectionLimit": "KB_64"})

    def test_only_those_who_are_admitted_count_towards_the_rate(self) -> None:
        rules = {rule["Name"]: rule for rule in web_acl()["Rules"]}
        limited = rules["TooMany"]["Statement"]["RateBasedStatement"]
        addresses = {"IPSetReferenceStatement": {"Arn": {"Fn::GetAtt": ["Addresses", "Arn"]}}}
        self.assertEqual((limited["Limit"], limited["AggregateKeyType"]), ({"Ref": "RateLimit"}, "IP"))
        self.assertEqual((limited["EvaluationWindowSec"], limited["ScopeDownStatement"]), (300, addresses))
        self.assertEqual(rules["TooMany"]["Action"], {"Block": {}})
        self.assertLess(rules["TooMany"]["Priority"], rules["Webhooks"]["Priority"], "an admission ends the evaluation")

    def test_who_is_refused_can_be_seen_and_the_authorization_cannot(self) -> None:
        for rule in (web_acl(), *web_acl()["Rules"]):
            visible = rule["VisibilityConfig"]
            self.assertTrue(visible["CloudWatchMetricsEnabled"] and visible["SampledRequestsEnabled"], rule)
        (protected,) = web_acl()["DataProtectionConfig"]["DataProtections"]
        self.assertEqual(protected["Field"], {"FieldType": "SINGLE_HEADER", "FieldKeys": ["authorization"]})
        self.assertEqual(protected["Action"], "SUBSTITUTION")


class Passage(unittest.TestCase):
    """The distribution."""

    def test_what_is_admitted_reaches_the_api_whole_and_encrypted(self) -> None:
        configuration = distribution()
        (origin,) = configuration["Origins"]
        self.assertEqual(
            (origin["DomainName"], origin["OriginPath"]), ({"Ref": "OriginDomainName"}, {"Ref": "OriginPath"})
        )
        encrypted = {"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}
        self.assertEqual(origin["CustomOriginConfig"], encrypted)
        behaviour = configuration["DefaultCacheBehavior"]
        self.assertEqual(behaviour["ViewerProtocolPolicy"], "https-only")
        self.assertIn("POST", behaviour["AllowedMethods"])
        # Ids of "Use managed cache policies" and "Use managed origin request policies" (CloudFront).
        self.assertEqual(behaviour["CachePolicyId"], "4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
        self.assertEqual(behaviour["OriginRequestPolicyId"], "b689b0a8-53d0-40ab-baf2-68738e2966ac")

    def test_the_web_acl_is_before_it(self) -> None:
        self.assertEqual(distribution()["WebACLId"], {"Fn::GetAtt": ["WebAcl", "Arn"]})
        self.assertNotIn("CacheBehaviors", distribution())

    def test_a_domain_of_ones_own_requires_tls_1_2(self) -> None:
        certificate = "arn:aws:acm:us-east-1:000000000000:certificate/a"
        mine = distribution(DomainName="hooks.example.com", CertificateArn=certificate)
        self.assertEqual(mine["Aliases"], [{"Ref": "DomainName"}])
        self.assertEqual(mine["ViewerCertificate"]["MinimumProtocolVersion"], "TLSv1.2_2021")
        self.assertNotIn("Aliases", distribution())
        self.assertEqual(distribution()["ViewerCertificate"], {"CloudFrontDefaultCertificate": True})

    def test_a_domain_without_a_certificate_is_refused(self) -> None:
        (assertion,) = template.read(edge.TEMPLATE)["Rules"]["DomainWithCertificate"]["Assertions"]
        for domain, certificate, good in (("", "", True), ("d", "c", True), ("d", "", False), ("", "c", False)):
            self.assertEqual(front(DomainName=domain, CertificateArn=certificate).holds(assertion["Assert"]), good)


class Alarms(unittest.TestCase):
    """What tells of refused webhooks."""

    def test_each_sees_a_rule_and_leads_to_a_page_that_names_it(self) -> None:
        rules = {rule["VisibilityConfig"]["MetricName"] for rule in web_acl()["Rules"]}
        alarms = alarms_of(front(AlarmTopicArn=TOPIC))
        self.assertEqual(len(alarms), 2)
        for name, alarm in alarms.items():
            dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
            self.assertEqual(dimensions.keys(), {"WebACL", "Rule"})
            self.assertEqual(dimensions["WebACL"], web_acl()["VisibilityConfig"]["MetricName"])
            self.assertIn(dimensions["Rule"], rules)
            self.assertEqual(alarm["AlarmActions"], [{"Ref": "AlarmTopicArn"}])
            self.assertIn(f"`{name}`", (paths.ROOT / "docs" / "runbooks" / page_of(alarm)).read_text())

    def test_on_trial_they_see_what_is_counted(self) -> None:
        for mode, metric in (("block", "BlockedRequests"), ("count", "CountedRequests")):
            metrics = {alarm["MetricName"] for alarm in alarms_of(front(WafMode=mode)).values()}
            self.assertEqual(metrics, {metric})

    def test_without_a_topic_they_tell_nobody(self) -> None:
        for alarm in alarms_of(front()).values():
            self.assertNotIn("AlarmActions", alarm)


class Parameters(unittest.TestCase):
    """Those of edge.yaml."""

    def test_every_one_and_every_output_is_in_the_page(self) -> None:
        text = (paths.ROOT / "docs" / "DEPLOYMENT.md").read_text().split("### A front for the webhook")[1]
        text = text.split("\n### ")[0]
        source = template.read(edge.TEMPLATE)
        for name in (*source["Parameters"], *source["Outputs"]):
            self.assertIn(f"`{name}`", text)

    def test_addresses_are_addresses_and_there_is_one_at_least(self) -> None:
        declared = template.read(edge.TEMPLATE)["Parameters"]
        of_function = template.read()["Parameters"]["AllowedSourceIps"]["AllowedPattern"]
        self.assertEqual(f"({declared['AllowedSourceIps']['AllowedPattern'][1:-1]})?", of_function[1:-1])
        self.assertRegex(declared["AllowedSourceIps"]["Default"], declared["AllowedSourceIps"]["AllowedPattern"])

    def test_the_default_rate_is_what_the_route_takes(self) -> None:
        per_second = template.read()["Parameters"]["WebhookRateLimit"]["Default"]
        default = template.read(edge.TEMPLATE)["Parameters"]["RateLimit"]["Default"]
        self.assertEqual(default, per_second * edge.WINDOW_SECONDS)


class Deployment(unittest.TestCase):
    """`make deploy` and `make secrets` with a front."""

    def setUp(self) -> None:
        reached = lambda profile, region: Aws(lambda _: None, region, {}, profile)  # noqa: E731
        self.enterContext(patch("deploy.aws.of_user", side_effect=reached))

    def test_it_is_deployed_to_the_region_of_web_acls_with_what_follows_from_the_stack(self) -> None:
        plan = edge.planned(WANTED, BEHIND, unasked=True)
        self.assertEqual((plan.aws.region, plan.aws.profile), ("us-east-1", "work"))
        self.assertEqual((plan.environment, plan.stack, plan.template), ("prod", "mine-edge", paths.ROOT / "edge.yaml"))
        self.assertTrue(plan.unasked)
        self.assertEqual(
            plan.parameters,
            {
                "OriginDomainName": "abc.execute-api.sa-east-1.amazonaws.com",
                "OriginPath": "",
                "RateLimit": "150000",
                "RunbooksUrl": "https://wiki.example/runbooks",
            },
        )

    def test_a_domain_with_a_path_is_the_origin_as_its_parameters_take_it(self) -> None:
        key = "0123456789abcdef0123456789abcdef"
        behind = replace(BEHIND, outputs={"ApiUrl": f"https://belvo.example.com/{key}"})
        given = edge.planned(WANTED, behind, unasked=False).parameters
        self.assertEqual((given["OriginDomainName"], given["OriginPath"]), ("belvo.example.com", f"/{key}"))
        declared = template.read(edge.TEMPLATE)["Parameters"]
        for name, value in given.items():
            self.assertRegex(value, declared[name].get("AllowedPattern", "."), name)

    def test_what_is_ones_own_goes_before_what_follows(self) -> None:
        wanted = replace(WANTED, edge={"RateLimit": "10", "WafMode": "count"})
        given = edge.planned(wanted, BEHIND, unasked=False).parameters
        self.assertEqual((given["RateLimit"], given["WafMode"]), ("10", "count"))

    def test_a_list_in_the_function_would_refuse_every_webhook_and_is_refused(self) -> None:
        edge.require_possible(WANTED)
        listed = replace(WANTED, parameters={"AllowedSourceIps": BELVO})
        with self.assertRaisesRegex(LocalError, r"to \[prod.edge\]"):
            edge.require_possible(listed)
        edge.require_possible(replace(listed, edge=None))

    def test_a_parameter_that_there_is_not_is_refused(self) -> None:
        with self.assertRaisesRegex(LocalError, "edge.yaml has no parameter WafMod; is WafMode meant"):
            edge.require_possible(replace(WANTED, edge={"WafMod": "count"}))

    def test_belvo_is_to_call_the_front_and_tests_go_past_it(self) -> None:
        at_front = Described("CREATE_COMPLETE", {"WebhookUrl": "https://front/webhooks/belvo"}, {})
        with described({"mine": BEHIND, "mine-edge": at_front}), patch("deploy.aws.require_account"):
            with patch("deploy.environment.load", return_value=WANTED):
                found = stacks.find("prod")
            self.assertEqual(found.front_url, "https://front/webhooks/belvo")
            self.assertEqual(found.webhook_url, BEHIND.outputs["WebhookUrl"])
            with patch("deploy.environment.load", return_value=replace(WANTED, edge=None)):
                self.assertIsNone(stacks.find("prod").front_url)

    def test_a_front_that_is_not_there_yet_is_said_to_be(self) -> None:
        with (
            described({"mine-edge": Described("REVIEW_IN_PROGRESS", {}, {})}),
            self.assertRaisesRegex(LocalError, "mine-edge is REVIEW_IN_PROGRESS: make deploy ENVIRONMENT=prod"),
        ):
            edge.url(WANTED)


def described(there: dict[str, Described]) -> Any:
    """AWS with these stacks."""
    return patch("deploy.sam.describe", side_effect=lambda _, name: there[name])


def web_acl(**parameters: str) -> dict[str, Any]:
    """The properties of the web ACL."""
    return front(**parameters).resources["WebAcl"]["Properties"]


def distribution(**parameters: str) -> dict[str, Any]:
    """The settings of the distribution."""
    return front(**parameters).resources["Distribution"]["Properties"]["DistributionConfig"]
