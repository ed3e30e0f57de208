"""Runs the Python tests, those in the browser, `cargo test`, simulations, an attack on the API, the torture.

Closes with one line.

Tests of the deployed functions have the stack that this runs against, and at its end, what the functions called is
compared with what their roles allow. They mostly wait. Meanwhile there run, each on stacks of its own, the Rust tests
that need only tables and queues; and, one after the other, the tests in the browser, the torture and the commands of
the operators' pages. Whichever of these two lanes is done takes from the simulations, which need no stack and compute
only. What the lanes print comes at the end.

Cargo prints one result per test binary. This also fails when nothing ran at all, which Cargo counts as success. The
tests in the browser run with the interpreter that has one: `tools/run_tests.py FOLDER` runs those of a folder alone and
prints their result as Cargo would.
"""

import io
import json
import re
import subprocess
import sys
import unittest
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

TOOLS = Path(__file__).resolve().parent
PYTHON_TESTS = TOOLS / "tests"
BROWSER_PYTHON = TOOLS.parent / ".venv" / "browser" / "bin" / "python"
BROWSER_TEST = [str(BROWSER_PYTHON), str(Path(__file__).resolve()), str(TOOLS / "browser" / "tests")]
API_TEST = [sys.executable, "-m", "fuzz"]
PERMISSIONS_TEST = [sys.executable, "-m", "permissions"]
CARGO_TEST = ["cargo", "test", "--locked", "--workspace", "--no-fail-fast", "--target-dir", "target"]
METADATA = ["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"]
# Of the deployed functions; all other test binaries are run beside them.
DEPLOYED = ("events", "operator", "outage", "pipeline")
# They wait more than they compute: more at a time than there are processors.
DEPLOYED_TESTS = [*CARGO_TEST, *(f"--test={name}" for name in DEPLOYED), "--", "--test-threads=4"]
STACK_OF_ITS_OWN = [sys.executable, "-m", "local", "exec", "--"]
# They have stacks of their own (Makefile).
TORTURE_TEST = ["make", "tortured"]
OPERATIONS_TEST = ["make", "operated"]
# They need no stack. In parts of about a minute.
SIMULATIONS = [
    ["target/debug/simulation", "lossless", "--runs", "5"],
    *(["target/debug/simulation", f"--seed={seed}", "--runs=50"] for seed in range(1, 300, 50)),
]
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
    """Returns 0 if every test passed and each kind had at least one."""
    if folder := sys.argv[1:]:
        tally = run_python(discover(folder[0]))
        print(f"test result: {'FAILED' if tally.failed else 'ok'}. {tally.passed} passed; {tally.failed} failed;")
        return verdict(0, tally)
    if not BROWSER_PYTHON.exists():
        print(f"error: {BROWSER_PYTHON.relative_to(TOOLS.parent)} is missing: run `make browser`", file=sys.stderr)
        return 1
    with ThreadPoolExecutor() as beside:
        computing = [[*STACK_OF_ITS_OWN, *CARGO_TEST, *other_tests()]]
        waiting = [[*STACK_OF_ITS_OWN, *BROWSER_TEST], TORTURE_TEST, OPERATIONS_TEST]
        # Shared by both: what one has taken, the other does not get.
        simulations = iter(SIMULATIONS)
        lanes = [beside.submit(run_beside, chain(commands, simulations)) for commands in (computing, waiting)]
        outcomes = [
            (0, run_python(discover(str(PYTHON_TESTS)))),
            run_apart(DEPLOYED_TESTS),
            # After the others: it leaves links and webhooks of anybody's behind.
            run_apart(API_TEST),
            run_apart(PERMISSIONS_TEST),
        ]
        for lane in lanes:
            printed, further = lane.result()
            print(printed, flush=True)
            outcomes += further
    tallies = [tally for _, tally in outcomes]
    passed, failed = (sum(numbers) for numbers in zip(*tallies, strict=True))
    print(f"\n{passed} passed, {failed} failed", flush=True)
    # One that is ended by a signal is negative.
    return verdict(int(any(exit_code != 0 for exit_code, _ in outcomes)), *tallies)


def discover(folder: str) -> unittest.TestSuite:
    """The tests of a folder below `tools`."""
    return unittest.defaultTestLoader.discover(folder, top_level_dir=str(TOOLS))


def other_tests() -> list[str]:
    """Names what `cargo test` runs beside the tests of the deployed functions: it has no option to leave some out."""
    packages = json.loads(subprocess.check_output(METADATA))["packages"]
    targets = [target for package in packages for target in package["targets"]]
    tests = [target["name"] for target in targets if target["kind"] == ["test"] and target["name"] not in DEPLOYED]
    return ["--lib", "--bins", *(f"--test={name}" for name in sorted(tests))]


def run_beside(commands: Iterable[list[str]]) -> tuple[str, list[tuple[int, Tally]]]:
    """Runs commands one after the other, and returns what they printed, errors in their places, and the outcomes."""
    printed = io.StringIO()
    outcomes = [run_apart(command, printed) for command in commands]
    return printed.getvalue(), outcomes


def run_apart(command: list[str], to: IO[str] = sys.stdout) -> tuple[int, Tally]:
    """Runs a command that prints results, and returns its exit code and the sum of them."""
    errors = None if to is sys.stdout else subprocess.STDOUT
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        tally = count(echoed(process.stdout or (), to))
    return process.returncode, tally


def run_python(suite: unittest.TestSuite, stream: Any = None) -> Tally:
    """Runs the Python tests."""
    return unittest.TextTestRunner(stream, resultclass=CountingResult).run(suite).tally()


def echoed(lines: Iterable[str], to: IO[str]) -> Iterable[str]:
    """Prints each line as it comes."""
    for line in lines:
        print(line, end="", flush=True, file=to)
        yield line


def count(lines: Iterable[str]) -> Tally:
    """Sums the results of all test binaries."""
    results = [match for line in lines if (match := CARGO_RESULT.match(line))]
    return Tally(sum(int(r[1]) for r in results), sum(int(r[2]) for r in results))


def verdict(exit_code: int, *tallies: Tally) -> int:
    """The exit code of all. A binary that does not compile or crashes has no result line, only Cargo's exit code."""
    good = all(tally.failed == 0 and tally.passed > 0 for tally in tallies)
    return 0 if exit_code == 0 and good else 1


if __name__ == "__main__":
    sys.exit(main())
