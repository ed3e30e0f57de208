"""cargo-mutants, run on one file at a time."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from local.errors import LocalError
from mutants.areas import Area

# Nothing is different, some were missed, some took too long.
WAS_RUN = (0, 2, 3)
TESTS_FAIL = 4
OUTCOMES = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timeout", "Unviable": "unviable"}
# Tests that choose at random choose the same every time, and keep no choice for another mutant's run.
STEADY = {"PROPTEST_RNG_SEED": "1", "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "true"}
QUICK = {"CARGO_PROFILE_DEV_DEBUG": "false"}


class Workshop(NamedTuple):
    """Where mutants are made."""

    root: Path
    program: Path

    @property
    def state(self) -> Path:
        """What is kept from run to run."""
        return self.root / ".local" / "mutants"

    @property
    def copy(self) -> Path:
        """The checkout's copy."""
        return self.state / "tree"

    @property
    def output(self) -> Path:
        """What cargo-mutants writes."""
        return self.state / "run"

    @property
    def report(self) -> Path:
        """What became of the mutants of the last run."""
        return self.output / "mutants.out" / "outcomes.json"

    def listed(self, area: Area) -> dict[str, list[str]]:
        """Names the mutants of each file of an area, each with its place."""
        command = [*self._command(area, area.files), "--list", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LocalError(f"cargo-mutants lists nothing of {area.name}: {done.stderr.strip()}")
        found: dict[str, list[str]] = {}
        for mutant in json.loads(done.stdout):
            found.setdefault(mutant["file"], []).append(mutant["name"])
        return found

    def run(self, area: Area, file: str, names: list[str]) -> None:
        """Tests these mutants of a file; `report` has what became of them, also after an interruption."""
        command = [*self._command(area, (file,)), "--in-place", "--output", str(self.output)]
        command += ["--timeout", str(area.timeout_s), *(f"--re=^{re.escape(name)}$" for name in names), *area.tests]
        environment = {**os.environ, **STEADY, **QUICK, "CARGO_TARGET_DIR": str(self.state / "target")}
        code = subprocess.run(command, cwd=self.root, env=environment, check=False).returncode
        if code == TESTS_FAIL:
            raise LocalError(f"the tests of {area.name} fail without a mutant: see {self.report.parent}/log")
        if code not in WAS_RUN:
            raise LocalError(f"cargo-mutants ended with {code}")

    def _command(self, area: Area, files: tuple[str, ...]) -> list[str]:
        named = [option for file in files for option in ("--file", file)]
        return [str(self.program), "mutants", "--dir", str(self.copy), "--package", area.package, *named]


def outcomes(report: Path) -> dict[str, str]:
    """What became of each mutant, by its name, in a report of cargo-mutants."""
    if not report.exists():
        return {}
    scenarios: list[dict[str, Any]] = json.loads(report.read_text())["outcomes"]
    mutants = [one for one in scenarios if "Mutant" in one["scenario"] and one["summary"] in OUTCOMES]
    return {one["scenario"]["Mutant"]["name"]: OUTCOMES[one["summary"]] for one in mutants}
