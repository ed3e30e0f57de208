"""Mutants that no test notices, each with the reason: tools/mutants/survivors.toml.

A mutant is named by its file, by what it does, and by the line that it changes: the number of that line is another one
after every change above it.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mutants.record import Record

LISTED = Path(__file__).parent / "survivors.toml"
NAME = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):\d+: (?P<change>.+)")


class Mutant(NamedTuple):
    """A change of a line."""

    file: str
    change: str
    line: str


class Findings(NamedTuple):
    """What the list and the record do not agree on."""

    unlisted: list[Mutant]
    gone: list[Mutant]


def listed(path: Path = LISTED) -> dict[Mutant, str]:
    """The reason of every mutant that may survive."""
    entries = tomllib.loads(path.read_text()).get("survivor", []) if path.exists() else []
    return {Mutant(one["file"], one["change"], one["line"]): one["reason"] for one in entries}


def survived(root: Path, record: Record) -> list[Mutant]:
    """The mutants that no test noticed when they were last run."""
    return [mutant(root, name) for known in record.files.values() for name in known.missed]


def mutant(root: Path, name: str) -> Mutant:
    """A mutant that cargo-mutants names by its place."""
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError(name)
    lines = (root / found["file"]).read_text().splitlines()
    number = int(found["line"])
    return Mutant(found["file"], found["change"], lines[number - 1].strip() if number <= len(lines) else "")


def compare(survived: Iterable[Mutant], listed: Iterable[Mutant]) -> Findings:
    """The survivors that have no reason, and the reasons that have no survivor."""
    alive, known = set(survived), set(listed)
    return Findings(sorted(alive - known), sorted(known - alive))
