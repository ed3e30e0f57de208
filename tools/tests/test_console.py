"""The console answers its own page only, and tells each thing that happened once."""

import http.client
import json
import threading
import unittest
from typing import Any
from unittest import mock

from console.feed import Feed
from console.guard import Guard
from console.server import Console, Server
from console.upstream import API, SANDBOX, Upstream, is_listed
from console.watchers import journal_events, log_event
from local.logs import Line

OWN = "127.0.0.1:4000"
GUARD = Guard(4000)
LINE = {
    "timestamp": "2026-03-01T12:00:00Z",
    "level": "INFO",
    "fields": {
        "event": "webhook_queued",
        "message": "m",
        "link.id": "l",
        "correlation.id": "b5d0106a-c9cc-43d5-b361-99fe831f6bbe",
    },
}
REQUEST = "b5d0106ac9cc43d5b36199fe831f6bbe"


def refusal(method: str, headers: dict[str, str], is_page: bool = False) -> str | None:
    """What the guard says to a request with these headers, the console's own host unless they name one."""
    return GUARD.refusal(method, {"Host": OWN, **headers}, is_page)


class Guarding(unittest.TestCase):
    """Who may call."""

    def test_the_consoles_own_page_may_read_and_change(self) -> None:
        self.assertIsNone(refusal("GET", {"Sec-Fetch-Site": "same-origin"}))
        self.assertIsNone(refusal("POST", {"Origin": f"http://{OWN}", "Sec-Fetch-Site": "same-origin"}))
        self.assertIsNone(refusal("DELETE", {"Host": "localhost:4000", "Origin": "http://localhost:4000"}))

    def test_a_program_of_the_user_may_read(self) -> None:
        self.assertIsNone(refusal("GET", {}))

    def test_another_site_may_lead_to_a_page_and_do_nothing_else(self) -> None:
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        self.assertIsNone(refusal("GET", elsewhere, is_page=True))
        self.assertIsNotNone(refusal("GET", elsewhere))
        self.assertIsNotNone(refusal("POST", elsewhere))
        self.assertIsNotNone(refusal("POST", {"Origin": "https://attacker.example"}))
        self.assertIsNotNone(refusal("POST", {"Origin": "http://localhost:4000"}))
        self.assertIsNotNone(refusal("GET", {"Origin": "https://attacker.example"}))

    def test_a_name_that_was_pointed_to_this_machine_is_not_the_console(self) -> None:
        for host in ("attacker.example:4000", "127.0.0.1", "127.0.0.1:4001", ""):
            self.assertIsNotNone(refusal("GET", {"Host": host}, is_page=True), host)


class Forwarding(unittest.TestCase):
    """Which paths lead somewhere."""

    def test_what_the_page_needs_is_listed(self) -> None:
        for method, path in (
            ("GET", "/links"),
            ("GET", "/links/l-1"),
            ("GET", "/links/l-1/transactions"),
            ("GET", "/links/l-1/resources/financial-statements"),
            ("GET", "/links/l-1/changes"),
            ("POST", "/requests"),
            ("POST", "/connect/token"),
            ("DELETE", "/links/l-1"),
        ):
            self.assertTrue(is_listed(API, method, path), path)
        for method, path in (
            ("POST", "/rules"),
            ("DELETE", "/rules"),
            ("POST", "/links/l-1/event"),
            ("POST", "/links/l-1/transactions"),
            ("POST", "/links/l-1/reconnect"),
            ("POST", "/links/l-1/resources/invoices"),
            ("PATCH", "/links/l-1/transactions/t-1"),
            ("DELETE", "/links/l-1/transactions/t-1"),
        ):
            self.assertTrue(is_listed(SANDBOX, method, path), path)

    def test_secrets_and_the_webhooks_route_are_not(self) -> None:
        for method, path in (
            ("POST", "/webhooks/belvo"),
            ("GET", "/links/../x"),
            ("GET", "/links/%2e%2e"),
            ("GET", "/links/\u00e9"),
        ):
            self.assertFalse(is_listed(API, method, path), path)
        for method, path in (
            ("GET", "/webhook"),
            ("PUT", "/webhook"),
            ("GET", "/log"),
            ("POST", "/deliver"),
            ("POST", "/links"),
            ("PATCH", "/links/l-1"),
            ("PATCH", "/links/l-1/accounts/a-1"),
            ("DELETE", "/links/l-1/transactions/../x"),
        ):
            self.assertFalse(is_listed(SANDBOX, method, path), path)


