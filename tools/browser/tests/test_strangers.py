"""A page that somebody has open beside the stack can do nothing with it."""

import http.client
import json
import os
import threading
import unittest
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

from playwright.sync_api import Page, Response, sync_playwright

from browser import chromium

LOCAL_AWS, SANDBOX = os.environ.get("AWS_ENDPOINT_URL", ""), os.environ.get("SANDBOX_URL", "")
# Of the account, which is known, with a signature that is none: MiniStack would take it.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/{}/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=00"
)
# Sends one request as a page can, and says what the page learns of the answer.
SEND = """
async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return answer.type === "opaque" ? "sent" : `read ${answer.status}`;
    } catch { return "refused"; }
}
"""
FRAME = "url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))"


class OtherPage(BaseHTTPRequestHandler):
    """An empty page of another origin."""

    def do_GET(self) -> None:
        """Any path."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Requests are no news."""


class Strangers(unittest.TestCase):
    """The page, in the browser of a developer whose stack runs."""

    page: ClassVar[Page]

    @classmethod
    def setUpClass(cls) -> None:
        """Opens it."""
        server = cls.enterClassContext(ThreadingHTTPServer(("127.0.0.1", 0), OtherPage))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        cls.page = cls.enterClassContext(chromium.launch(playwright)).new_page()
        cls.page.goto(f"http://127.0.0.1:{server.server_port}/")

    def test_it_cannot_ask_the_local_aws_for_a_secret(self) -> None:
        headers = {"Authorization": AUTHORIZATION.format("20260101"), "X-Amz-Target": "secretsmanager.ListSecrets"}
        learnt = self.page.evaluate(SEND, [LOCAL_AWS, {"method": "POST", "headers": headers, "body": "{}"}])
        self.assertEqual(learnt, "refused")

    def test_what_it_sends_without_asking_is_refused(self) -> None:
        """No preflight precedes these: the request itself arrives, whatever the page learns of the answer."""
        for url, body in (
            (f"{LOCAL_AWS}/_ministack/config", "{}"),
            (f"{LOCAL_AWS}/?Action=ListUsers", ""),
            (f"{SANDBOX}/_control/rules", '{"point": "webhook", "action": {"kind": "drop"}}'),
        ):
            with self.subTest(url):
                self.assertEqual(self.status_of(url, body), 403)
        self.assertEqual(json.loads(_answer(SANDBOX, "GET", "/_control/rules")[1]), [])

    def test_a_frame_of_it_shows_nothing(self) -> None:
        for url in (f"{LOCAL_AWS}/_ministack/health", f"{SANDBOX}/_control/webhook"):
            with self.subTest(url), self.page.expect_response(url) as answered:
                self.page.evaluate(FRAME, url)
            self.assertEqual(answered.value.status, 403)

    def test_a_name_that_was_pointed_here_is_refused(self) -> None:
        for origin, path in ((LOCAL_AWS, "/_ministack/health"), (SANDBOX, "/_control/rules")):
            with self.subTest(origin):
                self.assertEqual(_answer(origin, "GET", path, host="attacker.example")[0], 403)

    def test_a_program_cannot_use_the_account_without_its_secret(self) -> None:
        target, date = "secretsmanager.ListSecrets", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        for signature in ({}, {"Authorization": AUTHORIZATION.format(date[:8]), "X-Amz-Date": date}):
            status, _ = _answer(LOCAL_AWS, "POST", "/", headers={"X-Amz-Target": target, **signature})
            self.assertEqual(status, 403)

    def test_a_program_cannot_call_the_api_without_a_signature(self) -> None:
        api = urlsplit(os.environ["API_URL"])
        for authorization in ({}, {"Authorization": "Bearer of-somebody"}, {"Authorization": "Basic eDp5"}):
            status, _ = _answer(LOCAL_AWS, "GET", f"{api.path}/links", headers=authorization)
            self.assertEqual(status, 403, authorization)

    def status_of(self, url: str, body: str) -> int:
        """The status of a request that a page may send to any site."""
        with self.page.expect_response(url) as answered:
            options = {"method": "POST", "mode": "no-cors", "body": body}
            self.assertEqual(self.page.evaluate(SEND, [url, options]), "sent")
        response: Response = answered.value
        return response.status


def _answer(
    origin: str, method: str, path: str, host: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    own = urlsplit(origin).netloc
    with closing(http.client.HTTPConnection(own, timeout=30)) as connection:
        connection.request(method, path, headers={"Host": host or own, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
