"""What the functions of the running stack were seen to do, with resources by their names in the template."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from local import aws, events
from local.deployment import STACK
from permissions.granted import Call


def calls(lines: Iterable[str], physical: dict[str, str]) -> Iterator[Call]:
    """Of the lines that `local.calls` wrote. `physical` has the logical name of each physical one.

    A session of a role has the name of the function that it was made for; a test that takes on a role has another.
    """
    for line in lines:
        principal, action, resource = json.loads(line)
        function = physical.get(principal.rsplit("/", 1)[-1], "")
        # Tests also have events put on a bus that is not there.
        of_another_bus = ":event-bus/" in resource and not resource.endswith(f"/{events.NAME}")
        if function.endswith("Function") and not of_another_bus:
            yield Call(function.removesuffix("Function").lower(), action, _name(resource, physical))


def physical_names(endpoint: aws.Endpoint) -> dict[str, str]:
    """The logical name of each resource of the stack by its physical one: of a URL and of an ARN, by the last part."""
    cloudformation = aws.client("cloudformation", endpoint)
    resources: list[dict[str, Any]] = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {_last(resource["PhysicalResourceId"]): resource["LogicalResourceId"] for resource in resources}


def _last(physical: str) -> str:
    return physical.replace("/", ":").rsplit(":", 1)[-1]


def _name(arn: str, physical: dict[str, str]) -> str:
    """An ARN ends in the name of a queue, a secret (with six characters more), a table, or one of its indexes."""
    kind, _, rest = arn.rsplit(":", 1)[-1].partition("/")
    if kind == "event-bus":
        return "event-bus/${EventBusName}"
    if kind != "table":
        return physical.get(kind) or physical.get(kind.rpartition("-")[0], kind)
    table, separator, part = rest.partition("/")
    return f"{physical.get(table, table)}{separator}{part}"
