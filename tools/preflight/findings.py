"""What a check finds, and which of it is explained by `exceptions.toml`."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from local.errors import LocalError

FILE = Path(__file__).with_name("exceptions.toml")
KINDS = {
    "mistaken": "the rule is mistaken about the resource",
    "moot": "what it protects from cannot happen here",
    "chosen": "the project has chosen otherwise",
}


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that something does not keep."""

    rule: str
    # The logical id of a resource, or the name of what else the rule is about.
    resource: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Step:
    """One check: what it looked at, by how many rules, and what it found."""

    name: str
    rules: int
    findings: tuple[Finding, ...]
    # Where the rules were looked for, if that is worth saying.
    scope: str = ""

    def broken(self) -> int:
        """How many of its rules have a finding."""
        return len({finding.rule for finding in self.findings})


@dataclass(frozen=True)
class Exemption:
    """A rule that some resources need not keep."""

    rule: str
    resources: tuple[str, ...]
    kind: str
    reason: str

    def explains(self, finding: Finding) -> bool:
        """Whether it is about this finding."""
        return finding.rule == self.rule and any(fnmatchcase(finding.resource, name) for name in self.resources)


def exceptions(path: Path = FILE) -> list[Exemption]:
    """The exceptions of a file, each of which says why it is one."""
    return [_exception(entry, path) for entry in tomllib.loads(path.read_text()).get("exception", [])]


def unexplained(findings: Iterable[Finding], known: Iterable[Exemption]) -> list[Finding]:
    """What no exception is about."""
    known = list(known)
    return [finding for finding in findings if not any(exception.explains(finding) for exception in known)]


def stale(findings: Iterable[Finding], known: Iterable[Exemption]) -> list[Finding]:
    """The resources of exceptions that explain nothing."""
    findings = list(findings)
    return [
        Finding(
            exception.rule,
            resource,
            "this exception matches nothing that was found",
            f"Remove it from {FILE.name}.",
        )
        for exception in known
        for resource in exception.resources
        if not any(f.rule == exception.rule and fnmatchcase(f.resource, resource) for f in findings)
    ]


def _exception(entry: dict[str, object], path: Path) -> Exemption:
    match entry:
        case {"rule": str(rule), "resources": [*resources], "kind": str(kind), "reason": str(reason)} if (
            len(entry) == 4 and resources and kind in KINDS and reason.endswith(".")
        ):
            return Exemption(rule, tuple(map(str, resources)), kind, reason)
    raise LocalError(
        f"{path.name} has an exception that is not one: {entry}. Each has a rule, resources, a kind"
        f" ({', '.join(KINDS)}) and a reason, which is a sentence"
    )
