"""The record of what was found, for docs/ASSURANCE.md."""

import datetime
import re
from collections.abc import Iterable
from pathlib import Path

from local.paths import ROOT
from planted.faults import RUNS, Finding
from release.source import git

ROW = re.compile(r"^\| \[([^\]]+)\].*$", re.MULTILINE)


def write(findings: list[Finding], path: Path, names: Iterable[str]) -> None:
    """Writes the table: these findings, and what is known of the other faults with these names."""
    commit = git(ROOT, "rev-parse", "--short", "HEAD")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    rows = known(path)
    rows |= {finding.fault.name: row(finding, f"{today} at {commit}") for finding in findings}
    lines = [
        "# Planted faults",
        "",
        f"Made by `make planted`. A fault is looked for in {RUNS} runs, from seed 1 on, one after the other.",
        "",
        "| fault | what is wrong | seed | seconds | what did not hold | run |",
        "|---|---|--:|--:|---|---|",
    ]
    lines += [rows[name] for name in names if name in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def known(path: Path) -> dict[str, str]:
    """The rows of an earlier table, by fault."""
    text = path.read_text() if path.exists() else ""
    return {found[1]: found[0] for found in ROW.finditer(text)}


def row(finding: Finding, run: str) -> str:
    """A fault in the table."""
    fault = finding.fault
    seed = "not found" if finding.seed is None else str(finding.seed)
    reason = finding.reason.replace("|", "\\|").replace("`", "'")
    link = f"[{fault.name}](../../tests/simulation/faults/{fault.name}.patch)"
    return f"| {link} | {fault.title} | {seed} | {finding.seconds:.1f} | {reason} | {run} |"
