"""Misbehaviours by a button, and the pipeline's answer to them."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest


class Trouble(ConsoleTest):
    """What the sandbox does wrong on demand."""

    def test_a_torn_page_is_read_again_and_everything_is_collected(self) -> None:
        self.person.has_link()
        self.person.misbehaves("torn")
        self.person.sees_the_expected_answer()
        self.assertIn("retries in", self.person.reads_answers())
        self.person.sees_step("pages", "warn")
        self.person.sees_step("verdict", "done")

    def test_rows_that_a_page_lacks_are_noticed_and_fetched(self) -> None:
        self.person.has_link()
        self.person.misbehaves("lost-rows")
        self.person.sees_the_expected_answer()
        self.assertIn("complete", self.person.reads_answers())

    def test_a_webhook_with_a_wrong_authorization_is_refused(self) -> None:
        self.person.has_link()
        self.person.misbehaves("unauthorized")
        self.person.sees_the_expected_answer()
        self.assertIn("answered 401", self.person.reads_answers())
        expect(self.person.step("webhook")).to_contain_text("refused, 401")

    def test_a_malformed_webhook_is_refused_for_the_request_that_it_mentions(self) -> None:
        self.person.has_link()
        self.person.misbehaves("malformed")
        self.person.sees_the_expected_answer()
        self.assertIn("answered 400", self.person.reads_answers())
        expect(self.person.step("webhook")).to_contain_text("refused, 400")

    def test_rows_that_appear_between_pages_are_fetched_too(self) -> None:
        self.person.has_link()
        self.person.misbehaves("drift")
        self.person.sees_the_expected_answer()
        expect(self.person.step("verdict")).to_contain_text("over by 3")

    def test_a_page_that_asks_for_patience_gets_it(self) -> None:
        self.person.has_link()
        self.person.misbehaves("too-many")
        self.person.sees_the_expected_answer()
        # The four seconds that Belvo asks for, and up to half as long again at random.
        self.assertRegex(self.person.reads_answers(), "retries in [4-6] s")

    def test_too_many_sessions_are_told_to_the_caller(self) -> None:
        self.person.has_link()
        self.person.misbehaves("sessions")
        self.person.sees_the_expected_answer()

    def test_a_webhook_that_comes_twice_is_collected_once(self) -> None:
        self.person.has_link()
        self.person.misbehaves("twice")
        self.person.sees_the_expected_answer()
        self.assertEqual(self.person.reads_answers().count("rows in"), 1)

    def test_a_webhook_before_the_202_is_collected(self) -> None:
        self.person.has_link()
        self.person.misbehaves("early")
        self.person.sees_the_expected_answer()

    def test_two_webhooks_out_of_order_are_both_collected(self) -> None:
        self.person.has_link()
        self.person.misbehaves("order")
        self.person.sees_the_expected_answer()

    def test_a_connection_lost_after_the_post_is_made_up_for_by_the_webhook(self) -> None:
        self.person.has_link()
        self.person.misbehaves("connection-lost")
        self.person.sees_the_expected_answer()
        self.assertIn("502 · unconfirmed", self.person.reads_answers())

    def test_a_refused_login_is_told_to_the_caller(self) -> None:
        self.person.has_link()
        self.person.misbehaves("login-error")
        self.person.sees_the_expected_answer()
        self.assertIn("422 · refused-by-belvo · login_error", self.person.reads_answers())

    def test_rows_that_are_not_there_yet_are_counted_as_short(self) -> None:
        self.person.has_link()
        self.person.misbehaves("unready")
        self.person.sees_the_expected_answer()

    def test_an_event_of_the_link_is_kept(self) -> None:
        self.person.has_link()
        for name in ("invalid-credentials", "token-required", "consent-expired"):
            with self.subTest(name):
                self.person.misbehaves(name)
                self.person.sees_the_expected_answer()

    def test_a_row_that_changes_and_one_that_goes_are_collected(self) -> None:
        self.person.has_link(days=20)
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        row = self.person.page.locator("#transactions tbody tr").first
        self.person.misbehaves("amended")
        self.person.sees_the_expected_answer()
        self.assertIn("1 changed", self.person.reads_answers())
        expect(row).to_contain_text("amended at")
        gone = row.get_attribute("data-transaction")
        self.person.misbehaves("removed")
        self.person.sees_the_expected_answer()
        self.assertIn("1 gone", self.person.reads_answers())
        expect(self.person.page.locator(f"tr[data-transaction='{gone}']")).to_have_count(0)

    def test_a_bank_that_is_connected_twice_has_duplicates_under_its_new_link(self) -> None:
        self.person.opens()
        older = self.person.connects_a_bank()
        self.person.sees_everything_collected()
        self.person.misbehaves("connected-twice")
        self.person.sees_the_expected_answer()
        expect(self.person.page.locator(f"#link-{older}")).to_have_attribute("aria-pressed", "false")
        expect(self.person.page.locator("#transactions-count")).to_contain_text("duplicates among them")
        expect(self.person.page.locator(f"#transactions a[href='/?link={older}']").first).to_be_visible()

    def test_rows_of_another_resource_are_collected_and_listed(self) -> None:
        self.person.has_link()
        self.person.misbehaves("invoiced")
        self.person.sees_the_expected_answer()
        self.person.sees_all_resource_rows(3)

    def test_a_row_can_change_only_where_there_is_one(self) -> None:
        self.person.has_link()
        for name in ("amended", "removed", "connected-twice"):
            with self.subTest(name):
                self.person.misbehaves(name)
                expect(self.person.page.locator("#answered-verdict")).to_have_text("Request transactions first.")

    def test_a_sweep_is_told(self) -> None:
        self.person.has_link()
        self.person.page.get_by_role("button", name="Sweep now").click()
        expect(self.person.page.locator("#sweep-note")).to_contain_text("Swept.")
