"""The record of the runs, for docs/ASSURANCE.md."""

import re
from pathlib import Path

from flakes.runs import Run

HEADER = """# The tests, again and again

Made by `make flakes`, which runs `make test` while all processors but one are busy with something else. A run that is
not the last one in the table was followed by the next, whatever was changed between.

| run | on | at | minutes | passed | failed | what failed |
|--:|---|---|--:|--:|--:|---|
"""
ROW = re.compile(r"^\| \d+ \| .* \|$", re.MULTILINE)
GOOD = "| 0 | |"


def add(run: Run, path: Path) -> None:
    """Adds a run to the table."""
    rows = known(path)
    failed = ", ".join(f"`{name}`" for name in run.what_failed)
    numbers = f"{run.minutes:.1f} | {run.passed:,} | {run.failed}"
    rows.append(f"| {len(rows) + 1} | {run.day} | {run.commit} | {numbers} | {failed} |".replace("|  |", "| |"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "\n".join(rows) + "\n")


def in_a_row(path: Path) -> int:
    """How many runs there were since something failed."""
    good = 0
    for row in known(path):
        good = good + 1 if row.endswith(GOOD) else 0
    return good


def known(path: Path) -> list[str]:
    """The rows of the table."""
    return ROW.findall(path.read_text()) if path.exists() else []
