"""Rows that another link has, too."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest


class Duplicates(ConsoleTest):
    """The same movement under two links."""

    def test_a_transaction_that_an_older_link_has_is_marked_and_leads_there(self) -> None:
        older = self.person.has_link(days=20, transactions=20)
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        newer = self.person.sandbox("POST", f"links/{older}/reconnect")["id"]
        newest = self.person.sandbox("GET", f"links/{newer}/transactions")[0]["value_date"]
        self.person.sandbox("POST", f"links/{newer}/transactions", {"count": 2, "date": newest})
        self.person.opens_link(newer)
        self.person.requests_transactions()
        self.person.sees_everything_collected()

        originals, rows = self._by_institution(older), self._by_institution(newer)
        expected = {rows[name]: f"duplicate of {id_[:8]}" for name, id_ in originals.items()}
        self.assertGreater(len(expected), 15)
        expect(self.person.page.locator("#transactions-count")).to_contain_text(
            f"{len(expected)} duplicates among them"
        )
        self.assertEqual(self._marks(), expected)

        self.person.page.get_by_role("link", name=f"link {older[:8]}").first.click()
        expect(self.person.page.locator(f"#link-{older}")).to_have_attribute("aria-pressed", "true")
        expect(self.person.page.locator("#transactions tbody tr[data-transaction]").first).to_be_visible()
        self.assertEqual(self._marks(), {}, "the older link's rows are the originals")

    def _by_institution(self, link: str) -> dict[tuple[str, str], str]:
        """A link's rows that have an account, by the institution's ids of the account and of the row."""
        rows = self.person.sandbox("GET", f"links/{link}/transactions")
        return {
            (row["account"]["internal_identification"], row["internal_identification"]): row["id"]
            for row in rows
            if row["account"]
        }

    def _marks(self) -> dict[str, str]:
        """What is said of the rows that are marked, up to whose duplicates they are."""
        marks = self.person.page.locator("#transactions tr:has(small a)").evaluate_all(
            "all => all.map(row => [row.dataset.transaction, row.querySelector('small').textContent.split(',')[0]])"
        )
        return dict(marks)
