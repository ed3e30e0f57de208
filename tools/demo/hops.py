"""The way of one retrieval through the pipeline, as points in time taken from those who were there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """One POST of a webhook, as the sandbox saw it."""

    at: datetime
    status: int | None
    latency_ms: int

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver took the webhook."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Hops:
    """Durations in milliseconds; `None` where the retrieval did not come so far."""

    request_ms: int | None
    belvo_works_ms: int | None
    acknowledged_ms: int | None
    store_ms: int | None
    collect_ms: int | None
    total_ms: int | None
    attempts: int


def measure(posted_at: datetime, answered_at: datetime, record: dict[str, Any], attempts: list[Attempt]) -> Hops:
    """The hops of a retrieval: from the demo's clock, the request's record and the sandbox's log of its webhook."""
    issued, notified, collected = (_moment(record.get(name)) for name in ("issued_at", "notified_at", "collected_at"))
    collection = record.get("collection") or {}
    sent = attempts[0].at if attempts else None
    taken = next((attempt for attempt in attempts if attempt.acknowledged), None)
    return Hops(
        request_ms=_between(posted_at, answered_at),
        belvo_works_ms=_between(issued, sent),
        acknowledged_ms=taken.latency_ms if taken else None,
        store_ms=_between(notified, collected),
        collect_ms=_between(_moment(collection.get("started_at")), _moment(collection.get("finished_at"))),
        total_ms=_between(posted_at, collected),
        attempts=len(attempts),
    )


def attempts(log: dict[str, Any], request_id: str) -> list[Attempt]:
    """The attempts to deliver the webhook of a request, from the sandbox's log."""
    found = [
        Attempt(datetime.fromisoformat(attempt["at"]), attempt["status"], attempt["latency_ms"])
        for delivery in log["deliveries"]
        if _same_id(delivery["body"].get("request_id"), request_id)
        for attempt in delivery["attempts"]
    ]
    return sorted(found, key=lambda attempt: attempt.at)


def _same_id(one: str | None, other: str) -> bool:
    """Belvo writes a request id without dashes in its 202 and with them in the webhook."""
    return one is not None and one.replace("-", "") == other.replace("-", "")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _between(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds() * 1000) if start and end else None
