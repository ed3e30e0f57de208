"""What is mutated, and which tests have to notice."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from local import paths
from local.errors import LocalError


class Area(NamedTuple):
    """Files that the same tests are about."""

    name: str
    package: str
    files: tuple[str, ...]
    # What cargo-mutants is told about the tests that run; without it, they are those of the package.
    tests: tuple[str, ...]
    # Where tests are that are not in the files themselves.
    texts: tuple[str, ...]
    # No test takes as long, in seconds; one that does hangs.
    timeout_s: int


AREAS = (
    Area("domain", "domain", ("domain/src/**/*.rs",), (), ("domain/src/**/*.rs",), 15),
    Area("queue", "shared", ("shared/src/queue/task.rs",), ("--", "--lib"), ("shared/src/queue/*.rs",), 60),
)


def files(area: Area, root: Path) -> list[str]:
    """The files of an area, relative to the checkout."""
    return _found(root, area.files)


def texts(area: Area, root: Path) -> list[str]:
    """The files that hold the area's tests."""
    return _found(root, area.texts)


def chosen(name: str, file: str) -> tuple[Area, ...]:
    """The area of this name or with this file, or all."""
    areas = tuple(area for area in AREAS if name in ("", area.name))
    if not areas:
        raise LocalError(f"there is no area {name}: {', '.join(area.name for area in AREAS)}")
    areas = tuple(area for area in areas if not file or file in files(area, paths.ROOT))
    if not areas:
        raise LocalError(f"{file} is not mutated")
    return areas


def _found(root: Path, patterns: Iterable[str]) -> list[str]:
    return sorted({str(path.relative_to(root)) for pattern in patterns for path in root.glob(pattern)})
