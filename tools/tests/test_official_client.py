"""Belvo's own client (belvo-python) works against the sandbox as it does against Belvo."""

import os
import tempfile
import unittest
import warnings
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from belvo.client import Client
from belvo.enums import AccessMode
from belvo.exceptions import BelvoAPIException, RequestError

from local import processes, sandbox
from local.deployment import Secrets

SECRETS = Secrets("client-id", "client-password", "Bearer unused")
# The example of Belvo's guide, complete as its OpenAPI wants it.
TOKEN = {
    "id": SECRETS.belvo_id,
    "password": SECRETS.belvo_password,
    "scopes": "read_institutions,write_links,read_consents,write_consents,write_consent_callback,delete_consents",
    "stale_in": "300d",
    "fetch_resources": ["ACCOUNTS", "TRANSACTIONS", "OWNERS"],
    "widget": {
        "openfinance_feature": "consent_link_creation",
        "callback_urls": {"success": "app://success", "exit": "app://exit", "event": "app://event"},
        "branding": {
            "company_icon": "https://mysite.com/icon.svg",
            "company_logo": "https://mysite.com/logo.svg",
            "company_name": "ACME",
            "company_terms_url": "https://belvo.com/terms-service/",
        },
        "consent": {
            "purpose": "Financial advice",
            "terms_and_conditions_url": "https://www.your_terms_and_conditions.com",
            "permissions": ["REGISTER", "ACCOUNTS", "CREDIT_CARDS", "CREDIT_OPERATIONS"],
            "identification_info": [{"type": "CPF", "number": "76109277673", "name": "Ralph Bragg"}],
        },
    },
}


