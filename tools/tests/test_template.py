"""What template.yaml is with an event bus and without one, after SAM's transformation."""

import copy
import json
import re
import unittest
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from local import paths, template
from local.template import transformed

NO_VALUE = {"Ref": "AWS::NoValue"}
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
OUTPUTS_OF_EVENTS = {
    "PublishFunctionArn",
    "PublishFunctionName",
    "PublishLogGroupName",
    "UnpublishedEventsQueueArn",
    "UnpublishedEventsQueueUrl",
}


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
            if condition is None or self.holds({"Condition": condition}):
                there[name] = self._resolved({key: value for key, value in entry.items() if key != "Condition"})
        return there

    def holds(self, condition: Any) -> bool:
        """Whether a condition is true with these parameters."""
        (kind, operands), *_ = condition.items()
        match kind:
            case "Condition":
                return self.holds(self._conditions[operands])
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(self.holds(operand) for operand in operands)
            case "Fn::Or":
                return any(self.holds(operand) for operand in operands)
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
            return self._resolved(then if self.holds({"Condition": condition}) else otherwise)
        fields = {name: self._resolved(field) for name, field in value.items()}
        return {name: field for name, field in fields.items() if field != NO_VALUE}


class Webhooks(unittest.TestCase):
    """What Belvo's webhooks have to themselves."""

    ROUTE = "POST /webhooks/belvo"
    template: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = transformed()

    def test_their_route_has_limits_and_metrics_of_its_own(self) -> None:
        properties = Stack(self.template).resources["ApiApiGatewayDefaultStage"]["Properties"]
        others = properties["DefaultRouteSettings"]
        self.assertEqual(others["ThrottlingRateLimit"], {"Ref": "ApiRateLimit"})
        self.assertFalse(others["DetailedMetricsEnabled"], "metrics of a route are charged for")
        self.assertEqual(
            properties["RouteSettings"],
            {
                self.ROUTE: {
                    "ThrottlingRateLimit": {"Ref": "WebhookRateLimit"},
                    "ThrottlingBurstLimit": {"Ref": "WebhookBurstLimit"},
                    "DetailedMetricsEnabled": True,
                }
            },
        )

    def test_executions_are_kept_for_them_only_if_that_is_asked_for(self) -> None:
        kept = "ReservedConcurrentExecutions"
        self.assertNotIn(kept, Stack(self.template).resources["WebhookFunction"]["Properties"])
        stack = Stack(self.template, WebhookReservedConcurrency="5")
        self.assertEqual(stack.resources["WebhookFunction"]["Properties"][kept], {"Ref": "WebhookReservedConcurrency"})


class Routes(unittest.TestCase):
    """The API's, which SAM adds to its definition."""

    def test_each_event_has_one_of_its_own(self) -> None:
        """With a definition in the template, SAM says nothing of two events with the same route."""
        functions = [entry["Properties"] for entry in template.read()["Resources"].values() if "Properties" in entry]
        events = [
            event for each in functions for event in each.get("Events", {}).values() if event["Type"] == "HttpApi"
        ]
        body = transformed()["Resources"]["Api"]["Properties"]["Body"]
        self.assertEqual(len(events), sum(len(operations) for operations in body["paths"].values()))


class Deployment(unittest.TestCase):
    """What a first deployment needs."""

    def test_one_that_fails_can_be_rolled_back(self) -> None:
        """DynamoDB refuses to delete protected tables, so that CloudFormation must not try."""
        resources = transformed()["Resources"].values()
        tables = [entry for entry in resources if entry["Type"] == "AWS::DynamoDB::Table"]
        self.assertEqual([table["DeletionPolicy"] for table in tables], ["Retain", "Retain"])
        for table in tables:
            self.assertIn("DeletionProtectionEnabled", table["Properties"])

    def test_the_access_log_says_who_called(self) -> None:
        api = transformed()["Resources"]["ApiApiGatewayDefaultStage"]["Properties"]
        line = json.loads(api["AccessLogSettings"]["Format"])
        self.assertEqual(line["caller"], "$context.identity.userArn")

    def test_a_line_of_the_access_log_is_json_with_an_error_and_without(self) -> None:
        """As "Customize HTTP API access logs" has the variables: what is not there is a dash, and some have quotes."""
        api = transformed()["Resources"]["ApiApiGatewayDefaultStage"]["Properties"]
        log = api["AccessLogSettings"]["Format"]
        self.assertNotIn("\n", log)
        quoted = {"$context.error.message": 'a "quoted" word', "$context.error.messageString": '"a word"'}
        for values in ({}, quoted):
            line = json.loads(re.sub(r"\$context(\.\w+)+", lambda name, of=values: of.get(name[0], "-"), log))
            self.assertEqual(line["error"], "-")


