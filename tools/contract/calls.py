"""What is asked of Belvo, and what its document says of each answer: the reads of the pipeline, and one retrieval."""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

from contract.client import Answer, Client

# The listings, with the schema of a row.
LISTINGS = {
    "institutions": ("/api/institutions/", "InstitutionPublicApi"),
    "links": ("/api/links/", "Link"),
    "accounts": ("/api/accounts/", "AccountOpenFinanceBrazil"),
    "transactions": ("/api/transactions/", "TransactionOpenFinanceBrazil"),
    "invoices": ("/api/invoices/", "InvoiceWithIdSat"),
    "employments": ("/api/br/employments/", "EmploymentBrazil"),
    "employment-records": ("/api/employment-records/", "EmploymentRecord"),
    "financial-statements": ("/api/financial-statements/", "FinancialStatement"),
}
# Those that a link has only if it fetches them.
FURTHER = ("invoices", "employments", "employment-records", "financial-statements")
# The other answers: objects of a listing, and responses that the document names.
OBJECTS = {"link": "links", "transaction": "transactions"}
RESPONSES = {
    "unknown link": (404, "404_not_found_error"),
    "page after the last": (404, "404_not_found_error"),
    "retrieval": (202, "202_accepted_response"),
}
RETRIEVED = "rows retrieved"
CALLS = (*LISTINGS, *OBJECTS, *RESPONSES, RETRIEVED)
AFTER_THE_LAST = 1_000_000
# Three whole days, the last of which has ended everywhere: of retrievals so short Belvo allows 240 a month.
NEWEST, DAYS = timedelta(days=1), timedelta(days=2)
POLL_SECONDS = 10
# Answers, by the name of their call.
Seen = dict[str, list[Answer]]


@dataclass
class Walk:
    """Calls one Belvo as the pipeline does, and keeps every answer by the name of its call."""

    client: Client
    page_rows: int
    pages: int
    seen: Seen = field(default_factory=dict)

    def read(self, links: Iterable[str]) -> None:
        """Reads what there is of these links; if none is given, of the first that is listed, valid and of a bank."""
        self._pages("institutions", {"country_code": "BR", "type": "bank"})
        listed = [row for page in self._pages("links", {}) for row in page.rows if isinstance(row, dict)]
        self._see("unknown link", self.client.get(f"/api/links/{uuid.uuid4()}/"))
        for link in list(links) or [row["id"] for row in listed if _is_readable(row)][:1]:
            self._read_link(link)

    def is_valid(self) -> bool:
        """Whether the link that was read can be retrieved for: failed retrievals make Belvo block a link."""
        body = self.seen["link"][-1].body
        return isinstance(body, dict) and body.get("status") == "valid"

    def retrieve(self, link: str, today: date, deadline_seconds: float, pause: Callable[[float], None]) -> bool:
        """Asks for the transactions of three days, and reads them until they or the link have changed.

        Returns whether they have before the deadline.
        """
        days = {"date_from": str(today - NEWEST - DAYS), "date_to": str(today - NEWEST)}
        before = self._state(link, days)
        path, _ = LISTINGS["transactions"]
        accepted = self._see("retrieval", self.client.retrieve(path, {"link": link, **days}))
        deadline = time.monotonic() + deadline_seconds
        while accepted.status == 202:
            now = self._state(link, days)
            if now and before and now != before:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                break
            pause(min(POLL_SECONDS, left))
        return False

    def _read_link(self, link: str) -> None:
        found = self._see("link", self.client.get(f"/api/links/{link}/"))
        of_link = {"link": link}
        self._pages("accounts", of_link)
        rows = [row for page in self._pages("transactions", of_link) for row in page.rows]
        path, _ = LISTINGS["transactions"]
        if rows and isinstance(rows[0], dict) and isinstance(rows[0].get("id"), str):
            self._see("transaction", self.client.get(f"{path}{rows[0]['id']}/"))
        beyond = {**of_link, "page_size": self.page_rows, "page": AFTER_THE_LAST}
        self._see("page after the last", self.client.get(path, beyond))
        fetched = found.body.get("fetch_resources") if isinstance(found.body, dict) else None
        for name in FURTHER:
            if name.upper().replace("-", "_") in (fetched or []):
                self._pages(name, of_link)

    def _pages(self, name: str, query: dict[str, Any]) -> list[Answer]:
        """Reads the first pages of a listing, each where the one before says: on this host, whatever that says."""
        path, _ = LISTINGS[name]
        answers = [self._see(name, self.client.get(path, {**query, "page_size": self.page_rows}))]
        while len(answers) < self.pages and (following := next_query(answers[-1])):
            answers.append(self._see(name, self.client.get(path, following)))
        return answers

    def _state(self, link: str, days: dict[str, str]) -> tuple[Any, ...] | None:
        """What a retrieval changes: when the bank was last reached, how many rows there are, and how new they are.

        `None` if Belvo did not say.
        """
        found = self._see("link", self.client.get(f"/api/links/{link}/"))
        reached = found.body.get("last_accessed_at") if isinstance(found.body, dict) else None
        path, _ = LISTINGS["transactions"]
        query = {"link": link, "page_size": self.page_rows, "value_date__range": ",".join(days.values())}
        page = self._see(RETRIEVED, self.client.get(path, query))
        if (found.status, page.status) != (200, 200):
            return None
        collected = [str(row.get("collected_at")) for row in page.rows if isinstance(row, dict)]
        return reached, page.body.get("count") if isinstance(page.body, dict) else None, max(collected, default=None)

    def _see(self, name: str, answer: Answer) -> Answer:
        self.seen.setdefault(name, []).append(answer)
        return answer


def _is_readable(link: dict[str, Any]) -> bool:
    is_of_bank = "TRANSACTIONS" in (link.get("fetch_resources") or [])
    return link.get("status") == "valid" and is_of_bank and isinstance(link.get("id"), str)


def next_query(page: Answer) -> str:
    """The query of the page after this one; empty if there is none."""
    following = page.body.get("next") if isinstance(page.body, dict) else None
    return urlsplit(following).query if isinstance(following, str) else ""
