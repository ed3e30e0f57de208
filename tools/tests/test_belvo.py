"""A running stack does not change its Belvo."""

import os
import unittest
from pathlib import Path
from unittest.mock import patch

from local import belvo
from local.errors import LocalError
from local.record import Record

NAMED = {
    "BELVO_BASE_URL": "https://sandbox.belvo.com",
    "BELVO_SECRET_ID": "id",
    "BELVO_SECRET_PASSWORD": "password",
    "WEBHOOK_AUTHORIZATION": "Bearer value",
}
FRESH = Record(processes={"ministack": 1}, variables={})
ON_SANDBOX = Record(processes={"ministack": 1, "sandbox": 2}, variables={"API_URL": "http://127.0.0.1"})
ON_NAMED = Record(processes={"ministack": 1}, variables={"API_URL": "http://127.0.0.1"})


class Choice(unittest.TestCase):
    """Which Belvo a stack works against."""

    @patch.dict(os.environ, NAMED)
    def test_a_named_belvo_is_taken_by_a_fresh_stack_and_by_one_that_works_against_it(self) -> None:
        for running in (FRESH, ON_NAMED):
            chosen = belvo.named(running)
            self.assertEqual((chosen.url, chosen.is_sandbox), (NAMED["BELVO_BASE_URL"], False))

    @patch.dict(os.environ, NAMED)
    def test_a_stack_with_a_sandbox_refuses_a_named_belvo(self) -> None:
        with self.assertRaisesRegex(LocalError, "make down"):
            belvo.named(ON_SANDBOX)

    def test_a_stack_with_a_named_belvo_refuses_a_sandbox(self) -> None:
        with self.assertRaisesRegex(LocalError, "make down"):
            belvo.own_sandbox(Path("/nowhere"), ON_NAMED, webhook_retry_ms=1)
