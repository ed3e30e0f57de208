"""What is not checked for known vulnerabilities is said aloud."""

import io
import os
import tempfile
import time
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

from local.errors import LocalError
from local.waiting import wait_for
from release import __main__ as command
from release import advisories, source
from release.advisories import RustSec
from tests.test_release import NOBODY

# A cargo-deny that fetches and checks as FETCH and CHECK say, and writes down what it is called with.
DENY = """#!/bin/sh
echo "$*" >> "$CALLS"
git config --get-all url."$ADVISORY_DB".insteadOf >> "$CALLS" 2>/dev/null
case "$*" in
  *fetch*) eval "$FETCH" ;;
  *) eval "$CHECK" ;;
esac
"""
UNREACHABLE = (
    "echo 'Cloning into advisory-db' >&2; echo 'fatal: Could not resolve host: github.com' >&2; echo >&2; exit 1"
)


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class Advisories(unittest.TestCase):
    """With a cargo-deny that looks at nothing."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.deny = self.folder / "cargo-deny"
        self.deny.write_text(DENY)
        self.deny.chmod(0o755)

    def database(self) -> Path:
        """A list that was fetched before."""
        path = self.folder / "advisory-dbs" / "advisory-db-0123abcd"
        path.mkdir(parents=True)
        when = {"GIT_AUTHOR_DATE": "2026-01-02T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-02T00:00:00Z"}
        with patch.dict(os.environ, NOBODY | when):
            source.git(path, "init", "--quiet")
            source.git(path, "commit", "--quiet", "--allow-empty", "--message=Some")
        return path

    def check(self, is_required: bool = False, fetch: str = "exit 0", check: str = "exit 0", **others: str) -> str:
        """What a check prints."""
        variables = {
            "PATH": os.environ["PATH"],
            "CARGO_HOME": str(self.folder),
            "CALLS": str(self.folder / "calls"),
            "FETCH": fetch,
            "CHECK": check,
            **others,
        }
        output = io.StringIO()
        with redirect_stdout(output):
            RustSec(str(self.deny), self.folder, variables).check(is_required)
        return output.getvalue()

    def calls(self) -> list[str]:
        """What cargo-deny was called with."""
        return (self.folder / "calls").read_text().splitlines()

    def test_the_list_is_fetched_and_dated(self) -> None:
        self.database()
        self.assertIn("none is about a dependency, by RustSec's list of 2026-01-02", self.check())
        self.assertEqual(self.calls(), ["--locked fetch db", "--locked check advisories"])

    def test_an_advisory_fails(self) -> None:
        self.database()
        for is_required in (True, False):
            with self.assertRaisesRegex(LocalError, "an advisory is about a dependency"):
                self.check(is_required, check="exit 1")

    def test_without_the_list_there_is_a_warning_that_says_how_to_get_it(self) -> None:
        (line,) = self.check(fetch=UNREACHABLE).splitlines()
        self.assertTrue(line.startswith("WARNING     NOT CHECKED"))
        for part in ("Could not resolve host: github.com", "make audit", "ADVISORY_DB=<its address or directory>"):
            self.assertIn(part, line)
        self.assertEqual(self.calls(), ["--locked fetch db"])

    def test_where_it_is_required_that_fails(self) -> None:
        self.database()
        with self.assertRaisesRegex(LocalError, "NOT CHECKED"):
            self.check(is_required=True, fetch=UNREACHABLE)

    def test_a_copy_that_is_named_has_to_be_there(self) -> None:
        self.database()
        with self.assertRaisesRegex(LocalError, "NOT CHECKED"):
            self.check(fetch=UNREACHABLE, ADVISORY_DB="https://example.org/advisory-db")

    def test_a_copy_takes_the_place_of_the_original(self) -> None:
        self.database()
        self.check(ADVISORY_DB="https://example.org/advisory-db")
        self.assertEqual(self.calls()[1], "https://github.com/RustSec/advisory-db")
        copy = advisories._instead_of("original", str(self.folder), {"GIT_CONFIG_COUNT": "1"})
        self.assertEqual(copy["GIT_CONFIG_COUNT"], "2")
        self.assertEqual(copy["GIT_CONFIG_KEY_1"], f"url.{self.folder.resolve().as_uri()}.insteadOf")

    def test_what_was_fetched_lately_is_used_and_said_to_be_older(self) -> None:
        self.database()
        self.assertIn("list of 2026-01-02, because it could not be fetched now", self.check(fetch=UNREACHABLE))
        self.assertEqual(self.calls()[1], "--locked --offline check advisories")

    def test_what_was_fetched_long_ago_is_not(self) -> None:
        head = self.database() / ".git" / "HEAD"
        long_ago = time.time() - (advisories.OLDEST_DAYS + 1) * 86_400
        os.utime(head, (long_ago, long_ago))
        self.assertIn("NOT CHECKED", self.check(fetch=UNREACHABLE))

    def test_a_network_that_does_not_answer_is_not_waited_for(self) -> None:
        with patch.object(advisories, "QUICK_SECONDS", 0.2):
            self.assertIn("NOT CHECKED", self.check(fetch='tail -f /dev/null & echo $! > "$CALLS"; wait'))
        (git,) = self.calls()
        wait_for("what it started to end", lambda: not alive(int(git)), 10)

    def test_packages_of_python_are_required_to_be_known(self) -> None:
        """pip-audit passes over what the index knows nothing of, unless it is strict."""
        program = self.folder / "pip-audit"
        program.write_text(f'#!/bin/sh\necho "$*" >> {self.folder}/calls\n')
        program.chmod(0o755)
        with patch.object(advisories, "PIP_AUDIT", program), redirect_stdout(io.StringIO()):
            advisories.check_python()
        pins = {path for path in advisories.REQUIREMENTS.glob("*.txt") if path.with_suffix(".in").exists()}
        self.assertEqual({Path(call.rsplit("=", 1)[1]) for call in self.calls()}, pins)
        self.assertTrue(all("--strict" in call and "--require-hashes" in call for call in self.calls()))

    def test_a_package_with_a_vulnerability_fails(self) -> None:
        program = self.folder / "pip-audit"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        with (
            patch.object(advisories, "PIP_AUDIT", program),
            redirect_stdout(io.StringIO()),
            self.assertRaisesRegex(LocalError, r"api\.txt has a package with a known vulnerability"),
        ):
            advisories.check_python()

    def test_lint_looks_at_rust_only(self) -> None:
        with (
            patch.object(RustSec, "check") as rust,
            patch.object(advisories, "check_python") as python,
        ):
            command._audit(command._parser().parse_args(["audit", "--deny=x", "--if-reachable"]))
            rust.assert_called_once_with(is_required=False)
            python.assert_not_called()
            command._audit(command._parser().parse_args(["audit", "--deny=x"]))
            rust.assert_called_with(is_required=True)
            python.assert_called_once()
