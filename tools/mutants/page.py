"""The tables of docs/assurance/mutants.md: how many mutants are caught, the worst file first, and what survives."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter

from mutants.record import Standing
from mutants.survivors import Mutant

HEAD = "viable | caught | of these by a timeout | missed | do not compile | caught |"
RULE = "|---|--:|--:|--:|--:|--:|--:|"

OfAreas = Mapping[str, Mapping[str, Standing]]


class Counts:
    """Mutants of one or several files."""

    def __init__(self, files: Iterable[Standing]) -> None:
        """Adds them up."""
        known = list(files)
        self.viable = sum(one.viable() for one in known)
        self.found = sum(one.found() for one in known)
        self.timeouts = sum(len(one.timeout) for one in known)
        self.unviable = sum(one.unviable for one in known)
        self.missed = self.viable - self.found

    @property
    def percent(self) -> float:
        """How many of the viable ones are caught, rounded down: 100 says that nothing is missed."""
        return int(1000 * self.found / self.viable) / 10 if self.viable else 100.0

    def row(self, name: str) -> str:
        """A line of a table."""
        numbers = (self.viable, self.found, self.timeouts, self.missed, self.unviable)
        return f"| {name} | {' | '.join(map(str, numbers))} | {self.percent} % |"


def tables(of_areas: OfAreas, reasons: Mapping[Mutant, str]) -> dict[str, str]:
    """Each table by its name."""
    return {
        "mutants-of-areas": areas_table(of_areas),
        "mutants-of-files": files_table(of_areas),
        "survivors": survivors_list(reasons),
    }


def areas_table(of_areas: OfAreas) -> str:
    """One line for each area, and when it was run."""
    rows = [f"{Counts(files.values()).row(area)} {_when(files.values())} |" for area, files in of_areas.items()]
    return "\n".join([f"| area | {HEAD} run |", f"{RULE}---|", *rows])


def files_table(of_areas: OfAreas) -> str:
    """One line for each file, that with the most missed mutants first."""
    counts = [(Counts([known]), file) for files in of_areas.values() for file, known in files.items()]
    worst_first = sorted(counts, key=lambda one: (-one[0].missed, one[0].percent, one[1]))
    return "\n".join([f"| file | {HEAD}", RULE, *(count.row(f"`{file}`") for count, file in worst_first)])


def survivors_list(reasons: Mapping[Mutant, str]) -> str:
    """The survivors of each file, with the reasons."""
    blocks = []
    for file, mutants in groupby(sorted(reasons), key=lambda mutant: mutant.file):
        lines = [f"- `{one.change}`, in `{one.line}`: {reasons[one]}" for one in mutants]
        blocks.append("\n".join([f"`{file}`", "", *lines]))
    return "\n\n".join(blocks) or "None."


def _when(files: Iterable[Standing]) -> str:
    runs = sorted(files, key=attrgetter("date"))
    if not runs:
        return "not yet"
    first, last, commit = runs[0].date[:10], runs[-1].date[:10], runs[-1].commit
    return f"{last} at {commit}" if first == last else f"{first} to {last}, at {commit}"
