"""What is known of every file: how many of its mutants are caught, and which are not.

It is committed, so that what was decided once is not run again. A file's mutants are run again when its code changes,
or when one of its own tests has changed or is gone. Where tests were only added, and where tests of other files
changed, those are run again that were missed: a test elsewhere that no longer catches what it did is found with
AGAIN=1 alone.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mutants import areas
from mutants.areas import Area

# Where a file's own tests begin, and what is between two of them.
TESTS = "\n#[cfg(test)]\nmod tests {\n"
BETWEEN = re.compile(r"\n\n(?=    \S)")
COLUMNS = ("caught", "missed", "timeout", "unviable")


@dataclass(frozen=True)
class Standing:
    """What is known of one file, as its code and the tests were then."""

    code: str
    own_tests: tuple[str, ...]
    tests: str
    date: str
    commit: str
    caught: int = 0
    unviable: int = 0
    missed: tuple[str, ...] = ()
    timeout: tuple[str, ...] = ()

    def viable(self) -> int:
        """Mutants that compile."""
        return self.found() + len(self.missed)

    def holds_for(self, now: "Standing") -> bool:
        """Whether what was caught then is caught now."""
        return self.code == now.code and set(self.own_tests) <= set(now.own_tests)

    def found(self) -> int:
        """Mutants that a test notices, be it by never ending."""
        return self.caught + len(self.timeout)


@dataclass
class Record:
    """What is known of all files."""

    path: Path
    files: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Record":
        """What was written; nothing, at first."""
        stored = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, {file: _read(shown) for file, shown in stored.items()})

    def write(self) -> None:
        """Keeps it, a file's lines together, so that two shards' records can be merged."""
        shown = {file: _shown(self.files[file]) for file in sorted(self.files)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(shown, indent=1) + "\n")

    def merge(self, other: "Record") -> None:
        """Takes over what another record knows later."""
        for file, known in other.files.items():
            if file not in self.files or self.files[file].date <= known.date:
                self.files[file] = known

    def of(self, files: Iterable[str]) -> dict[str, Standing]:
        """What is known of these files."""
        return {file: self.files[file] for file in files if file in self.files}


def counted(blank: Standing, outcomes: dict[str, str]) -> Standing:
    """A standing that has these outcomes and no others."""
    named = {outcome: tuple(name for name, one in outcomes.items() if one == outcome) for outcome in COLUMNS}
    return replace(
        blank,
        caught=len(named["caught"]),
        unviable=len(named["unviable"]),
        missed=named["missed"],
        timeout=named["timeout"],
    )


def amended(known: Standing, now: Standing, outcomes: dict[str, str]) -> Standing:
    """A standing after some of those that were missed have run again."""
    after = counted(now, dict.fromkeys(known.missed, "missed") | outcomes)
    return replace(
        after,
        caught=known.caught + after.caught,
        unviable=known.unviable + after.unviable,
        timeout=known.timeout + after.timeout,
    )


def standing(root: Path, area: Area, file: str, date: str, commit: str) -> Standing:
    """A file as it is now, of whose mutants nothing is known."""
    code, _, tests = (root / file).read_text().partition(TESTS)
    own_tests = tuple(sorted({_digest(test.strip())[:8] for test in BETWEEN.split(tests.removesuffix("}\n"))}))
    others = "".join((root / other).read_text() for other in areas.texts(area, root))
    return Standing(_digest(code), own_tests, _digest(others), date, commit)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shown(known: Standing) -> dict:
    # On one line: there are many.
    return asdict(known) | {"own_tests": " ".join(known.own_tests)}


def _read(shown: dict) -> Standing:
    lists = {"own_tests": tuple(shown["own_tests"].split())}
    lists |= {name: tuple(shown[name]) for name in ("missed", "timeout")}
    return Standing(**shown | lists)
