"""One comparison of a Belvo with its document and with the fake."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from contract.calls import Walk
from contract.client import Client
from contract.document import Document
from contract.judge import judge
from contract.reference import Fake, ask
from contract.report import render
from local.errors import LocalError

# Small: Belvo's own sandbox has ten rows on a page.
PAGE_ROWS = 20
PAGES = 3
REFUSED = 401


@dataclass(frozen=True)
class Belvo:
    """The Belvo to compare, and the link to retrieve for, if there is one."""

    url: str
    secret_id: str
    secret_password: str
    link: str | None


def compare(
    belvo: Belvo, deadline_seconds: float, fake: Fake | None = None, pause: Callable[[float], None] = time.sleep
) -> tuple[bool, str]:
    """Whether there is no difference, and what to print. The fake's answers are made unless they are given."""
    client = Client(belvo.url, belvo.secret_id, belvo.secret_password)
    document = Document()
    today = datetime.now(UTC).date()
    fake = fake or ask(today)
    walk = Walk(client, PAGE_ROWS, PAGES)
    notes = [f"Compared {client.url} with Belvo's OpenAPI document {document.version} and with tools/belvo-sandbox."]
    try:
        if client.get("/api/institutions/", {"page_size": 1}).status == REFUSED:
            raise LocalError(f"{client.url} refuses the keys: each environment of Belvo has keys of its own")
        walk.read([belvo.link] if belvo.link else [])
        notes.append(_retrieval(walk, belvo.link, today, deadline_seconds, pause))
    finally:
        client.close()
    findings = judge(walk.seen, fake, document, PAGE_ROWS)
    return not findings, render(walk.seen, fake.seen, findings, notes)


def _retrieval(
    walk: Walk, link: str | None, today: date, deadline_seconds: float, pause: Callable[[float], None]
) -> str:
    """Retrieves, if a link is named for it, and returns what came of it."""
    if not link:
        return "Nothing was retrieved, because that counts against the link's month: name a link for it, LINK=…"
    if not walk.is_valid():
        return "Nothing was retrieved, because the link is not valid: connect it anew, or name another."
    if walk.retrieve(link, today, deadline_seconds, pause):
        return "The retrieval was seen to end by polling: no webhook reaches this machine."
    return (
        f"The retrieval was not seen to end within {deadline_seconds:g} s of polling. The bank may be slow or have"
        " nothing new: that is no difference. No webhook reaches this machine."
    )
