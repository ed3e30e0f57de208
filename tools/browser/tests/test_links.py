"""The life of a link after it was connected."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest


class Links(ConsoleTest):
    """Renewed, and deleted."""

    def setUp(self) -> None:
        """Somebody has connected a bank, and its first rows are there."""
        super().setUp()
        self.person.opens()
        self.link = self.person.connects_a_bank()
        self.person.sees_everything_collected()

    def test_a_blocked_link_can_be_used_again_once_it_is_renewed(self) -> None:
        standing = self.person.link(self.link)
        self.person.misbehaves("invalid-credentials")
        expect(standing).to_contain_text("blocked: invalid credentials")
        self.person.requests_transactions()
        expect(self.person.page.locator("#request-answer")).to_contain_text("409 · link-blocked")
        self.person.renews(self.link)
        expect(standing.locator(".badge").first).to_have_text("valid")
        expect(standing).not_to_contain_text("blocked")
        self.person.requests_transactions()
        expect(self.person.page.locator("#request-answer")).to_contain_text("202: request")

    def test_what_is_stored_of_a_link_is_erased_with_it(self) -> None:
        self.person.deletes("erase")
        standing = self.person.link(self.link)
        expect(standing.locator(".badge").first).to_have_text("erased")
        expect(standing.get_by_role("button", name="Renew")).to_have_count(0)
        expect(standing.locator("#delete")).to_have_count(0)
        expect(self.person.page.locator("#transactions tbody tr[data-transaction]")).to_have_count(0)

    def test_what_is_stored_of_a_link_may_be_kept(self) -> None:
        self.person.deletes("keep")
        expect(self.person.link(self.link).locator(".badge").first).to_have_text("deleted, rows kept")
        expect(self.person.page.locator("#transactions tbody tr[data-transaction]").first).to_be_visible()
