"""What is deployed where: `samconfig.toml`, which is tracked, and `deploy.toml`, which holds what is the user's own."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import paths
from local.errors import LocalError

CONFIG = paths.ROOT / "samconfig.toml"
OWN = paths.ROOT / "deploy.toml"
# The section of the local stack, which `make up` deploys.
LOCAL = "local"
OWN_KEYS = {"account", "canary", "edge", "parameters", "profile", "region", "stack_name"}
# A queue's name has at most 80 characters ("Quotas related to queues", Amazon SQS), and this is the longest one's end.
LONGEST_QUEUE_SUFFIX = "-notifications.fifo"
LONGEST_STACK_NAME = 80 - len(LONGEST_QUEUE_SUFFIX)


@dataclass(frozen=True)
class Environment:
    """One of the environments that `make deploy` knows."""

    name: str
    stack: str
    # Whether `sam deploy` shows its change set and asks before it executes it.
    asks: bool = False
    region: str | None = None
    profile: str | None = None
    # The only account that it may be deployed to, if one is named.
    account: str | None = None
    # How CodeDeploy shifts traffic to new versions of the functions, if it does.
    canary: str | None = None
    # Of the template. The others have the template's defaults.
    parameters: Mapping[str, str] = field(default_factory=dict)
    # Those of edge.yaml, if the webhook has a front.
    edge: Mapping[str, str] | None = None


def names() -> list[str]:
    """The environments that there are, but for the local one."""
    return sorted(_sections().keys() - {LOCAL})


def load(name: str, own: Path | None = None) -> Environment:
    """The environment of that name."""
    sections, known = _sections(), names()
    if name == LOCAL:
        raise LocalError("the local stack is deployed by `make up`")
    if name not in known:
        given = f"there is no environment {name}" if name else "no environment is named"
        raise LocalError(f"{given}. {CONFIG.name} has {', '.join(known)}: make deploy ENVIRONMENT={known[0]}")
    shared, mine = sections[name], _own(own or OWN, name, known)
    stack = mine.get("stack_name", shared["stack_name"])
    _require_short(stack)
    return Environment(
        name=name,
        stack=stack,
        asks=shared.get("confirm_changeset", False),
        region=mine.get("region"),
        profile=mine.get("profile"),
        account=str(mine["account"]) if "account" in mine else None,
        canary=mine.get("canary"),
        parameters={**_texts(shared.get("parameter_overrides", {})), **_texts(mine.get("parameters", {}))},
        edge=_texts(mine["edge"]) if "edge" in mine else None,
    )


def settings(name: str) -> dict[str, Any]:
    """What samconfig.toml says of one environment's `sam deploy`."""
    return _sections()[name]


def _sections() -> dict[str, dict[str, Any]]:
    sections = _read(CONFIG).items()
    return {key: it["deploy"]["parameters"] for key, it in sections if isinstance(it, dict) and "deploy" in it}


def _own(path: Path, name: str, known: list[str]) -> dict[str, Any]:
    if not path.exists():
        return {}
    sections = _read(path)
    if unknown := sorted(sections.keys() - set(known)):
        raise LocalError(f"{path.name} has a section [{unknown[0]}], and {CONFIG.name} has only {', '.join(known)}")
    mine = sections.get(name, {})
    if unknown := sorted(mine.keys() - OWN_KEYS):
        raise LocalError(
            f"{path.name} names {unknown[0]} in [{name}], and there may be {', '.join(sorted(OWN_KEYS))}."
            f" Parameters of the template belong in [{name}.parameters]"
        )
    if not isinstance(mine.get("edge", {}), dict):
        raise LocalError(f"{path.name} has a value for edge in [{name}], and it is a section: [{name}.edge]")
    return mine


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise LocalError(f"{path.name} is not TOML: {error}") from error


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as CloudFormation takes them."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}


def _require_short(stack: str) -> None:
    if len(stack) > LONGEST_STACK_NAME:
        raise LocalError(
            f"the stack name {stack} has {len(stack)} characters, and may have {LONGEST_STACK_NAME}: the queues are"
            " named after it. Choose a shorter stack_name in deploy.toml"
        )
