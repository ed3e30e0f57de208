"""`make secrets`: what it asks, proves, puts and says, with a Belvo and a webhook of the test's own."""

import base64
import json
import os
import pty
import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy import checks, guide
from deploy.aws import Aws
from deploy.guide import Terminal
from deploy.stacks import Deployed
from local import aws as local_aws
from local import paths
from local.errors import LocalError

KEYS, AUTHORIZATION = "arn:keys", "arn:authorization"
PASSWORD = "a-password-of-belvo"  # noqa: S105 (a made-up one)
GIVEN = f"Bearer {'g' * 32}"
# From a request to the status and the headers of its answer.
Answer = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str]]]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A server on this machine that answers every request like this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers = answer(self, body)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Manager:
    """A Secrets Manager in memory."""

    class exceptions:  # noqa: N801 (as boto3 has it)
        """Its errors."""

        class ResourceNotFoundException(Exception):  # noqa: N818 (as boto3 has it)
            """There is no value."""

    def __init__(self) -> None:
        """Without a value."""
        self.values: dict[str, Any] = {}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 (as boto3 has it)
        """As boto3's."""
        if SecretId not in self.values:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": json.dumps(self.values[SecretId])}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803 (as boto3 has it)
        """As boto3's."""
        self.values[SecretId] = json.loads(SecretString)


