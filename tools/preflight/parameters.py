"""The parameters that a deployment would have: those of an environment, and those of the command line."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import environment
from local import sandbox
from local.errors import LocalError
from preflight.findings import Finding, Step

# "Configure environment variables for functions": all of one function, names and values, in bytes.
ENVIRONMENT = 4_096
# No longer is what only a deployment knows, such as the ARN of a secret and the address of a queue.
LONGEST_REFERENCE = 200
# "CloudFormation quotas".
LONGEST_VALUE = 4_096
# Belvo's own example, which users of the real Belvo must not see.
COMPANY = ("CompanyName", "CompanyIconUrl", "CompanyLogoUrl")
PRODUCTION = "https://api.belvo.com"
RULES = 4

Parameters = dict[str, str]


@dataclass(frozen=True)
class Chosen:
    """A deployment that somebody may make."""

    source: str
    parameters: Parameters
    capabilities: tuple[str, ...] = ("CAPABILITY_IAM",)
    # Whether it has everything that its user would deploy with, and not only what samconfig.toml has for everybody.
    whole: bool = True


def tracked() -> list[Chosen]:
    """What samconfig.toml has for each environment."""
    return [_chosen(name, Path(os.devnull), whole=False) for name in environment.names()]


def of_environment(name: str, own: Path = environment.OWN) -> Chosen:
    """What `make deploy` would deploy an environment with."""
    return _chosen(name, own, whole=True)


def check(template: dict[str, Any], chosen: list[Chosen]) -> Step:
    """Checks what some deployments choose against a transformed template."""
    findings = tuple(finding for one in chosen for finding in _findings(template, one))
    return Step("chosen parameters", RULES, findings, f"of {', '.join(one.source for one in chosen)}")


def parsed(words: list[str]) -> Parameters:
    """`NAME=VALUE` each."""
    pairs = [word.partition("=") for word in words]
    if wrong := [word for word, (name, equals, _) in zip(words, pairs, strict=True) if not (name and equals)]:
        raise LocalError(f"{wrong[0]} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _chosen(name: str, own: Path, whole: bool) -> Chosen:
    wanted = environment.load(name, own)
    capabilities = environment.settings(name)["capabilities"].split()
    return Chosen(name, dict(wanted.parameters), tuple(capabilities), whole)


def _findings(template: dict[str, Any], chosen: Chosen) -> Iterator[Finding]:
    known = template["Parameters"]
    wrong = [
        Finding("parameter", name, f"{chosen.source}: {problem}", "Choose another value.")
        for name, value in chosen.parameters.items()
        for problem in _problems(known.get(name), value)
    ]
    yield from wrong
    if not wrong:
        values = {name: str(entry["Default"]) for name, entry in known.items()} | chosen.parameters
        yield from _pace(values, chosen.source)
        if chosen.whole:
            yield from _company(known, values, chosen.source)
        yield from _environment_sizes(template["Resources"], values, chosen.source)


def _problems(entry: dict[str, Any] | None, value: str) -> Iterator[str]:
    """Why CloudFormation would refuse a value."""
    if entry is None:
        yield "the template has no such parameter"
        return
    explanation = entry.get("ConstraintDescription", entry.get("AllowedPattern"))
    if not re.fullmatch(entry.get("AllowedPattern", ".*"), value, re.DOTALL):
        yield f"{value!r} is not {explanation}"
    if "AllowedValues" in entry and value not in map(str, entry["AllowedValues"]):
        yield f"{value!r} is none of {', '.join(map(str, entry['AllowedValues']))}"
    if entry["Type"] == "Number":
        yield from _number(entry, value)
        return
    least, most = entry.get("MinLength", 0), entry.get("MaxLength", LONGEST_VALUE)
    if not least <= len(value) <= most:
        yield f"it has {len(value)} characters; {least} to {most} are allowed"


def _number(entry: dict[str, Any], value: str) -> Iterator[str]:
    if not re.fullmatch(r"-?\d+", value):
        yield f"{value!r} is not a whole number"
    elif not entry.get("MinValue", int(value)) <= int(value) <= entry.get("MaxValue", int(value)):
        yield f"{value} is not within {entry['MinValue']} to {entry['MaxValue']}"


def _pace(values: Parameters, source: str) -> Iterator[Finding]:
    batches, each, api = (
        int(values[name]) for name in ("CollectConcurrency", "CollectCallsPer30Seconds", "RequestCallsPer30Seconds")
    )
    calls, limit = batches * each + api, sandbox.BELVOS_REQUESTS_PER_30_S
    if calls > limit:
        message = (
            f"{source}: {batches} batches of {each} calls and {api} of the API are {calls} calls of Belvo in 30 s,"
            f" which allows {limit} of an address"
        )
        yield Finding("pace", "CollectCallsPer30Seconds", message, "Lower one of the three parameters.")


def _company(known: dict[str, Any], values: Parameters, source: str) -> Iterator[Finding]:
    if values["BelvoBaseUrl"] != PRODUCTION:
        return
    for name in COMPANY:
        if values[name] == known[name]["Default"]:
            message = f"{source}: users of Belvo's production would see {values[name]}, which is Belvo's example"
            yield Finding("belvos-example", name, message, "Name your own company's.")


def _environment_sizes(resources: dict[str, Any], values: Parameters, source: str) -> Iterator[Finding]:
    for name, entry in resources.items():
        if entry["Type"] != "AWS::Lambda::Function":
            continue
        variables = entry["Properties"]["Environment"]["Variables"]
        size = sum(len(key) + _bytes(value, values) for key, value in variables.items())
        if size > ENVIRONMENT:
            message = f"{source}: its environment may have {size} bytes, and Lambda allows {ENVIRONMENT}"
            yield Finding("environment-size", name, message, "Shorten addresses and texts among the parameters.")


def _bytes(value: Any, values: Parameters) -> int:
    """The most that a variable's value has."""
    if isinstance(value, dict):
        return len(values[value["Ref"]].encode()) if value.get("Ref") in values else LONGEST_REFERENCE
    return len(str(value).encode())
