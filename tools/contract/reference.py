"""The fake Belvo's own answers to the calls: of many rows, so that what is rare is among them."""

import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from contract.calls import FURTHER, LISTINGS, OBJECTS, RETRIEVED, Seen, Walk
from contract.client import Client
from contract.shape import Shape, shape_of
from local import processes, sandbox
from local.deployment import Secrets

KEYS = Secrets("contract", "contract", "unused")
LINKS = (
    {"transactions": 5_000, "loan_account": True, "external_id": "contract", "resources": dict.fromkeys(FURTHER, 200)},
    {"transactions": 100, "access_mode": "single"},
    *({"transactions": 10, "loan_account": True} for _ in range(20)),
)
FETCHED = ["ACCOUNTS", "TRANSACTIONS", *(name.upper().replace("-", "_") for name in FURTHER)]
PAGES = 10


@dataclass
class Fake:
    """The fake's answers, and their shapes."""

    seen: Seen
    _shapes: dict[str, Shape] = field(default_factory=dict)

    def shape(self, call: str) -> Shape:
        """The shape of the answers to a call, of as many examples as there are."""
        if call not in self._shapes:
            self._shapes[call] = self._made(call)
        return self._shapes[call]

    def _made(self, call: str) -> Shape:
        if call in OBJECTS:
            # As the rows of its listing, which are many.
            return self.shape(OBJECTS[call]).fields["results"].items or Shape()
        if call == RETRIEVED:
            return self.shape("transactions")
        shape = shape_of([answer.body for answer in self.seen[call]])
        if call in LISTINGS and call != "transactions":
            # Whether there is a further page, and which, is not for a listing's own few pages to say.
            shape.fields = {**self.shape("transactions").fields, "results": shape.fields["results"]}
        return shape


def ask(today: date) -> Fake:
    """Starts a fake, asks it for everything, and ends it."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        pid, url = sandbox.start(state, KEYS, webhook_retry_ms=500, page_rows=sandbox.BELVOS_PAGE_ROWS)
        client = Client(url, KEYS.belvo_id, KEYS.belvo_password)
        try:
            links = [sandbox.control(url, "POST", "links", spec)["id"] for spec in LINKS]
            sandbox.control(url, "PATCH", f"links/{links[0]}", {"fetch_resources": FETCHED})
            walk = Walk(client, sandbox.BELVOS_PAGE_ROWS, PAGES)
            walk.read(links)
            walk.retrieve(links[0], today, deadline_seconds=0, pause=lambda _: None)
            return Fake(walk.seen)
        finally:
            client.close()
            processes.stop(pid, state)