class Answering(unittest.TestCase):
    """What becomes of a call that fails on its way."""

    def test_a_failure_is_told_to_the_page(self) -> None:
        failures = (
            (ValueError("bad"), 400),
            (http.client.InvalidURL("bad"), 400),
            (http.client.BadStatusLine("bad"), 502),
            (ConnectionRefusedError("gone"), 502),
        )
        for failure, status in failures:
            with self.subTest(failure):
                self.assertEqual(status_after(failure), status)


class Watching(unittest.TestCase):
    """What becomes an event."""

    def test_a_line_of_a_function_names_its_link_and_request(self) -> None:
        event = log_event(Line(0, "webhook", json.dumps(LINE)))
        self.assertEqual((event["name"], event["link"], event["request"]), ("webhook_queued", "l", REQUEST))

    def test_a_line_of_the_platform_is_none(self) -> None:
        for text in ("REPORT RequestId: 1", '"text"', "{}", '{"fields": 1}'):
            self.assertIsNone(log_event(Line(0, "webhook", text)), text)

    def test_calls_of_the_page_itself_are_no_news(self) -> None:
        call = {"fields": {"event": "call_answered", "message": "call answered", "link.id": "l-1"}}
        self.assertIsNone(log_event(Line(0, "query", json.dumps(call))))

    def test_an_attempt_tells_the_webhooks_names_and_not_its_data(self) -> None:
        body = {"webhook_code": "historical_update", "request_id": REQUEST, "data": {"total_transactions": 250}}
        (event,) = journal_events(journal(deliveries=[delivery(body)]))
        self.assertEqual((event["code"], event["request"], event["status"]), ("historical_update", REQUEST, 202))
        self.assertNotIn("250", json.dumps(event))

    def test_a_malformed_webhook_is_an_event_of_the_request_that_it_mentions(self) -> None:
        for text, request in ((f'{{"request_id": "{REQUEST}", "data"', REQUEST), ('{"request_id": "b5', None)):
            (event,) = journal_events(journal(deliveries=[delivery(text)]))
            self.assertEqual((event["readable"], event["request"]), (False, request))


class Telling(unittest.TestCase):
    """The feed."""

    def test_a_listener_gets_what_came_after_what_it_has(self) -> None:
        feed = Feed()
        feed.publish([{"n": 1}, {"n": 2}, {"n": 3}])
        self.assertEqual([event.number for event in feed.after(1, seconds=0)], [2, 3])
        self.assertEqual(feed.after(3, seconds=0), [])

    def test_a_listener_of_an_earlier_console_gets_everything(self) -> None:
        feed = Feed()
        feed.publish([{"n": 1}])
        self.assertEqual(feed.known(7), 0)


def status_after(failure: Exception) -> int:
    """What the page is answered when the stack's API fails like this."""
    upstream = mock.Mock(spec=Upstream)
    upstream.api.side_effect = failure
    with Server(0, Console(upstream, Feed())) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/api/links")
        status = connection.getresponse().status
        connection.close()
        server.shutdown()
    return status


def journal(**entries: Any) -> dict[str, Any]:
    """A journal with these entries and no others."""
    return {"posts": [], "gets": [], "others": [], "deliveries": [], **entries}


def delivery(body: Any) -> dict[str, Any]:
    """A delivery of this body that was acknowledged at once."""
    attempt = {"at": "2026-03-01T12:00:00Z", "status": 202, "latency_ms": 5, "answer": ""}
    return {"id": 1, "link": "l", "authorization_ok": True, "attempts": [attempt], "body": body}
