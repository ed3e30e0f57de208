"""The record of what was found, for docs/ASSURANCE.md."""

import datetime
import subprocess
from pathlib import Path

from planted.faults import RUNS, Finding


def write(findings: list[Finding], path: Path) -> None:
    """Writes the table."""
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.check_output(head, text=True).strip()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = sum(finding.seed is not None for finding in findings)
    lines = [
        "# Planted faults",
        "",
        f"Made by `make planted` on {today} at {commit}: {found} of {len(findings)} were found within {RUNS} runs.",
        "",
        "| fault | what is wrong | seed | seconds | what did not hold |",
        "|---|---|--:|--:|---|",
    ]
    lines += [row(finding) for finding in findings]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def row(finding: Finding) -> str:
    """A fault in the table."""
    fault = finding.fault
    seed = "not found" if finding.seed is None else str(finding.seed)
    reason = finding.reason.replace("|", "\\|").replace("`", "'")
    link = f"[{fault.name}](../../tests/simulation/faults/{fault.name}.patch)"
    return f"| {link} | {fault.title} | {seed} | {finding.seconds:.1f} | {reason} |"
