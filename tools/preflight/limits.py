"""What AWS allows and no linter looks at: quotas that this template can exceed, and parts that must fit together."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from deploy.environment import LONGEST_STACK_NAME
from preflight.findings import Finding, Step

# Names that are made of the stack's, and how long AWS allows them to be: "Amazon SQS standard queue quotas",
# "CreateLogGroup" (Amazon CloudWatch Logs), "IAM and AWS STS quotas".
NAMES = {
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
}
STACK_NAME = "${AWS::StackName}"
# "Lambda quotas": a function's resource-based policy, in bytes.
RESOURCE_POLICY = 20_480
# The longest that stands for what only a deployment knows: a partition, a region, and a function's name.
LONGEST_ARN = f"arn:aws-iso-b:lambda:ap-northeast-1:123456789012:function:{'x' * 64}"
# "Quotas for configuring and running an HTTP API in API Gateway".
INTEGRATION_SECONDS = 30
# "Lambda parameters for Amazon SQS event source mappings": times the function's timeout.
VISIBILITY = 6
# "CloudWatch Logs quotas".
METRIC_FILTERS = 100

Template = dict[str, Any]


def check(template: Template) -> Step:
    """Compares a transformed template with AWS's limits."""
    findings = tuple(finding for rule in RULES for finding in rule(template["Resources"]))
    return Step("AWS's limits", len(RULES), findings)


def _names_leave_room(resources: Template) -> Iterator[Finding]:
    """For a stack's name, as long as deployments may choose it."""
    for resource, name, limit in _names(resources):
        others = len(name.replace(STACK_NAME, ""))
        if limit is None:
            message = f"its name, {name}, is made of the stack's, and nothing says how long it may be"
            yield Finding("name-length", resource, message, f"Add its limit to NAMES in {__name__}.")
        elif limit - others < LONGEST_STACK_NAME:
            message = f"its name, {name}, leaves {limit - others} characters for the stack's, which may have more"
            yield Finding("name-length", resource, message, "Shorten it, or lower LONGEST_STACK_NAME in deploy.")


def _names(resources: Template) -> Iterator[tuple[str, str, int | None]]:
    """The names that are made of the stack's, each with its resource and limit."""
    for resource, entry in resources.items():
        for field, value in entry.get("Properties", {}).items():
            name = value.get("Fn::Sub") if isinstance(value, dict) else value
            if field.endswith("Name") and isinstance(name, str) and STACK_NAME in name:
                yield resource, name, NAMES.get((entry["Type"], field))


def _resource_policies_fit(resources: Template) -> Iterator[Finding]:
    sizes: Counter[str] = Counter()
    for name, entry in _of_type(resources, "AWS::Lambda::Permission"):
        sizes[entry["Properties"]["FunctionName"]["Ref"]] += _statement_bytes(name, entry["Properties"])
    for function, size in sizes.items():
        if size > RESOURCE_POLICY:
            message = f"its resource-based policy may have {size} bytes, and Lambda allows {RESOURCE_POLICY}"
            remedy = "Let one permission be for several routes, or serve some of them by another function."
            yield Finding("resource-policy-size", function, message, remedy)


def _statement_bytes(name: str, permission: dict[str, Any]) -> int:
    """The most that Lambda makes of a permission."""
    source = permission["SourceArn"]["Fn::Sub"][0] if "SourceArn" in permission else ""
    statement = {
        "Sid": f"{'x' * LONGEST_STACK_NAME}-{name}-ABCDEFGHIJKL"[-100:],
        "Effect": "Allow",
        "Principal": {"Service": permission["Principal"]},
        "Action": permission["Action"],
        "Resource": LONGEST_ARN,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    return len(json.dumps(statement, separators=(",", ":")))


def _functions_answer_in_time(resources: Template) -> Iterator[Finding]:
    permissions = [entry["Properties"] for _, entry in _of_type(resources, "AWS::Lambda::Permission")]
    called = {one["FunctionName"]["Ref"] for one in permissions if one["Principal"] == "apigateway.amazonaws.com"}
    for name, entry in _of_type(resources, "AWS::Lambda::Function"):
        seconds = entry["Properties"]["Timeout"]
        if name in called and seconds > INTEGRATION_SECONDS:
            message = f"it may run for {seconds} s, and the API waits {INTEGRATION_SECONDS} s for its answer"
            yield Finding("integration-timeout", name, message, "Lower its Timeout.")


def _messages_stay_hidden(resources: Template) -> Iterator[Finding]:
    for _, entry in _of_type(resources, "AWS::Lambda::EventSourceMapping"):
        queue = resources[entry["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]]
        function = entry["Properties"]["FunctionName"]["Ref"]
        if queue["Type"] != "AWS::SQS::Queue":
            continue
        wanted = VISIBILITY * resources[function]["Properties"]["Timeout"]
        if queue["Properties"]["VisibilityTimeout"] < wanted:
            message = f"messages that it works on have to be hidden for {wanted} s, {VISIBILITY} times its Timeout"
            yield Finding("visibility-timeout", function, message, "Raise the queue's VisibilityTimeout.")


def _log_groups_take_the_filters(resources: Template) -> Iterator[Finding]:
    filters = Counter(
        entry["Properties"]["LogGroupName"]["Ref"] for _, entry in _of_type(resources, "AWS::Logs::MetricFilter")
    )
    for group, count in filters.items():
        if count > METRIC_FILTERS:
            message = f"it has {count} metric filters, and CloudWatch Logs allows {METRIC_FILTERS}"
            yield Finding("metric-filters", group, message, "Make a metric of the embedded format, or remove some.")


def _functions_may_log(resources: Template) -> Iterator[Finding]:
    for name, entry in _of_type(resources, "AWS::Lambda::Function"):
        group, role = _log_group(entry), entry["Properties"]["Role"]["Fn::GetAtt"][0]
        if not any(_allows_log(statement, group) for statement in _statements(resources[role])):
            message = f"its role, {role}, may not write into {group}"
            yield Finding("log-permission", name, message, "Allow logs:CreateLogStream and logs:PutLogEvents on it.")


def _log_groups_are_used(resources: Template) -> Iterator[Finding]:
    used = {_log_group(entry) for _, entry in _of_type(resources, "AWS::Lambda::Function")}
    for _, entry in _of_type(resources, "AWS::ApiGatewayV2::Stage"):
        used.add(entry["Properties"]["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0])
    for name, _ in _of_type(resources, "AWS::Logs::LogGroup"):
        if name not in used:
            yield Finding(
                "unused-log-group", name, "nothing writes into it", "Remove it, or name it where it is meant."
            )


def _log_group(function: dict[str, Any]) -> str:
    return function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]


def _allows_log(statement: dict[str, Any], group: str) -> bool:
    actions = {"logs:CreateLogStream", "logs:PutLogEvents"}
    return actions <= set(statement.get("Action", ())) and statement["Resource"] == {"Fn::GetAtt": [group, "Arn"]}


def _statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role["Properties"].get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def _of_type(resources: Template, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, entry) for name, entry in resources.items() if entry["Type"] == kind)


RULES: tuple[Callable[[Template], Iterator[Finding]], ...] = (
    _names_leave_room,
    _resource_policies_fit,
    _functions_answer_in_time,
    _messages_stay_hidden,
    _log_groups_take_the_filters,
    _functions_may_log,
    _log_groups_are_used,
)
