"""Who may call: the console's own page, and nobody else's.

A site in the same browser can send requests to 127.0.0.1, and can point a name of its own there (DNS rebinding). So
the `Host` has to be the console's own address; what changes something has to come from a page of that origin; and what
reads must not come from a page of another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

READS = ("GET", "HEAD")
OWN_SITE = (None, "same-origin", "none")


@dataclass(frozen=True)
class Guard:
    """Knows the console's own addresses."""

    port: int

    def refusal(self, method: str, headers: Mapping[str, str], is_page: bool) -> str | None:
        """Why a request is refused, or `None` if it may pass. Anybody may lead the browser to a page of ours."""
        hosts = (f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        host, origin = headers.get("Host"), headers.get("Origin")
        if host not in hosts:
            return "this is not the console's address"
        if is_page and method in READS:
            return None
        if origin is not None and origin != f"http://{host}":
            return "another site asks"
        if headers.get("Sec-Fetch-Site") not in OWN_SITE:
            return "another site asks"
        if method not in READS and origin is None:
            return "a request that changes something names its Origin"
        return None