class Guided(unittest.TestCase):
    """The whole of it, but for the terminal and AWS."""

    def setUp(self) -> None:
        self.manager = Manager()
        self.said: list[str] = []
        self.posts: list[tuple[str, bytes]] = []
        self.belvo = self.enterContext(served(self.of_belvo))
        self.webhook = self.enterContext(served(self.of_webhook))

    def of_belvo(self, request: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, dict[str, str]]:
        """Knows one pair of keys."""
        self.assertEqual(request.path, "/api/institutions/?page_size=1")
        pair = base64.b64encode(f"an-id:{PASSWORD}".encode()).decode()
        return (200 if request.headers["Authorization"] == f"Basic {pair}" else 401), {
            "Content-Type": "application/json"
        }

    def of_webhook(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str]]:
        """Knows the values of the secret."""
        value = request.headers["Authorization"]
        self.posts.append((value, body))
        return (202 if value in self.manager.values.get(AUTHORIZATION, {}).values() else 401), {}

    def run_with(self, *answers: str, show: bool = False, front: str | None = None) -> None:
        """Answers in this order, and no others."""
        left = list(answers)
        terminal = Terminal(self.said.append, ask_secretly=lambda _: left.pop(0), ask=lambda _: left.pop(0))
        there = Aws(lambda _: self.manager, "sa-east-1", {}, "work")
        outputs = {"BelvoKeysSecretArn": KEYS, "WebhookSecretArn": AUTHORIZATION}
        deployed = Deployed("a-stack", there, outputs, {"BelvoBaseUrl": self.belvo}, self.webhook, front)
        guide.run(deployed, terminal, show)
        self.assertEqual(left, [])

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n".join(self.said)

    def test_a_new_stack_gets_belvos_keys_and_a_random_authorization(self) -> None:
        self.run_with("an-id", PASSWORD, "")
        self.assertEqual(self.manager.values[KEYS], {"secret_id": "an-id", "secret_password": PASSWORD})
        (name, value), *others = self.manager.values[AUTHORIZATION].items()
        self.assertEqual((name, others), ("current", []))
        scheme, token = value.split(" ")
        self.assertEqual(scheme, "Bearer")
        self.assertGreaterEqual(len(base64.urlsafe_b64decode(token + "=")), 32)

    def test_it_says_what_to_register_and_shows_no_secret(self) -> None:
        self.run_with("an-id", PASSWORD, "")
        current = self.manager.values[AUTHORIZATION]["current"]
        self.assertIn(f"URL            {self.webhook}", self.text)
        self.assertIn(f"aws secretsmanager get-secret-value --secret-id={AUTHORIZATION}", self.text)
        self.assertIn("--region=sa-east-1 --profile=work", self.text)
        for secret in (current, current.split(" ")[1], PASSWORD, "an-id"):
            self.assertNotIn(secret, self.text)
        self.run_with("n", "n", show=True)
        self.assertIn(f"Authorization  {current}", self.text)

    def test_a_front_is_what_to_register_and_is_not_what_is_tried(self) -> None:
        self.run_with("an-id", PASSWORD, GIVEN, front="https://front.invalid/webhooks/belvo")
        self.assertIn("URL            https://front.invalid/webhooks/belvo", self.text)
        self.assertIn("past the front", self.text)
        self.assertEqual(self.posts[-1][0], GIVEN)

    def test_the_webhook_is_tried_with_a_wrong_value_and_with_the_right_one(self) -> None:
        self.run_with("an-id", PASSWORD, GIVEN)
        (wrong, _), (right, body) = self.posts
        self.assertNotEqual(wrong, GIVEN)
        self.assertEqual((right, body), (GIVEN, b"{}"))
        self.assertIn("Refused     a wrong authorization (401)", self.text)
        self.assertIn("Accepted    the webhook's authorization (202)", self.text)

    def test_keys_that_belvo_refuses_are_not_stored(self) -> None:
        with self.assertRaisesRegex(LocalError, f"refuses these keys .401.*nothing was stored.*{self.belvo}"):
            self.run_with("an-id", "another password", "")
        with self.assertRaisesRegex(LocalError, "nothing was entered"):
            self.run_with("an-id", " ")
        self.assertEqual(self.manager.values, {})

    def test_an_authorization_that_can_be_guessed_or_that_belvo_cannot_send_is_refused(self) -> None:
        for value, message in (
            (f"Bearer {'g' * 24}", "31 characters, and must have 32"),
            ("g" * 40, "`Bearer` or `Basic`"),
            (f"Bearer {'g' * 32} more", "without spaces"),
            (f"Bearer {'g' * 32}\u00e9", "without spaces"),
        ):
            with self.assertRaisesRegex(LocalError, message) as refused:
                guide.require_strong(value)
            self.assertNotIn(value, str(refused.exception))
        self.assertEqual(guide.require_strong(f"Basic {'g' * 26}"), f"Basic {'g' * 26}")

    def test_a_rotation_keeps_the_value_before_until_it_is_withdrawn(self) -> None:
        self.run_with("an-id", PASSWORD, GIVEN)
        self.run_with("n", "y", "")
        rotated = self.manager.values[AUTHORIZATION]
        self.assertEqual(rotated["previous"], GIVEN)
        self.assertNotEqual(rotated["current"], GIVEN)
        self.run_with("n", "n")
        self.assertEqual(self.manager.values[AUTHORIZATION], rotated)
        self.run_with("n", "y")
        self.assertEqual(self.manager.values[AUTHORIZATION], {"current": rotated["current"]})

    def test_a_secret_that_is_not_one_is_named(self) -> None:
        for value in ({"token": "x"}, ["x"], "x"):
            self.manager.values[KEYS] = value
            with self.assertRaisesRegex(LocalError, f"{KEYS} is not a JSON object with secret_id, secret_password"):
                self.run_with()

    def test_belvos_keys_are_replaced_without_a_new_authorization(self) -> None:
        self.run_with("an-id", PASSWORD, GIVEN)
        self.manager.values[KEYS]["secret_password"] = "the old one"  # noqa: S105 (a made-up one)
        self.run_with("y", "an-id", PASSWORD, "n")
        self.assertEqual(self.manager.values[KEYS]["secret_password"], PASSWORD)
        self.assertEqual(self.manager.values[AUTHORIZATION], {"current": GIVEN})


