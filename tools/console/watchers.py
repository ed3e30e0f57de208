"""Where events come from: the log lines of the functions, and the journal of the sandbox.

Both are read again and again, as long as somebody listens; each thing that happened is told once, and a call once more
when it has been answered.
"""

import json
import re
import sys
import time
from typing import Any, Protocol

from console.feed import Feed
from local import logs
from local.aws import Endpoint
from local.sandbox import control

REQUEST_ID = re.compile(r'"request_id"\s*:\s*"([0-9a-fA-F-]{32,36})"')
PAUSE_SECONDS = 0.3
PAUSE_AFTER_FAILURE_SECONDS = 3.0


class Source(Protocol):
    """Something that tells what is new."""

    def news(self) -> list[dict[str, Any]]:
        """What has happened since the last call."""
        ...


class Logs:
    """The functions' own log lines, which name ids, sizes and codes and never a secret or a body."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Of the stack behind this endpoint."""
        self._reader = logs.Reader(endpoint)

    def news(self) -> list[dict[str, Any]]:
        """One event for each new line that is JSON; the platform's own lines are none."""
        return [event for line in self._reader.news() if (event := log_event(line))]


class Journal:
    """The sandbox's journal: calls of Belvo's API, and attempts to deliver webhooks."""

    def __init__(self, url: str) -> None:
        """Of the sandbox at this address."""
        self._url = url
        self._counters: Any = None
        self._told = dict[str, dict[str, Any]]()

    def news(self) -> list[dict[str, Any]]:
        """Calls and attempts that are new, and calls that have been answered since."""
        counters = control(self._url, "GET", "counters")
        if counters == self._counters and not self._has_open_calls():
            return []
        self._counters = counters
        events = {event["key"]: event for event in journal_events(control(self._url, "GET", "log"))}
        fresh = [event for key, event in events.items() if self._told.get(key) != event]
        # What is no longer in the journal was cleared there; its ids never come back.
        self._told = events
        return sorted(fresh, key=lambda event: event["at"])

    def _has_open_calls(self) -> bool:
        return any(event["kind"] == "call" and event["status"] is None for event in self._told.values())


def keep_watching(source: Source, feed: Feed) -> None:
    """Publishes what a source tells, for ever; a failure, whatever it is, is a line in the log and a pause."""
    while True:
        feed.wait_for_listener()
        try:
            feed.publish(source.news())
            time.sleep(PAUSE_SECONDS)
        # A watcher that ends would leave a page that looks alive and shows nothing.
        except Exception as error:
            print(f"{type(source).__name__} cannot be read: {error!r}", file=sys.stderr, flush=True)
            time.sleep(PAUSE_AFTER_FAILURE_SECONDS)


def log_event(line: logs.Line) -> dict[str, Any] | None:
    """The event of a log line, if it is one of the functions' own, and not of a call: the page makes those itself."""
    try:
        record = json.loads(line.message)
        fields = dict(record["fields"])
    except (ValueError, KeyError, TypeError):
        return None
    if fields.get("event") == "call_answered":
        return None
    return {
        "kind": "log",
        "at": record.get("timestamp"),
        "function": line.function,
        "level": record.get("level"),
        "name": fields.pop("event", ""),
        "message": fields.pop("message", ""),
        "link": fields.get("link.id"),
        "request": plain_id(fields.get("correlation.id")),
        "fields": fields,
    }


def journal_events(journal: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a journal; of a webhook its ids and names are told, and not its data."""
    calls = [_call(call) for name in ("posts", "gets", "others") for call in journal[name]]
    attempts = [
        _attempt(delivery, number, attempt)
        for delivery in journal["deliveries"]
        for number, attempt in enumerate(delivery["attempts"], 1)
    ]
    return calls + attempts


def plain_id(text: Any) -> str | None:
    """A request id without dashes: Belvo writes it without them in its 202 and with them in a webhook."""
    return text.replace("-", "").lower() if isinstance(text, str) else None


def _call(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "call",
        "key": f"call {call['id']}",
        "at": call["at"],
        "method": call["method"],
        "path": call["path"],
        "page": call.get("page"),
        "status": call["status"],
        "link": call["link"],
        "request": plain_id(call.get("request_id")),
    }


def _attempt(delivery: dict[str, Any], number: int, attempt: dict[str, Any]) -> dict[str, Any]:
    body = delivery["body"] if isinstance(delivery["body"], dict) else _mentioned(delivery["body"])
    return {
        "kind": "attempt",
        "key": f"attempt {delivery['id']} {number}",
        "at": attempt["at"],
        "delivery": delivery["id"],
        "number": number,
        "status": attempt["status"],
        "error": attempt.get("error"),
        "latency_ms": attempt["latency_ms"],
        "readable": isinstance(delivery["body"], dict),
        "authorization_ok": delivery["authorization_ok"],
        "type": body.get("webhook_type"),
        "code": body.get("webhook_code"),
        "link": delivery["link"],
        "request": plain_id(body.get("request_id")),
    }


def _mentioned(text: Any) -> dict[str, Any]:
    """The request id in a body that is no JSON."""
    found = REQUEST_ID.search(text) if isinstance(text, str) else None
    return {"request_id": found[1]} if found else {}
