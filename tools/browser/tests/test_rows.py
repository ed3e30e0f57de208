"""Rows beside the link's own transactions: those of other resources, and those that another link has, too."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest

# Of each resource: how many rows the link has, and how many requests it takes to have them.
RESOURCES = (
    ("employments", "Employments", 3, 1),
    ("employment-records", "Employment records", 2, 1),
    ("financial-statements", "Financial statements", 2, 1),
    ("invoices", "Invoices", 30, 2),
)


class Resources(ConsoleTest):
    """Invoices and the like."""

    def test_the_rows_of_every_resource_are_asked_for_and_listed_as_belvo_has_them(self) -> None:
        link = self.person.has_link(days=20, resources={name: count for name, _, count, _ in RESOURCES})
        collected = self.person.page.locator("#requests tr[data-status='collected']")
        requests = 0
        for name, title, count, asked in RESOURCES:
            with self.subTest(name):
                self.person.requests_resource(title)
                requests += asked
                expect(collected).to_have_count(requests)
                self.person.sees_all_resource_rows(count)
                truth = {row["id"] for row in self.person.sandbox("GET", f"links/{link}/resources/{name}")}
                self.assertEqual(self._listed(), truth)
                expect(self.person.page.locator("#resources")).not_to_contain_text("no description")
                expect(self.person.page.locator("#resources-count")).to_have_text(f"{count} rows shown, all")

    def test_the_steps_of_a_request_show_the_pages_of_its_own_resource(self) -> None:
        self.person.has_link(days=20, resources={"employments": 3})
        self.person.requests_resource("Employments")
        self.person.sees_step("verdict", "done")
        expect(self.person.page.locator("#requests tr[data-chosen]")).to_contain_text("employments")
        expect(self.person.step("queue")).to_contain_text("in line")
        expect(self.person.step("pages")).to_contain_text("1 read")
        expect(self.person.step("pages").locator(".since")).not_to_be_empty()

    def test_the_fields_of_a_row_fold_out_by_a_key_and_stay_so(self) -> None:
        link = self.person.has_link(days=20, resources={"invoices": 3})
        self.person.requests_resource("Invoices")
        self.person.sees_all_resource_rows(3)
        row = self.person.sandbox("GET", f"links/{link}/resources/invoices")[0]
        listed = self.person.page.locator(f"#resources tr[data-row='{row['id']}']")
        listed.locator("summary").focus()
        self.person.page.keyboard.press("Enter")
        expect(listed.locator("pre")).to_contain_text(row["invoice_identification"])
        self.person.page.evaluate("link => import('/resources.js').then(resources => resources.show(link))", link)
        expect(listed.locator("pre")).to_be_visible()
        expect(listed.locator("summary")).to_be_focused()

    def test_another_link_has_rows_of_its_own(self) -> None:
        self.person.has_link(days=20, resources={"invoices": 3})
        self.person.requests_resource("Invoices")
        self.person.sees_all_resource_rows(3)
        other = self.person.has_link(days=20, resources={"invoices": 2})
        self.person.requests_resource("Invoices")
        self.person.sees_all_resource_rows(2)
        truth = {row["id"] for row in self.person.sandbox("GET", f"links/{other}/resources/invoices")}
        self.assertEqual(self._listed(), truth)

    def test_a_resource_is_listed_as_soon_as_it_is_chosen(self) -> None:
        self.person.has_link(days=20, resources={"employment-records": 3, "employments": 2})
        collected = self.person.page.locator("#requests tr[data-status='collected']")
        for requests, title in enumerate(("Employment records", "Employments"), 1):
            self.person.requests_resource(title)
            expect(collected).to_have_count(requests)
        self.person.sees_all_resource_rows(2)
        for title, count in (("Employment records", 3), ("Employments", 2)):
            self.person.page.locator("#resource").select_option(title)
            self.person.sees_all_resource_rows(count)
            expect(self.person.page.get_by_role("button", name=f"Request {title.lower()}", exact=True)).to_be_enabled()

    def _listed(self) -> set[str]:
        rows = self.person.page.locator("#resources tbody tr[data-row]")
        return set(rows.evaluate_all("all => all.map(row => row.dataset.row)"))


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
