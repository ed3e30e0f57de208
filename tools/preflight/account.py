"""The two checks that only AWS can make: an import of the API, and a change set of the whole stack.

Nothing is deployed: the API is deleted again, and the change set is never executed. Each of them has a name of its own,
so that a stack that exists is not touched.
"""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from deploy import aws
from deploy.aws import Aws
from local import template
from local.errors import LocalError
from preflight.findings import Finding, Step
from preflight.parameters import Chosen

PREFIX = "belvo-ingest-preflight-"
PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
NO_VALUE = {"Ref": "AWS::NoValue"}
WAIT_SECONDS = 600
# What CloudFormation answers to a template or parameters that it does not take.
REFUSALS = {"InsufficientCapabilitiesException", "ValidationError"}


@dataclass(frozen=True)
class Account:
    """Where the checks are made."""

    aws: Aws
    number: str
    partition: str
    # Of everything that is made for a moment.
    name: str
    poll_seconds: float = 2

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return self.aws.client(service)

    def waiter(self) -> dict[str, float]:
        """How often to ask whether something is done."""
        return {"Delay": self.poll_seconds, "MaxAttempts": int(WAIT_SECONDS / self.poll_seconds)}


def connect(there: Aws) -> Account:
    """The account of these credentials, if there are any."""
    number = aws.account_of(there)
    return Account(there, number, there.client("sts").meta.partition, f"{PREFIX}{secrets.token_hex(6)}")


def check(account: Account, transformed: dict[str, Any], chosen: Chosen) -> list[Step]:
    """Makes both checks and removes what they made."""
    try:
        return [import_api(account, transformed), change_set(account, chosen)]
    except (BotoCoreError, ClientError) as error:
        raise LocalError(
            f"AWS refused a call: {error}. docs/DEPLOYMENT.md has the permissions that are needed. If anything is left,"
            f" its name is {account.name}"
        ) from error


def import_api(account: Account, transformed: dict[str, Any]) -> Step:
    """Imports the API as CloudFormation does, but takes each warning for an error."""
    (body,) = (
        entry["Properties"]["Body"]
        for entry in transformed["Resources"].values()
        if entry["Type"] == "AWS::ApiGatewayV2::Api"
    )
    gateway = account.client("apigatewayv2")
    findings = []
    try:
        api = gateway.import_api(Body=json.dumps(_resolved(body, account)), FailOnWarnings=True)["ApiId"]
        gateway.delete_api(ApiId=api)
    except gateway.exceptions.BadRequestException as error:
        message = error.response["Error"]["Message"]
        remedy = "A deployment ignores warnings and stops at errors. See the body that SAM makes: sam validate --debug."
        findings.append(Finding("import-api", "Api", message, remedy))
    routes = sum(len(operations) for operations in body["paths"].values())
    return Step("import into API Gateway", 1, tuple(findings), f"for {routes} routes")


def change_set(account: Account, chosen: Chosen) -> Step:
    """Lets CloudFormation transform and validate the template, with the chosen parameters, for a new stack."""
    cloudformation = account.client("cloudformation")
    name = "change set, not executed"
    with ExitStack() as left:
        url = _upload(account, left)
        try:
            created = _create(cloudformation, account.name, url, chosen)
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSALS:
                raise
            return Step(name, 1, (_refused(error.response["Error"]["Message"]),), "of no resource")
        names = {"StackName": created["StackId"], "ChangeSetName": created["Id"]}
        left.callback(_remove_stack, account, created["StackId"])
        left.callback(cloudformation.delete_change_set, **names)
        findings = [*_failure(account, names), *_validation(cloudformation, names)]
        pages = cloudformation.get_paginator("describe_change_set").paginate(**names)
        changes = sum(len(page["Changes"]) for page in pages)
    return Step(name, 1, tuple(findings), f"of {changes} resources")


def _create(cloudformation: Any, name: str, url: str, chosen: Chosen) -> dict[str, str]:
    return cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateURL=url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in chosen.parameters.items()],
        Capabilities=list(chosen.capabilities),
    )


def _upload(account: Account, left: ExitStack) -> str:
    """Puts the template, which is too large for a call, into a bucket of its own, and returns its address."""
    source = template.read()
    source["Globals"]["Function"]["CodeUri"] = f"s3://{account.name}/code"
    s3 = account.client("s3")
    region = account.aws.region
    # The one region that must not be named.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=account.name, **where)
    left.callback(s3.delete_bucket, Bucket=account.name)
    file = {"Bucket": account.name, "Key": "template.json"}
    s3.put_object(**file, Body=json.dumps(source).encode())
    left.callback(s3.delete_object, **file)
    return f"{s3.meta.endpoint_url}/{file['Bucket']}/{file['Key']}"


def _remove_stack(account: Account, stack: str) -> None:
    """Of a stack that was never made, only its name is there, in the state REVIEW_IN_PROGRESS."""
    cloudformation = account.client("cloudformation")
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=account.waiter())


def _failure(account: Account, names: dict[str, str]) -> Iterator[Finding]:
    cloudformation = account.client("cloudformation")
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**names, WaiterConfig=account.waiter())
    except WaiterError:
        described = cloudformation.describe_change_set(**names)
        message = f"{described['Status']}: {described.get('StatusReason', 'no reason is given')}"
        yield _refused(message)


def _refused(message: str) -> Finding:
    return Finding("change-set", "template.yaml", message, "A deployment would fail in the same way.")


def _validation(cloudformation: Any, names: dict[str, str]) -> Iterator[Finding]:
    """What CloudFormation found before it would make anything, warnings included."""
    for page in cloudformation.get_paginator("describe_events").paginate(**names):
        for event in page["OperationEvents"]:
            if event.get("EventType") == "VALIDATION_ERROR" and event.get("ValidationStatus") == "FAILED":
                yield Finding(
                    event["ValidationName"],
                    event.get("LogicalResourceId", "template.yaml"),
                    f"{event['ValidationFailureMode']}: {event['ValidationStatusReason']}",
                    "A deployment stops at FAIL, and goes on after WARN.",
                )


def _resolved(value: Any, account: Account) -> Any:
    """The value with what stands for the account, for functions that are not there yet, and for defaults."""
    match value:
        case {"Ref": "AWS::StackName"}:
            return account.name
        case {"Fn::If": [_, _, by_default]}:
            return _resolved(by_default, account)
        case {"Fn::Sub": str(text)}:
            return PLACEHOLDER.sub(lambda name: _named(name[1], account), text)
        case dict():
            fields = {key: _resolved(field, account) for key, field in value.items()}
            return {key: field for key, field in fields.items() if field != NO_VALUE}
        case list():
            return [_resolved(element, account) for element in value]
    return value


def _named(name: str, account: Account) -> str:
    region = account.aws.region
    if name.endswith(".Arn"):
        function = f"{account.name}-{name.removesuffix('.Arn')}"
        return f"arn:{account.partition}:lambda:{region}:{account.number}:function:{function}"
    known = {"AWS::Partition": account.partition, "AWS::Region": region, "AWS::AccountId": account.number}
    if name not in known:
        raise LocalError(f"the API's body has ${{{name}}}, which preflight/account.py does not know")
    return known[name]
