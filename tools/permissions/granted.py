"""What the roles of template.yaml allow, with resources by their names in the template."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# What Lambda does in the name of a function, where no emulator asks the role. Sources: "Lambda execution role", "Lambda
# parameters for Amazon SQS event source mappings", "Using AWS Lambda with Amazon DynamoDB", "Visualize Lambda function
# invocations using AWS X-Ray", all of the AWS Lambda Developer Guide.
LOGS = frozenset({"logs:CreateLogStream", "logs:PutLogEvents"})
TRACES = frozenset({"xray:PutTraceSegments", "xray:PutTelemetryRecords"})
QUEUE_TRIGGER = frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"})
STREAM_TRIGGER = frozenset(
    {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
)
OF_LAMBDA = {
    "collect": QUEUE_TRIGGER,
    "publish": STREAM_TRIGGER | {"sqs:SendMessage"},
}


class Call(NamedTuple):
    """An action on a resource, by a function."""

    function: str
    action: str
    # Such as `RequestsTable/index/by_link`; with a `*` at its end, everything that starts like this.
    resource: str
    # The condition of the template under which it is allowed, if it is not always. Local stacks meet none of these.
    condition: str | None = None

    def covers(self, other: "Call") -> bool:
        """Whether this one allows the other."""
        if (self.function, self.action) != (other.function, other.action):
            return False
        if self.resource.endswith("*"):
            return other.resource.startswith(self.resource[:-1])
        return self.resource == other.resource

    def __str__(self) -> str:
        """As a line says it."""
        return f"{self.function}: {self.action} on {self.resource}"


def calls(resources: dict[str, Any]) -> Iterator[Call]:
    """Every call that the roles of the template's functions allow."""
    for name, resource in resources.items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        function, properties = name.removesuffix("Role").lower(), resource["Properties"]
        for policy in properties["Policies"]:
            yield from _of_document(function, policy["PolicyDocument"], None)
        if managed := properties.get("ManagedPolicyArns"):
            condition, (policy,), _ = managed["Fn::If"]
            yield from _of_document(function, resources[policy["Ref"]]["Properties"]["PolicyDocument"], condition)


def _of_document(function: str, document: dict[str, Any], condition: str | None) -> Iterator[Call]:
    for entry in document["Statement"]:
        of_entry, statement, _ = entry.get("Fn::If", (condition, entry, None))
        if statement["Effect"] == "Allow":
            for action in _listed(statement["Action"]):
                for target in _listed(statement["Resource"]):
                    yield Call(function, action, _name(target), of_entry)


def is_of_lambda(call: Call) -> bool:
    """Whether Lambda makes this call by itself."""
    return call.action in LOGS | TRACES | OF_LAMBDA.get(call.function, frozenset())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _name(target: Any) -> str:
    """`!GetAtt Queue.Arn` is `Queue`, `!Sub ${RequestsTable.Arn}/index/by_due` is `RequestsTable/index/by_due`."""
    if isinstance(target, str):
        return target
    if "Ref" in target:
        return target["Ref"]
    if "Fn::GetAtt" in target:
        resource, attribute = target["Fn::GetAtt"]
        return f"{resource}/stream" if attribute == "StreamArn" else resource
    text = target["Fn::Sub"]
    own = re.sub(r"^\$\{(\w+)\.Arn\}", r"\1", text)
    return own if own != text else text.rsplit(":", 1)[-1]