class Parameters(unittest.TestCase):
    """What CloudFormation accepts, a function starts with."""

    def matches(self, name: str, value: str) -> bool:
        return re.fullmatch(template.read()["Parameters"][name]["AllowedPattern"], value) is not None

    def test_addresses_are_addresses(self) -> None:
        for value in ("", "3.130.254.46", "3.130.254.46,18.220.61.186", "0.1.2.3", "255.255.255.255"):
            self.assertTrue(self.matches("AllowedSourceIps", value), value)
        for value in ("999.1.1.1", "256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4,", "1.2.3.4, 5.6.7.8", "::1"):
            self.assertFalse(self.matches("AllowedSourceIps", value), value)

    def test_origins_are_origins(self) -> None:
        for value in ("https://sandbox.belvo.com", "https://a-b.c:65535", "http://127.0.0.1:8080", "http://localhost"):
            self.assertTrue(self.matches("BelvoBaseUrl", value), value)
            self.assertTrue(self.matches("WidgetUrl", f"{value}/"), value)
        for value in ("https://a..b", "https://a:99999", "https://a:0", "https://-a.b", "http://a.b"):
            self.assertFalse(self.matches("BelvoBaseUrl", value), value)
            self.assertFalse(self.matches("WidgetUrl", f"{value}/"), value)
        self.assertFalse(self.matches("BelvoBaseUrl", "https://a/"))

    def test_every_one_is_in_the_readme(self) -> None:
        text = (paths.ROOT / "README.md").read_text().split("### Configuration")[1].split("\n## ")[0]
        for name in template.read()["Parameters"]:
            self.assertIn(f"`{name}`", text)

    def test_every_number_has_bounds(self) -> None:
        for name, entry in template.read()["Parameters"].items():
            if entry["Type"] == "Number" and "AllowedValues" not in entry:
                self.assertLess(entry["MinValue"], entry["MaxValue"], name)
                self.assertLessEqual(entry["MaxValue"], 2**32 - 1, name)


class Access(unittest.TestCase):
    """The policies for those who call the API."""

    def test_every_signed_route_is_in_a_policy_and_deletions_are_in_one_of_their_own(self) -> None:
        resources = transformed()["Resources"]
        allowed = {name: patterns(resources[f"{name}Policy"]) for name in ("Reader", "Requester", "Eraser")}
        paths = resources["Api"]["Properties"]["Body"]["paths"]
        routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
        for method, path in routes:
            if path == "/webhooks/belvo":
                continue
            call = f"{method}{path}"
            able = {name for name, all_of in allowed.items() if any(fnmatchcase(call, one) for one in all_of)}
            expected = {"GET": {"Reader"}, "POST": {"Requester"}, "DELETE": {"Eraser"}}[method]
            self.assertTrue(expected <= able, call)
            self.assertFalse(able - expected - {"Requester"}, call)
            if "Requester" in able - expected:
                self.assertEqual(call, "GET/requests/{id}", "who asks may see what became of it, and no rows")


