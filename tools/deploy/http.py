"""HTTP with a secret in its headers: no redirect is followed, so that it goes nowhere else."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from deploy.aws import LOOPBACK
from local.errors import LocalError
from local.loopback import RawAnswer

TIMEOUT_SECONDS = 30


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Leaves the answer as it is."""


def call(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> RawAnswer:
    """One call, through the proxy of the environment if there is one."""
    proxies = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in LOOPBACK else []
    opener = urllib.request.build_opener(_NoRedirect, *proxies)
    # Firewalls refuse the library's own name.
    request = urllib.request.Request(url, body, {"User-Agent": "belvo-ingest", **headers}, method=method)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return RawAnswer(answer.status, answer.read(), answer.headers.get("Content-Type"))
    except urllib.error.HTTPError as error:
        with error:
            return RawAnswer(error.code, error.read(), error.headers.get("Content-Type"))
    except OSError as error:
        raise LocalError(
            f"{url} does not answer: {error}. Is this machine connected, and the address right?"
        ) from error
