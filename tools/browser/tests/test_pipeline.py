"""From a link to its transactions, by clicking and by keys."""

from playwright.sync_api import expect

from browser.tests.harness import ConsoleTest

STEPS = ("request", "202", "webhook", "queue", "pages", "rows", "verdict")
# More than there are places to go to on the page before the button.
TABS = 40


class Pipeline(ConsoleTest):
    """What a person does first."""

    def test_connecting_a_bank_through_the_widget_ends_in_its_transactions(self) -> None:
        self.person.opens()
        link = self.person.connects_a_bank()
        expect(self.person.page.locator(f"#link-{link}")).to_have_attribute("aria-pressed", "true")
        self.person.sees_everything_collected()

    def test_leaving_the_widget_registers_nothing_and_leads_back(self) -> None:
        self.person.opens()
        self.person.page.get_by_role("button", name="Connect a bank").click()
        self.person.page.get_by_role("button", name="Open the widget").click()
        self.person.page.locator("#cancel").click()
        expect(self.person.page.get_by_role("heading", level=2)).to_have_text("Nothing was connected")
        self.person.page.get_by_role("link", name="Back to the console").click()
        expect(self.person.page.locator("#feed")).to_have_text("live")

    def test_a_request_lights_up_every_step_and_brings_transactions(self) -> None:
        self.person.has_link()
        self.person.requests_transactions()
        expect(self.person.page.locator("#request-answer")).to_contain_text("202: request")
        self.person.sees_everything_collected()
        for step in STEPS:
            self.person.sees_step(step, "done")
        row = self.person.page.locator("#requests tbody tr[data-chosen]")
        expect(row).to_have_attribute("data-status", "collected")
        expect(row).to_contain_text("complete")
        expect(self.person.page.locator("#accounts li b").first).to_be_visible()
        expect(self.person.page.locator("#quota")).to_contain_text("7 of 8")

    def test_further_transactions_come_by_the_cursor(self) -> None:
        self.person.has_link(days=20)
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        rows = self.person.page.locator("#transactions tbody tr")
        expect(rows).to_have_count(25)
        self.person.page.get_by_role("button", name="More transactions").click()
        expect(rows).to_have_count(50)

    def test_the_facts_of_a_request_show_what_its_verdict_rests_on(self) -> None:
        self.person.has_link()
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        self.person.page.get_by_text("Facts of the chosen request").click()
        expect(self.person.page.locator("#facts")).to_contain_text("total transactions")

    def test_a_refused_request_says_why(self) -> None:
        self.person.has_link()
        self.person.page.locator("#date-to").fill("1990-01-01")
        self.person.requests_transactions()
        expect(self.person.page.locator("#request-answer")).to_contain_text("400 · invalid-field")

    def test_the_main_path_can_be_done_with_keys_alone(self) -> None:
        self.person.has_link()
        keyboard = self.person.page.keyboard
        self._tab_to("connect-bank")
        keyboard.press("Enter")
        expect(self.person.page.locator("#external-id")).to_be_focused()
        keyboard.press("Escape")
        expect(self.person.page.locator("#connect-bank")).to_be_focused()
        self._tab_to("request-transactions")
        keyboard.press("Enter")
        self.person.sees_everything_collected()
        expect(self.person.page.locator("#request-transactions")).to_be_focused()

    def test_nothing_moves_while_the_steps_light_up(self) -> None:
        self.person.has_link()
        below = self.person.page.locator("#requests-title")
        before = below.bounding_box()
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        self.assertEqual(below.bounding_box(), before)

    def _tab_to(self, name: str) -> None:
        for _ in range(TABS):
            self.person.page.keyboard.press("Tab")
            if self.person.page.evaluate("document.activeElement.id") == name:
                return
        self.fail(f"{name} cannot be reached with the Tab key")