class KmsKey(unittest.TestCase):
    """The parameter `KmsKeyArn`."""

    KEY: ClassVar[dict[str, str]] = {"Ref": "KmsKeyArn"}
    # Where each kind of resource names its key.
    NAMES: ClassVar[dict[str, tuple[str, ...]]] = {
        "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
        "AWS::SQS::Queue": ("KmsMasterKeyId",),
        "AWS::SecretsManager::Secret": ("KmsKeyId",),
        "AWS::Logs::LogGroup": ("KmsKeyId",),
        "AWS::Lambda::Function": ("KmsKeyArn",),
    }

    def test_with_a_key_everything_is_encrypted_with_it_and_without_one_with_those_of_aws(self) -> None:
        template = transformed()
        key = "arn:aws:kms:us-east-1:123456789012:key/0b1c2d3e-0000-4000-8000-000000000000"
        with_key = Stack(template, KmsKeyArn=key, EventBusName="a-bus").resources
        without = Stack(template, EventBusName="a-bus").resources
        for name, resource in with_key.items():
            if resource["Type"] in self.NAMES:
                self.assertEqual(self.key_of(resource), self.KEY, name)
                self.assertIsNone(self.key_of(without[name]), name)
        queues = [entry["Properties"] for entry in without.values() if entry["Type"] == "AWS::SQS::Queue"]
        self.assertTrue(all(queue["SqsManagedSseEnabled"] for queue in queues))
        self.assertNotIn("SqsManagedSseEnabled", with_key["Queue"]["Properties"])

    def test_functions_may_use_the_key_only_if_there_is_one(self) -> None:
        template = transformed()
        for name in ("Request", "Webhook", "Collect", "Query"):
            self.assertNotIn("kms:", json.dumps(Stack(template).resources[f"{name}Role"]))
            with_key = Stack(template, KmsKeyArn="a-key").resources[f"{name}Role"]
            (policy,) = with_key["Properties"]["Policies"]
            of_key = [entry for entry in policy["PolicyDocument"]["Statement"] if entry["Resource"] == self.KEY]
            writes = ["kms:Decrypt", "kms:GenerateDataKey"]
            self.assertEqual([entry["Action"] for entry in of_key], ["kms:Decrypt" if name == "Query" else writes])

    def key_of(self, resource: dict[str, Any]) -> Any:
        """The key of a resource, if it names one."""
        value: Any = resource["Properties"]
        for name in self.NAMES[resource["Type"]]:
            value = value.get(name, {})
        return value or None


def patterns(policy: dict[str, Any]) -> list[str]:
    """What a policy allows to be called, such as `GET/*`."""
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return [resource["Fn::Sub"].partition("/$default/")[2] for resource in resources]


class Outputs(unittest.TestCase):
    """What other templates, and policies, can refer to."""

    # By type, what they are known by.
    KNOWN_BY: ClassVar[dict[str, set[str]]] = {
        "AWS::Lambda::Function": {"Ref", "Arn"},
        "AWS::DynamoDB::Table": {"Ref", "Arn"},
        "AWS::SQS::Queue": {"Ref", "Arn"},
        "AWS::Logs::LogGroup": {"Ref"},
        "AWS::CloudWatch::Alarm": {"Ref"},
        "AWS::SecretsManager::Secret": {"Id"},
    }

    def known_by(self, stack: Stack, name: str) -> set[str]:
        """Whether a reference to a resource, or one of its attributes, is in an output."""
        text = json.dumps([output["Value"] for output in stack.outputs.values()])
        found = set(re.findall(rf'"Fn::GetAtt": \["{name}", "(\w+)"\]', text))
        return found | ({"Ref"} if f'{{"Ref": "{name}"}}' in text else set())

    def test_everything_is_in_one(self) -> None:
        stack = Stack(transformed(), EventBusName="a-bus")
        for name, resource in stack.resources.items():
            self.assertLessEqual(self.KNOWN_BY.get(resource["Type"], set()), self.known_by(stack, name), name)

    def test_the_api_can_be_named_in_a_policy(self) -> None:
        arn = Stack(transformed()).outputs["ApiArn"]["Value"]["Fn::Sub"]
        self.assertEqual(arn, "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}")

    def test_there_are_no_more_than_cloudformation_takes(self) -> None:
        self.assertLessEqual(len(template.read()["Outputs"]), 200)