class Checks(unittest.TestCase):
    """What the webhook's answers mean, and where secrets do not go."""

    def setUp(self) -> None:
        self.said: list[str] = []
        self.waited = 0.0

    def pause(self, seconds: float) -> None:
        """Lets no time pass."""
        self.waited += seconds

    def check(self, *statuses: int) -> None:
        """Against a webhook that gives these answers and no others."""
        left = list(statuses)
        with served(lambda *_: (left.pop(0), {})) as url:
            checks.check_webhook(url, GIVEN, self.said.append, self.pause)
        self.assertEqual(left, [])

    def test_a_function_that_still_has_the_old_value_is_waited_for_once(self) -> None:
        """With a wrong one, these are two refusals, and three in a quarter of an hour raise an alarm."""
        self.check(401, 401, 202)
        self.assertGreater(self.waited, checks.CACHE_SECONDS)
        self.assertEqual(len([line for line in self.said if line.startswith("Waiting")]), 3)
        with self.assertRaisesRegex(LocalError, "answered 401 to its authorization.*make secrets"):
            self.check(401, 401, 401)

    def test_a_webhook_that_takes_any_value_is_not_good(self) -> None:
        with self.assertRaisesRegex(LocalError, "answered 202 to a wrong authorization, and 401 is right"):
            self.check(202)

    def test_a_webhook_that_fails_leads_to_its_page(self) -> None:
        with self.assertRaisesRegex(LocalError, "answered 503.*webhook-errors.md"):
            self.check(401, 503)

    def test_from_an_address_that_may_not_call_it_is_not_tested(self) -> None:
        self.check(403)
        self.assertIn("AllowedSourceIps", self.said[0])

    def test_a_page_of_belvos_firewall_says_nothing_of_the_keys(self) -> None:
        with (
            served(lambda *_: (403, {"Content-Type": "text/html"})) as url,
            self.assertRaisesRegex(LocalError, "says nothing of the keys"),
        ):
            checks.require_accepted_by_belvo(url, guide.Keys("an-id", PASSWORD))

    def test_keys_do_not_follow_a_redirect(self) -> None:
        reached: list[str] = []

        def elsewhere(request: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, dict[str, str]]:
            reached.append(request.path)
            return 200, {}

        with (
            served(elsewhere) as target,
            served(lambda *_: (302, {"Location": target})) as url,
            self.assertRaisesRegex(LocalError, "answered 302"),
        ):
            checks.require_accepted_by_belvo(url, guide.Keys("an-id", PASSWORD))
        self.assertEqual(reached, [])

    def test_a_belvo_that_is_not_there_is_said_to_be(self) -> None:
        with served(lambda *_: (200, {})) as url:
            pass
        with self.assertRaisesRegex(LocalError, "does not answer"):
            checks.require_accepted_by_belvo(url, guide.Keys("an-id", PASSWORD))


@unittest.skipUnless("WEBHOOK_SECRET_ARN" in os.environ, "needs a stack: make test, or python -m local exec")
class AtATerminal(unittest.TestCase):
    """The command itself, on a deployed stack."""

    def setUp(self) -> None:
        """Leaves the secret as it was, which the tests after this one need."""
        self.manager = local_aws.client("secretsmanager", local_aws.Endpoint.of(os.environ))
        self.arn = os.environ["WEBHOOK_SECRET_ARN"]
        self.before = self.manager.get_secret_value(SecretId=self.arn)["SecretString"]
        self.addCleanup(lambda: self.manager.put_secret_value(SecretId=self.arn, SecretString=self.before))

    def test_a_rotation_is_accepted_and_nothing_secret_is_seen(self) -> None:
        answers = {
            "Replace them? [y/N] ": "y",
            "Secret id: ": os.environ["BELVO_SECRET_ID"],
            "Secret password: ": os.environ["BELVO_SECRET_PASSWORD"],
            "Replace it? [y/N] ": "y",
            "(Enter makes one): ": GIVEN,
        }
        code, screen = self.typed(answers)
        self.assertEqual(code, 0, screen)
        self.assertIn("Stored      Belvo's keys, which Belvo accepts", screen)
        self.assertIn("Refused     a wrong authorization (401)", screen)
        self.assertIn("Accepted    the webhook's authorization (202)", screen)
        for secret in (*list(answers.values())[1:3], GIVEN, os.environ["WEBHOOK_AUTHORIZATION"]):
            self.assertNotIn(secret, screen)
        value = json.loads(self.manager.get_secret_value(SecretId=self.arn)["SecretString"])
        self.assertEqual(value, {"current": GIVEN, "previous": json.loads(self.before)["current"]})

    def typed(self, answers: dict[str, str]) -> tuple[int, str]:
        """Runs it at a terminal, types each answer at its prompt, and returns the exit code and what was seen."""
        process, terminal = pty.fork()
        if process == 0:
            command = [sys.executable, "-m", "deploy", "secrets", "local"]
            os.execve(sys.executable, command, os.environ | {"PYTHONPATH": str(paths.ROOT / "tools")})  # noqa: S606
        screen = ""
        try:
            while part := _read(terminal):
                screen += part
                for prompt in [prompt for prompt in answers if screen.endswith(prompt)]:
                    os.write(terminal, f"{answers[prompt]}\n".encode())
        finally:
            os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), screen


def _read(terminal: int) -> str:
    """What is written next; nothing once the other end is closed."""
    try:
        return os.read(terminal, 4_096).decode()
    except OSError:
        return ""
