"""A run that sends Belvo something invalid fails."""

import contextlib
import io
import tempfile
import unittest
import warnings
from pathlib import Path

from local import loopback, processes, sandbox, stack
from local.deployment import Secrets

SECRETS = Secrets("id", "password", "Bearer unused")


class Violations(unittest.TestCase):
    """What the sandbox was sent that Belvo's OpenAPI does not allow."""

    def setUp(self) -> None:
        """Starts a sandbox."""
        state = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        pid, self.url = sandbox.start(Path(state), SECRETS, webhook_retry_ms=500, page_rows=100)
        self.addCleanup(processes.stop, pid, Path(state))

    def judge(self) -> tuple[bool, str]:
        """Whether a run against the sandbox is good, and what it prints."""
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            return stack.sent_only_valid_requests(self.url), printed.getvalue()

    def test_a_run_without_one_is_good_and_says_nothing(self) -> None:
        self.assertEqual(self.judge(), (True, ""))

    def test_a_run_with_some_is_not_and_lists_them(self) -> None:
        for _ in range(2):
            loopback.call("GET", f"{self.url}/api/links/not-an-id/", None, {})
            loopback.call("GET", f"{self.url}/api/transactions/", None, {})
        good, printed = self.judge()
        self.assertFalse(good)
        self.assertIn("  GET /api/transactions/: link: This field is required., 2 times\n", printed)

        sandbox.control(self.url, "DELETE", "violations")
        self.assertEqual(self.judge(), (True, ""))