class Vpc(unittest.TestCase):
    """The parameters `SubnetIds` and `SecurityGroupIds`."""

    CALLS_BELVO = ("CollectFunction", "RequestFunction")
    template: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = transformed()

    def test_without_subnets_nothing_is_in_a_vpc_nor_may_make_interfaces(self) -> None:
        stack = Stack(self.template)
        text = json.dumps(stack.resources)
        for word in ("VpcConfig", "NetworkPolicy", "ec2:", "ManagedPolicyArns"):
            self.assertNotIn(word, text)

    def test_with_subnets_the_functions_that_call_belvo_are_in_them_and_no_others(self) -> None:
        stack, without = self.in_a_vpc(), Stack(self.template)
        self.assertEqual(set(stack.resources) - set(without.resources), {"NetworkPolicy"})
        changed = {name for name, resource in without.resources.items() if stack.resources[name] != resource}
        self.assertEqual(changed, {*self.CALLS_BELVO, "CollectRole", "RequestRole"})
        for function in self.CALLS_BELVO:
            split = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")}
            self.assertEqual(stack.resources[function]["Properties"]["VpcConfig"], split)
            role = stack.resources[function.replace("Function", "Role")]["Properties"]
            self.assertEqual(role["ManagedPolicyArns"], [{"Ref": "NetworkPolicy"}])

    def test_lambda_may_make_interfaces_and_the_code_may_not(self) -> None:
        policy = self.in_a_vpc().resources["NetworkPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        allowed, denied = policy
        self.assertEqual((allowed["Effect"], denied["Effect"]), ("Allow", "Deny"))
        self.assertEqual(allowed["Action"], denied["Action"])
        self.assertIn("ec2:CreateNetworkInterface", allowed["Action"])
        self.assertEqual(list(denied["Condition"]["ArnLike"]), ["lambda:SourceFunctionArn"])

    def in_a_vpc(self) -> Stack:
        """The stack with both parameters."""
        return Stack(self.template, SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")

    def test_one_without_the_other_is_refused(self) -> None:
        (assertion,) = template.read()["Rules"]["SubnetsWithSecurityGroups"]["Assertions"]
        for subnets, groups, good in (("", "", True), ("s", "g", True), ("s", "", False), ("", "g", False)):
            stack = Stack(self.template, SubnetIds=subnets, SecurityGroupIds=groups)
            self.assertEqual(stack.holds(assertion["Assert"]), good, (subnets, groups))


class Domain(unittest.TestCase):
    """The parameters `ApiDomainName`, `ApiCertificateArn`, `ApiMappingKey` and `DefaultEndpoint`."""

    CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0b1c2d3e-0000-4000-8000-000000000000"
    KEY = "0123456789abcdef0123456789abcdef"
    template: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = transformed()

    def test_without_them_the_api_has_its_default_endpoint_alone(self) -> None:
        stack = Stack(self.template)
        self.assertFalse({"ApiDomain", "ApiMapping"} & set(stack.resources))
        self.assertNotIn("ApiDomainTarget", stack.outputs)
        self.assertNotIn("servers", stack.resources["Api"]["Properties"]["Body"])
        self.assertEqual(stack.outputs["ApiUrl"]["Value"], {"Fn::GetAtt": ["Api", "ApiEndpoint"]})
        self.assertEqual(stack.outputs["WebhookUrl"]["Value"], {"Fn::Sub": "${Api.ApiEndpoint}/webhooks/belvo"})

    def test_a_domain_adds_itself_and_its_mapping_and_changes_nothing_but_addresses(self) -> None:
        stack, without = self.with_domain(), Stack(self.template)
        self.assertEqual(set(stack.resources) - set(without.resources), {"ApiDomain", "ApiMapping"})
        self.assertEqual({name: stack.resources[name] for name in without.resources}, without.resources)
        changed = {name for name, output in without.outputs.items() if stack.outputs[name] != output}
        self.assertEqual(changed, {"ApiUrl", "WebhookUrl"})
        self.assertEqual(set(stack.outputs) - set(without.outputs), {"ApiDomainTarget"})
        (settings,) = stack.resources["ApiDomain"]["Properties"]["DomainNameConfigurations"]
        self.assertEqual((settings["EndpointType"], settings["SecurityPolicy"]), ("REGIONAL", "TLS_1_2"))
        mapping = stack.resources["ApiMapping"]["Properties"]
        self.assertEqual((mapping["ApiId"], mapping["Stage"]), ({"Ref": "Api"}, {"Ref": "ApiApiGatewayDefaultStage"}))
        self.assertNotIn("ApiMappingKey", mapping)

    def test_the_addresses_are_the_domains_with_its_path(self) -> None:
        url = "https://belvo.example.com"
        self.assertEqual(self.addresses(), (url, f"{url}/webhooks/belvo"))
        self.assertEqual(
            self.addresses(ApiMappingKey=self.KEY), (f"{url}/{self.KEY}", f"{url}/{self.KEY}/webhooks/belvo")
        )
        mapping = self.with_domain(ApiMappingKey=self.KEY).resources["ApiMapping"]["Properties"]
        self.assertEqual(mapping["ApiMappingKey"], {"Ref": "ApiMappingKey"})

    def test_the_default_endpoint_can_be_disabled_and_nothing_else_changes(self) -> None:
        stack, before = self.with_domain(DefaultEndpoint="disabled"), self.with_domain()
        (server,) = stack.resources["Api"]["Properties"]["Body"].pop("servers")
        self.assertEqual(server["x-amazon-apigateway-endpoint-configuration"], {"disableExecuteApiEndpoint": True})
        self.assertIn("url", server, "without one, API Gateway warns")
        changed = {name for name, resource in before.resources.items() if stack.resources[name] != resource}
        self.assertEqual((changed, stack.outputs), (set(), before.outputs))

    def test_what_makes_no_sense_is_refused(self) -> None:
        domain = {"ApiDomainName": "belvo.example.com", "ApiCertificateArn": self.CERTIFICATE}
        key, disabled = {"ApiMappingKey": self.KEY}, {"DefaultEndpoint": "disabled"}
        for given in ({}, domain, domain | key, domain | disabled, domain | key | disabled):
            self.assertTrue(self.accepted(given), given)
        for given in ({"ApiDomainName": "d"}, {"ApiCertificateArn": self.CERTIFICATE}, key, disabled):
            self.assertFalse(self.accepted(given), given)

    def test_a_path_that_could_be_guessed_is_none(self) -> None:
        pattern = template.read()["Parameters"]["ApiMappingKey"]["AllowedPattern"]
        self.assertRegex(self.KEY, pattern)
        for value in ("v1", "a" * 21, f"{self.KEY}/", f"/{self.KEY}"):
            self.assertNotRegex(value, pattern)

    def with_domain(self, **parameters: str) -> Stack:
        """The stack with a domain."""
        return Stack(self.template, ApiDomainName="belvo.example.com", ApiCertificateArn=self.CERTIFICATE, **parameters)

    def addresses(self, **parameters: str) -> tuple[str, ...]:
        """`ApiUrl` and `WebhookUrl` as CloudFormation computes them."""
        values = {"ApiDomainName": "belvo.example.com", **parameters}
        outputs = self.with_domain(**parameters).outputs
        lists = [outputs[name]["Value"]["Fn::Join"] for name in ("ApiUrl", "WebhookUrl")]
        return tuple(
            between.join(values[part["Ref"]] if isinstance(part, dict) else part for part in parts if part != NO_VALUE)
            for between, parts in lists
        )

    def accepted(self, given: dict[str, str]) -> bool:
        """Whether the rules of the template take these parameters."""
        stack = Stack(self.template, **given)
        rules = [rule for name, rule in template.read()["Rules"].items() if name.startswith("Domain")]
        return all(stack.holds(each["Assert"]) for rule in rules for each in rule["Assertions"])


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
        self.assertEqual(set(with_bus.outputs) - set(without.outputs), OUTPUTS_OF_EVENTS)
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
