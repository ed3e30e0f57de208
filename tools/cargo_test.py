"""Runs `cargo test` over the workspace and closes with one line: how many tests passed and failed.

Cargo prints one result per test binary. This also fails when nothing ran at all, which Cargo counts as success.
"""

import re
import subprocess
import sys
from collections.abc import Iterable

COMMAND = ["cargo", "test", "--locked", "--workspace", "--no-fail-fast", "--target-dir", "target"]
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")


def main() -> int:
    """Returns 0 if every test passed and there was at least one."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as cargo:
        passed, failed = count(echoed(cargo.stdout or ()))
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return verdict(cargo.returncode, passed, failed)


def echoed(lines: Iterable[str]) -> Iterable[str]:
    """Prints each line as it comes."""
    for line in lines:
        print(line, end="", flush=True)
        yield line


def count(lines: Iterable[str]) -> tuple[int, int]:
    """Sums the results of all test binaries: passed, failed."""
    results = [match for line in lines if (match := RESULT.match(line))]
    return sum(int(r[1]) for r in results), sum(int(r[2]) for r in results)


def verdict(cargo_exit_code: int, passed: int, failed: int) -> int:
    """The exit code. A binary that does not compile or crashes has no result line, only Cargo's exit code."""
    return 0 if cargo_exit_code == 0 and failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
