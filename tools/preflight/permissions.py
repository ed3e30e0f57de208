"""What a role needs to deploy the stack, derived from the types of its resources by `permissions.toml`."""

import json
import tomllib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from preflight.findings import Finding, Step

FILE = Path(__file__).with_name("permissions.toml")
# What is left at least of a stack's name in that of a role, which has 64 characters.
PREFIX = 20


def check(*templates: dict[str, Any], path: Path = FILE) -> Step:
    """Whether the file has the actions of each type of some templates, as SAM has transformed them, and of no other."""
    there = {entry["Type"] for template in templates for entry in template["Resources"].values()}
    known = set(_read(path)["types"])
    missing = [
        Finding(
            "permissions",
            kind,
            f"{path.name} does not say what a role needs to deploy it",
            "Add the actions of the handlers of its schema: aws cloudformation describe-type.",
        )
        for kind in sorted(there - known)
    ]
    unused = [
        Finding("permissions", kind, f"{path.name} has it, and no template has one", "Remove it there.")
        for kind in sorted(known - there)
    ]
    return Step("permissions of who deploys", len(there), (*missing, *unused))


def policy(stack: str, path: Path = FILE) -> str:
    """A policy for a role that deploys a stack of this name."""
    document = _read(path)
    actions = {action for part in ("further", "types") for of in document[part].values() for action in of}
    limited = document["resources"]
    statements = [
        {
            "Effect": "Allow",
            "Action": sorted(action for action in actions if action.partition(":")[0] not in limited),
            "Resource": "*",
        }
    ]
    for service, resources in limited.items():
        of_service = sorted(action for action in actions if action.startswith(f"{service}:"))
        named = [resource.replace("STACK", stack[:PREFIX]) for resource in resources]
        statements.append({"Effect": "Allow", "Action": of_service, "Resource": named})
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def table(path: Path = FILE) -> str:
    """The same for readers."""
    document = _read(path)
    rows = [*document["further"].items(), *((f"`{kind}`", actions) for kind, actions in document["types"].items())]
    lines = [f"| {what} | {_by_service(actions)} |" for what, actions in rows]
    return "\n".join(["| for | actions |", "|---|---|", *lines])


def _by_service(actions: Iterable[str]) -> str:
    parts = groupby(sorted(actions), key=lambda action: action.partition(":")[0])
    return "; ".join(f"`{service}:` {', '.join(action.partition(':')[2] for action in of)}" for service, of in parts)


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())
