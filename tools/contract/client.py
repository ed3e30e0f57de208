"""Calls of one Belvo with its keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from local.errors import LocalError

TIMEOUT_SECONDS = 60
THIS_MACHINE = ("127.0.0.1", "localhost")
# Belvo's words for errors, such as `not_found`: whatever else is in their place is not printed.
CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, its headers, and its JSON, `None` where there is none."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def media_type(self) -> str:
        """The kind of the body, without parameters."""
        return self.headers.get("Content-Type", "none").partition(";")[0].strip().lower()

    @property
    def rows(self) -> list[Any]:
        """The rows of a page; none of any other answer."""
        results = self.body.get("results") if self.status == 200 and isinstance(self.body, dict) else None
        return results if isinstance(results, list) else []

    @property
    def code(self) -> str | None:
        """Belvo's code for an error."""
        first = self.body[0] if isinstance(self.body, list) and self.body else None
        code = first.get("code") if isinstance(first, dict) else None
        return code if isinstance(code, str) and CODE.fullmatch(code) else None


class Client:
    """A Belvo. Follows no redirect, which could lead the keys to another host."""

    def __init__(self, url: str, secret_id: str, secret_password: str) -> None:
        """Checks the address: what goes to another machine is encrypted."""
        parts = urlsplit(url)
        is_here = parts.hostname in THIS_MACHINE
        if (
            not parts.hostname
            or parts.username
            or not (parts.scheme == "https" or (is_here and parts.scheme == "http"))
        ):
            raise LocalError("BELVO_BASE_URL must be an https address without keys, such as https://sandbox.belvo.com")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = (secret_id, secret_password)
        self._session.headers["User-Agent"] = "belvo-ingest-contract"
        # To this machine without the proxy that the environment may name.
        self._session.trust_env = not is_here

    def get(self, path: str, query: Mapping[str, Any] | str | None = None) -> Answer:
        """Reads a path."""
        return self._call("GET", path, params=query)

    def retrieve(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Asks for a retrieval in the asynchronous mode."""
        return self._call("POST", path, json=body, headers={"X-Belvo-Request-Mode": "async"})

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        url = f"{self.url}{path}"
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options)
        except requests.RequestException as error:
            # Its text has the whole address, which names a link.
            raise LocalError(
                f"{self.url} did not answer ({type(error).__name__}): check BELVO_BASE_URL and the connection"
            ) from None
        try:
            body = answer.json()
        except ValueError:
            body = None
        return Answer(answer.status_code, answer.headers, body)
