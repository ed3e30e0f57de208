"""What has happened, numbered, for whoever listens: the last few thousand events, and each new one as it comes."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

KEPT = 3_000


class Event(NamedTuple):
    """One event, as JSON; numbers count up from 1."""

    number: int
    data: str


class Feed:
    """Hands every event to every listener, in order."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._events = deque[Event](maxlen=KEPT)
        self._last = 0
        self._listeners = 0
        self._changed = threading.Condition()

    def publish(self, events: list[dict[str, Any]]) -> None:
        """Tells every listener."""
        with self._changed:
            for event in events:
                self._last += 1
                self._events.append(Event(self._last, json.dumps(event, ensure_ascii=False)))
            self._changed.notify_all()

    def known(self, number: int) -> int:
        """A number that a listener remembers, or 0 if it is of a console before this one."""
        return number if number <= self._last else 0

    def after(self, number: int, seconds: float) -> list[Event]:
        """The events after this one; waits for the next if there is none, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._last > number, seconds)
            return [event for event in self._events if event.number > number]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While somebody listens, the watchers watch."""
        with self._changed:
            self._listeners += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1

    def wait_for_listener(self) -> None:
        """Returns as soon as somebody listens."""
        with self._changed:
            self._changed.wait_for(lambda: self._listeners > 0)
