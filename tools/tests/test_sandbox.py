"""A run that sends Belvo something invalid fails; the pace of a stack suits the limit of its sandbox."""

import contextlib
import io
import os
import tempfile
import unittest
import warnings
from pathlib import Path
from unittest.mock import patch

from local import loopback, processes, sandbox, stack
from local.belvo import Belvo
from local.deployment import Secrets

SECRETS = Secrets("id", "password", "Bearer unused")
LIMIT = "BELVO_SANDBOX_REQUESTS_PER_30_S"


class Running(unittest.TestCase):
    """A test with sandboxes of its own."""

    def start(self, **settings: int) -> str:
        """Starts a sandbox and returns its URL."""
        state = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        pid, url = sandbox.start(Path(state), SECRETS, webhook_retry_ms=500, page_rows=100, **settings)
        self.addCleanup(processes.stop, pid, Path(state))
        return url


class Violations(Running):
    """What the sandbox was sent that Belvo's OpenAPI does not allow."""

    def setUp(self) -> None:
        """Starts a sandbox."""
        self.url = self.start()

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


@patch.dict(os.environ)
class Pace(Running):
    """How many requests a stack may send, and how many it does."""

    def setUp(self) -> None:
        """Forgets the limit that the environment of this run may name."""
        os.environ.pop(LIMIT, None)

    def pace(self, url: str, **wanted: str) -> str | None:
        """The pace that a stack with this sandbox is deployed with; `None` for the one that the template has."""
        chosen = Belvo(url, SECRETS, is_sandbox=True)
        return stack.suitable_parameters(chosen, wanted).get("CollectCallsPer30Seconds")

    def test_a_command_has_no_limit_and_reads_at_any_pace(self) -> None:
        url = self.start()
        self.assertIsNone(sandbox.requests_per_30_s(url))
        self.assertEqual(self.pace(url), "100000")

    def test_a_limit_of_the_stack_or_of_the_environment_leaves_the_pace_of_the_template(self) -> None:
        limited = self.start(requests_per_30_s=80)
        os.environ[LIMIT] = "40"
        chosen_by_environment = self.start(requests_per_30_s=80)
        for url, limit in ((limited, 80), (chosen_by_environment, 40)):
            self.assertEqual(sandbox.requests_per_30_s(url), limit)
            self.assertIsNone(self.pace(url))

    def test_a_pace_that_is_wanted_goes_before(self) -> None:
        self.assertEqual(self.pace(self.start(), CollectCallsPer30Seconds="36"), "36")

    def test_a_named_belvo_is_read_at_the_pace_of_the_template(self) -> None:
        named = Belvo("https://sandbox.belvo.com", SECRETS, is_sandbox=False)
        self.assertEqual(stack.suitable_parameters(named, {}), {})