class OfficialClient(unittest.TestCase):
    """Calls of the client, each at a sandbox of its own."""

    def setUp(self) -> None:
        """Starts a sandbox with one link, and logs the client in."""
        state = self.enterContext(tempfile.TemporaryDirectory())
        # The sandbox outlives the object that stands for its process, and ends at the end of the test.
        self.enterContext(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        # Requests to this machine take no detour.
        self.enterContext(patch.dict(os.environ, {"NO_PROXY": "127.0.0.1"}))
        pid, self.url = sandbox.start(Path(state), SECRETS, webhook_retry_ms=500, page_rows=100)
        self.addCleanup(processes.stop, pid, Path(state))
        self.link = self.make_link()
        self.client = Client(SECRETS.belvo_id, SECRETS.belvo_password, self.url)
        self.addCleanup(self.client.session.session.close)

    def make_link(self, **spec: Any) -> str:
        """A link of the sandbox with 250 transactions in the last year."""
        return sandbox.control(self.url, "POST", "links", {"transactions": 250, "external_id": "user-1", **spec})["id"]

    def truth(self) -> list[dict[str, Any]]:
        """All rows of the link, without pages."""
        # Through the client's session, so that numbers are what they are there.
        return self.client.session.session.get(f"{self.url}/_control/links/{self.link}/transactions").json()

    def assert_valid(self) -> None:
        """Nothing was sent that Belvo's OpenAPI does not allow."""
        self.assertEqual(sandbox.violations(self.url), [])

    def test_wrong_keys_do_not_log_in(self) -> None:
        with self.assertRaises(BelvoAPIException):
            Client(SECRETS.belvo_id, "wrong", self.url)

    def test_links_are_created_found_changed_and_deleted(self) -> None:
        links = self.client.Links
        made = links.create(
            "inss_br_employment", "231.002.999-00", "12345678", access_mode=AccessMode.SINGLE, external_id="user-2"
        )
        self.assertEqual((made["access_mode"], made["external_id"]), ("single", "user-2"))
        for filters in (
            {"external_id": "user-2"},
            {"institution__in": "inss_br_employment"},
            {"access_mode": "single", "created_at__gte": "2000-01-01"},
            {"id__in": made["id"]},
        ):
            self.assertEqual([link["id"] for link in links.list(**filters)], [made["id"]], filters)
        self.assertEqual(list(links.list(fields="status")), [{"status": "valid"}] * 2)

        sandbox.control(self.url, "PATCH", f"links/{made['id']}", {"status": "invalid"})
        renewed = {"password": "new password"}
        self.assertEqual(links.update(made["id"], **renewed)["status"], "valid")
        self.assertEqual(links.patch(made["id"], access_mode=AccessMode.RECURRENT)["access_mode"], "recurrent")
        self.assertTrue(links.delete(made["id"]))
        self.assertFalse(links.delete(made["id"]))
        self.assert_valid()

    def test_accounts_and_owners_are_fetched_read_and_deleted(self) -> None:
        for resource, number in ((self.client.Accounts, 3), (self.client.Owners, 1)):
            fetched = resource.create(self.link, raise_exception=True)
            self.assertEqual(len(fetched), number)
            self.assertEqual(list(resource.list(link=self.link)), fetched)
            first = fetched[0]["id"]
            self.assertEqual(resource.get(first), fetched[0])
            self.assertEqual(resource.get(first, fields="id"), {"id": first})
            self.assertTrue(resource.delete(first))
            self.assertEqual(list(resource.list(id=first)), [])
            self.assertFalse(resource.delete(first))
        rich = {account["id"] for account in self.client.Accounts.list(balance__current__gt=0, category="CREDIT_CARD")}
        self.assertEqual(len(rich), 1)
        self.assert_valid()

    def test_transactions_are_filtered(self) -> None:
        for name, value, matches in (
            ("amount__gt", 100, lambda row: row["amount"] > 100),
            ("amount__range", "10,50.5", lambda row: 10 <= row["amount"] <= 50.5),
            ("created_at__gte", day(30), lambda row: row["created_at"][:10] >= day(30)),
            ("collected_at__gte", day(1), lambda row: row["collected_at"][:10] >= day(1)),
            ("value_date__lte", day(200), lambda row: row["value_date"] <= day(200)),
            (
                "accounting_date__range",
                f"{day(90)},{day(60)}",
                lambda row: row["accounting_date"] and day(90) <= row["accounting_date"] <= day(60),
            ),
            ("type", "INFLOW", lambda row: row["type"] == "INFLOW"),
            ("account__balance__current__gt", 0, lambda row: (row["account"] or {}).get("balance")),
        ):
            rows = list(self.client.Transactions.list(link=self.link, page_size=100, **{name: value}))
            self.assertEqual(rows, [row for row in self.truth() if matches(row)], name)
            self.assertTrue(rows, name)
        self.assert_valid()

    def test_fields_are_chosen_and_left_out(self) -> None:
        whole = self.truth()
        rows = list(self.client.Transactions.list(self.link, fields="id,amount"))
        self.assertEqual(rows, [{"id": row["id"], "amount": row["amount"]} for row in whole])
        row = self.client.Transactions.get(whole[0]["id"], omit="account")
        self.assertEqual(row, {name: value for name, value in whole[0].items() if name != "account"})
        self.assert_valid()

    def test_transactions_are_fetched_and_deleted(self) -> None:
        transactions = self.client.Transactions
        account = self.truth()[-1]["account"]["id"]
        fetched = transactions.create(self.link, day(30), date_to=day(0), account=account, raise_exception=True)
        self.assertEqual(fetched, list(transactions.list(self.link, account=account, value_date__gte=day(30))))
        self.assertTrue(transactions.delete(fetched[0]["id"]))
        self.assertNotIn(fetched[0], self.truth())
        with self.assertRaises(RequestError) as refused:
            transactions.create(self.link, day(400), date_to=day(0), raise_exception=True)
        self.assertEqual(refused.exception.status_code, 400)
        with self.assertRaises(RequestError) as refused:
            transactions.resume("6e7b283c6efa449c9c028a16b5c249fa", "1234ab", link=self.link, raise_exception=True)
        self.assertEqual(refused.exception.detail[0]["code"], "session_expired")
        self.assert_valid()

    def test_other_resources_are_fetched_and_read(self) -> None:
        link = self.make_link(resources={"invoices": 5, "employment-records": 1})
        invoices = self.client.Invoices.create(link, day(360), day(0), "INFLOW", raise_exception=True)
        self.assertEqual(list(self.client.Invoices.list(link=link, type="INFLOW")), invoices)
        records = self.client.EmploymentRecords.create(link, raise_exception=True)
        self.assertEqual(list(self.client.EmploymentRecords.list(link=link)), records)
        self.assert_valid()

    def test_institutions_are_read(self) -> None:
        banks = list(self.client.Institutions.list(type="bank", country_code="BR"))
        self.assertEqual(len(banks), 3)
        self.assertEqual(self.client.Institutions.get(banks[1]["id"]), banks[1])
        self.assert_valid()

    def test_a_token_of_the_current_document_is_given_and_one_of_the_clients_time_refused(self) -> None:
        # The client's own method knows the fields of 2023; its session sends any.
        given = self.client.session.post("/api/token/", data=TOKEN, raise_exception=True)
        self.assertEqual(set(given), {"access", "refresh"})
        update = self.client.WidgetToken.create(scopes="read_institutions,write_links,read_links", link=self.link)
        self.assertIn("access", update)
        self.assert_valid()

        refused = self.client.WidgetToken.create()
        self.assertLessEqual({"stale_in", "fetch_resources", "widget"}, {error["field"] for error in refused})
        self.assertTrue(sandbox.violations(self.url))


def day(ago: int) -> str:
    """The day so many days ago."""
    return (date.today() - timedelta(days=ago)).isoformat()
