"""One run of `make test` beside other work, and what became of it."""

import datetime
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from release.source import git

TESTS = ["make", "test"]
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
# As Cargo and unittest name what failed.
FAILED = re.compile(r"^(?:test (\S+) \.\.\. FAILED|(?:FAIL|ERROR): (\S+) .*)$", re.MULTILINE)
# Python's, so that it needs no other program.
BUSY = [sys.executable, "-c", "while True: pass"]


class Run(NamedTuple):
    """What a run ended with."""

    day: str
    commit: str
    minutes: float
    passed: int
    failed: int
    # Names of tests; what else went wrong, if no test did.
    what_failed: list[str]

    @property
    def is_good(self) -> bool:
        """Whether every test passed, and there were some."""
        return self.passed > 0 and not self.failed and not self.what_failed


@contextmanager
def busy(processors: int) -> Iterator[None]:
    """Keeps so many processors busy meanwhile."""
    others = [subprocess.Popen(BUSY) for _ in range(processors)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def run(root: Path, log: Path) -> Run:
    """Runs the tests of a checkout while all processors but one are busy."""
    commit = git(root, "rev-parse", "--short", "HEAD")
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    began = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as printed, busy((os.cpu_count() or 1) - 1):
        ended = subprocess.run(TESTS, cwd=root, stdout=printed, stderr=subprocess.STDOUT, check=False)
    passed, failed, what_failed = outcome(log.read_text(errors="replace"), ended.returncode)
    return Run(day, commit, (time.monotonic() - began) / 60, passed, failed, what_failed)


def outcome(printed: str, exit_code: int) -> tuple[int, int, list[str]]:
    """How many tests passed and failed, and what failed."""
    summaries = SUMMARY.findall(printed)
    passed, failed = (int(number) for number in summaries[-1]) if summaries else (0, 0)
    names = sorted({rust or python for rust, python in FAILED.findall(printed)})
    if exit_code != 0 and not names:
        names = [f"exit code {exit_code}"]
    return passed, failed, names
