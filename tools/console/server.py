"""HTTP: which request goes where. Bound to 127.0.0.1."""

import json
import sys
from dataclasses import dataclass
from http.client import HTTPException, InvalidURL
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from console import pages
from console.feed import Feed
from console.guard import Guard
from console.upstream import Answer, Upstream

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024
MAX_DIGITS = 15
# A line now and then, so that the thread of a listener who has gone away notices it.
HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Console:
    """What the requests are answered with."""

    upstream: Upstream
    feed: Feed


class Server(ThreadingHTTPServer):
    """The console's server."""

    daemon_threads = True

    def __init__(self, port: int, console: Console) -> None:
        """Listens on `port`, or on a free one for 0."""
        super().__init__((ADDRESS, port), Handler)
        self.console = console
        self.guard = Guard(self.server_port)
        self.url = f"http://{ADDRESS}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Pages, events, and whatever is read."""
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Requests of a page are no news."""

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        page = pages.find(path) if self.command == "GET" else None
        refusal = self.server.guard.refusal(self.command, self.headers, is_page=page is not None)
        if refusal:
            self._refuse(403, refusal)
        elif page:
            self._send(page)
        elif (self.command, path) == ("GET", "/events"):
            self._stream()
        else:
            self._forward(path, query)

    def _forward(self, path: str, query: str) -> None:
        size = _number(self.headers.get("Content-Length") or "0")
        if size is None or size > MAX_BODY_BYTES:
            self._refuse(413, "the body is too large")
            return
        body = self.rfile.read(size) or None
        upstream, (first, _, rest) = self.server.console.upstream, path.removeprefix("/").partition("/")
        try:
            match (self.command, first):
                case (_, "api"):
                    self._send(upstream.api(self.command, f"/{rest}", query, body))
                case (_, "sandbox"):
                    self._send(upstream.sandbox(self.command, f"/{rest}", query, body))
                case ("POST", "sweep"):
                    self._send(upstream.sweep())
                case ("GET", "facts"):
                    self._send(upstream.facts())
                case _:
                    self._send(_message(404, "no such page"))
        except (ValueError, InvalidURL) as error:
            self._send(_message(400, f"this cannot be passed on: {error}"))
        except (OSError, HTTPException, BotoCoreError, ClientError) as error:
            self._send(_message(502, f"the stack did not answer: {error}"))

    def _stream(self) -> None:
        """Server-sent events, from the one after `Last-Event-ID` on."""
        self.close_connection = True
        self._head(200, "text/event-stream")
        self.end_headers()
        feed = self.server.console.feed
        number = feed.known(_number(self.headers.get("Last-Event-ID") or "0") or 0)
        try:
            with feed.listening():
                while True:
                    events = feed.after(number, HEARTBEAT_SECONDS)
                    text = "".join(f"id: {event.number}\ndata: {event.data}\n\n" for event in events)
                    self.wfile.write((text or ": nothing new\n\n").encode())
                    self.wfile.flush()
                    number = events[-1].number if events else number
        except OSError:
            # The listener has gone away.
            return

    def _refuse(self, status: int, reason: str) -> None:
        # The body was not read, so what follows on this connection cannot be told from it.
        self.close_connection = True
        self._send(_message(status, reason))

    def _send(self, answer: Answer) -> None:
        self._head(answer.status, answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _head(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)


def _number(text: str) -> int | None:
    """A number as a header has it; `None` for anything else, and for one that no size or event ever has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else None


def _message(status: int, text: str) -> Answer:
    return Answer(status, json.dumps({"message": text}).encode())
