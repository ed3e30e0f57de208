"""Runs the Python tests of `tools` and `cargo test`, and closes with one line: how many passed and failed in both.

Cargo prints one result per test binary. This also fails when nothing ran at all, which Cargo counts as success.
"""

import re
import subprocess
import sys
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

PYTHON_TESTS = Path(__file__).resolve().parent / "tests"
CARGO_TEST = ["cargo", "test", "--locked", "--workspace", "--no-fail-fast", "--target-dir", "target"]
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")


class Tally(NamedTuple):
    """How many tests passed and failed."""

    passed: int
    failed: int


class CountingResult(unittest.TextTestResult):
    """Also counts the tests that passed, which unittest does not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As unittest's."""
        super().__init__(*args, **kwargs)
        self.passed = 0

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 (unittest's name)
        """As unittest's."""
        super().addSuccess(test)
        self.passed += 1

    def tally(self) -> Tally:
        """The tests so far; a module that cannot be imported counts as one that failed."""
        return Tally(self.passed, len(self.failures) + len(self.errors) + len(self.unexpectedSuccesses))


def main() -> int:
    """Returns 0 if every test passed and both languages had at least one."""
    python = run_python(unittest.defaultTestLoader.discover(str(PYTHON_TESTS)))
    with subprocess.Popen(CARGO_TEST, stdout=subprocess.PIPE, text=True) as cargo:
        rust = count(echoed(cargo.stdout or ()))
    print(f"\n{python.passed + rust.passed} passed, {python.failed + rust.failed} failed", flush=True)
    return verdict(cargo.returncode, rust, python)


def run_python(suite: unittest.TestSuite, stream: Any = None) -> Tally:
    """Runs the Python tests."""
    return unittest.TextTestRunner(stream, resultclass=CountingResult).run(suite).tally()


def echoed(lines: Iterable[str]) -> Iterable[str]:
    """Prints each line as it comes."""
    for line in lines:
        print(line, end="", flush=True)
        yield line


def count(lines: Iterable[str]) -> Tally:
    """Sums the results of all test binaries of Cargo."""
    results = [match for line in lines if (match := CARGO_RESULT.match(line))]
    return Tally(sum(int(r[1]) for r in results), sum(int(r[2]) for r in results))


def verdict(cargo_exit_code: int, *tallies: Tally) -> int:
    """The exit code. A binary that does not compile or crashes has no result line, only Cargo's exit code."""
    good = all(tally.failed == 0 and tally.passed > 0 for tally in tallies)
    return 0 if cargo_exit_code == 0 and good else 1


if __name__ == "__main__":
    sys.exit(main())
