"""The planted faults, and looking for one."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from local.errors import LocalError

# As many as `make test` makes.
RUNS = 300
FOUND = re.compile(r"^simulation: seed (\d+) fails:\n(?:panicked at [^\n]*\n)?([^\n]*)", re.MULTILINE)
LONGEST_REASON = 100


class Fault(NamedTuple):
    """A wrong line."""

    name: str
    title: str
    patch: Path


class Finding(NamedTuple):
    """What became of a fault: the seed of the run that found it, if one did."""

    fault: Fault
    seed: int | None
    seconds: float
    reason: str

    def __str__(self) -> str:
        """For whoever waits."""
        if self.seed is None:
            return f"NOT FOUND in {RUNS} runs ({self.seconds:.0f} s)"
        return f"found by seed {self.seed} after {self.seconds:.1f} s: {self.reason}"


def all_of(root: Path) -> list[Fault]:
    """Every fault, by name; the first line of its patch says what is wrong."""
    patches = sorted((root / "tests" / "simulation" / "faults").glob("*.patch"))
    return [Fault(patch.stem, patch.read_text().split("\n", 1)[0], patch) for patch in patches]


def plant(patch: Path, tree: Path) -> None:
    """Changes a copy of the checkout as a patch says."""
    # Without a ceiling, git would take the repository around the copy for its own, and change nothing.
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    apply = ["git", "apply", str(patch)]
    planted = subprocess.run(apply, cwd=tree, env=alone, check=False)
    if planted.returncode != 0:
        raise LocalError(f"{patch.name} does not apply: make it anew for the lines as they are now")


def look_for(fault: Fault, tree: Path, target: Path) -> Finding:
    """Compiles a tree in which a fault is planted, and simulates until something does not hold."""
    build = ["cargo", "build", "--locked", "--quiet", "--profile", "simulation", "--package", "simulation"]
    # Of our own crates, what is compiled quickly: most faults are found by the first few seeds.
    quickly = {**os.environ, "CARGO_PROFILE_SIMULATION_OPT_LEVEL": "0"}
    built = subprocess.run([*build, "--target-dir", str(target)], cwd=tree, env=quickly, check=False)
    if built.returncode != 0:
        raise LocalError(f"{fault.name} does not compile: make its patch anew")
    began = time.monotonic()
    simulation = [str(target / "simulation" / "simulation"), "--runs", str(RUNS), "--as-is"]
    printed = subprocess.run(simulation, cwd=tree, stdout=subprocess.PIPE, text=True, check=False).stdout
    seconds = time.monotonic() - began
    found = FOUND.search(printed)
    if not found:
        return Finding(fault, None, seconds, "")
    return Finding(fault, int(found[1]), seconds, found[2][:LONGEST_REASON])
