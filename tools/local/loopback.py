"""HTTP to processes of this machine, never through a proxy."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read: its status and its JSON, `None` where there is none. Fractions are decimals."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class RawAnswer:
    """An HTTP answer as it came."""

    status: int
    body: bytes
    content_type: str | None


def call(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = 30
) -> Answer:
    """One HTTP call; raises `OSError` only when nothing answers."""
    answer = raw(method, url, body, headers, timeout)
    return Answer(answer.status, _json(answer.body))


def raw(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = 30
) -> RawAnswer:
    """As `call`, with the bytes of the answer."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with _opener().open(request, timeout=timeout) as answer:
            return RawAnswer(answer.status, answer.read(), answer.headers.get("Content-Type"))
    except urllib.error.HTTPError as error:
        with error:
            return RawAnswer(error.code, error.read(), error.headers.get("Content-Type"))


def download(url: str, timeout: float = 30) -> bytes:
    """The body of a GET; raises `OSError` unless it succeeds."""
    with _opener().open(url, timeout=timeout) as answer:
        return answer.read()


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        return None
