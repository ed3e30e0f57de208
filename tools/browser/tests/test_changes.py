"""What a consumer is told that follows a link, while its rows change."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest

ROWS, ACCOUNTS = 130, 3


class Changes(ConsoleTest):
    """Followed from the beginning, from a cursor, and from one that is too old."""

    def setUp(self) -> None:
        """A link whose rows are collected."""
        super().setUp()
        self.person.page.clock.install()
        self.link = self._has_collected_link()
        self.told = self.person.page.locator("#changes li")
        self.state = self.person.page.locator("#changes-state")

    def test_a_consumer_is_told_everything_and_then_what_was_added_modified_and_removed(self) -> None:
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        expect(self.told.last).to_contain_text("100 added")
        expect(self.told.last).to_contain_text("more to read")

        amended, removed, *_ = (row["id"] for row in self.person.sandbox("GET", self._rows()))
        self.person.sandbox("PATCH", f"{self._rows()}/{amended}", {"description": "amended"})
        self.person.sandbox("DELETE", f"{self._rows()}/{removed}")
        added = self.person.sandbox("POST", self._rows(), {"count": 3})["ids"]
        self.person.requests_transactions()
        self.person.is_told("modified", amended)
        expect(self.person.page.locator(f"#changes tr[data-kind='modified'][data-row='{amended}']")).to_contain_text(
            "amended"
        )
        self.person.is_told("removed", removed)
        for row in added:
            self.person.is_told("added", row)
        self.person.sees_the_copy(ROWS + 2, ACCOUNTS)

    def test_a_consumer_that_was_stopped_goes_on_from_its_cursor(self) -> None:
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        self.person.page.get_by_role("button", name="Stop").click()
        expect(self.state).to_contain_text("Stopped.")
        cursor = self.person.page.get_by_label("Cursor").input_value()
        added = self._gets_three_rows()
        self.assertEqual(self._asks_later(), [])

        self.person.follows_changes()
        self.person.is_told("added", added[0])
        self.person.sees_the_copy(ROWS + 3, ACCOUNTS)
        self.person.page.get_by_role("button", name="Forget").click()
        expect(self.told).to_have_count(0)
        expect(self.person.page.get_by_label("Cursor")).to_have_value("")

        self.person.follows_changes(cursor)
        self.person.is_told("added", added[0])
        expect(self.state).to_have_text("Up to date. Since its cursor the consumer was told of 3 rows and 0 accounts.")

    def test_a_consumer_whose_cursor_is_too_old_begins_again(self) -> None:
        self._gets_three_rows()
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS + 3, ACCOUNTS)
        # Where this link is, the other one has never been: its log is shorter.
        cursor = self.person.page.get_by_label("Cursor").input_value()
        self.link = self._has_collected_link()
        self.person.follows_changes(cursor)
        expect(self.told.last).to_contain_text("410 · cursor-expired")
        expect(self.told.last).to_contain_text("begins again without a cursor")
        self.person.sees_the_copy(ROWS, ACCOUNTS)

    def test_a_consumer_is_told_that_a_link_is_blocked_and_that_it_was_erased(self) -> None:
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        self.person.misbehaves("invalid-credentials")
        expect(self.told.first).to_contain_text("link: invalid credentials")
        self.person.deletes("erase")
        expect(self.told.locator(".badge").get_by_text("erased", exact=True)).to_be_visible()
        expect(self.told.first).to_contain_text("link: erased")
        self.person.sees_the_copy(0, 0)

    def test_a_consumer_is_told_of_what_the_buttons_do_to_rows(self) -> None:
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        newest = self.person.page.locator("#transactions tbody tr").first.get_attribute("data-transaction")
        self.person.misbehaves("amended")
        self.person.is_told("modified", newest)
        self.person.sees_the_expected_answer()
        self.person.misbehaves("removed")
        self.person.sees_the_expected_answer()
        self.person.sees_the_copy(ROWS - 1, ACCOUNTS)

    def test_a_cursor_that_is_none_ends_the_following_and_an_outage_does_not(self) -> None:
        self.person.follows_changes("x")
        expect(self.state).to_contain_text("400 · invalid-field")
        expect(self.person.page.locator("#changes-follow")).to_have_text("Follow")

        gone = {"status": 503, "json": {"type": "urn:belvo-ingest:problem:unavailable", "detail": "not now"}}
        self.person.page.route("**/changes?*", lambda route: route.fulfill(**gone))
        self.person.follows_changes("")
        expect(self.state).to_have_text("503 · unavailable · not now. Trying again.")
        self.person.page.unroute("**/changes?*")
        self.person.sees_the_copy(ROWS, ACCOUNTS)

    def test_following_ends_when_another_link_is_chosen(self) -> None:
        self.person.follows_changes()
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        self.person.page.locator(".link:not([data-chosen]) button").first.click()
        expect(self.told).to_have_count(0)
        expect(self.person.page.locator("#changes-follow")).to_have_text("Follow")
        expect(self.person.page.get_by_label("Cursor")).to_have_value("")
        self.assertEqual(self._asks_later(), [])
        self.person.follows_changes()
        expect(self.state).to_contain_text("Up to date.")
        last = [address for address in self.person.addresses if "/changes?" in address][-1]
        self.assertNotIn(self.link, last)

    def test_following_can_be_done_with_keys_alone(self) -> None:
        keyboard, follow = self.person.page.keyboard, self.person.page.locator("#changes-follow")
        self.person.page.get_by_label("Cursor").focus()
        keyboard.press("Enter")
        self.person.sees_the_copy(ROWS, ACCOUNTS)
        keyboard.press("Tab")
        expect(follow).to_be_focused()
        keyboard.press("Space")
        expect(self.state).to_contain_text("Stopped.")
        expect(follow).to_be_focused()
        keyboard.press("Tab")
        keyboard.press("Space")
        expect(self.told).to_have_count(0)

    def _has_collected_link(self) -> str:
        link = self.person.has_link(days=20, transactions=ROWS)
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        return link

    def _gets_three_rows(self) -> list[str]:
        added = self.person.sandbox("POST", self._rows(), {"count": 3})["ids"]
        self.person.requests_transactions()
        expect(self.person.page.locator("#requests tr[data-status='collected']")).to_have_count(2)
        return added

    def _asks_later(self) -> list[str]:
        """The addresses that the consumer asks as time passes, more of it than it waits between two questions."""
        known = len(self.person.addresses)
        self.person.page.clock.fast_forward(10_000)
        # What the page has sent before this is known by the time that it is answered.
        self.person.page.evaluate("fetch('/facts').then((answer) => answer.status)")
        return [address for address in self.person.addresses[known:] if "/changes?" in address]

    def _rows(self) -> str:
        return f"links/{self.link}/transactions"
