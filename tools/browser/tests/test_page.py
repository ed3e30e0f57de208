"""How the page looks, to eyes and to tools, and what it keeps to itself."""

import os
import re
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from browser.person import Person
from browser.tests.harness import ConsoleTest

LEAST_CONTRAST = 4.5
NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
TEXTS = (
    *("h2", ".note", "td", "th", ".badge[data-state='done']", "button.main", ".step .about"),
    *("#transactions small", "#transactions small a", "#transactions small .badge"),
    *("#resources summary", "#resources pre", "#changes time", "#changes summary", "#changes pre", "#changes-state"),
)
TODAY = datetime.now(UTC).date().isoformat()
SECRETS = ("BELVO_SECRET_PASSWORD", "WEBHOOK_AUTHORIZATION", "BELVO_SECRET_ARN")


class Look(ConsoleTest):
    """Light and dark, narrow and wide."""

    def test_text_can_be_read_in_light_and_in_dark(self) -> None:
        grounds = set()
        for scheme in ("light", "dark"):
            person = self.somebody(color_scheme=scheme)
            self._fills_every_view(person)
            grounds.add(person.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            for selector in TEXTS:
                with self.subTest(scheme, selector=selector):
                    self.assertGreaterEqual(_contrast(person.page, selector), LEAST_CONTRAST)
        self.assertEqual(len(grounds), 2)

    def test_nothing_is_wider_than_the_window(self) -> None:
        for viewport in (NARROW, WIDE):
            person = self.somebody(viewport=viewport)
            self._fills_every_view(person)
            with self.subTest(viewport):
                self.assertLessEqual(person.page.evaluate("document.documentElement.scrollWidth"), viewport["width"])

    def _fills_every_view(self, person: Person) -> None:
        older = person.has_link(days=20, transactions=20)
        person.requests_transactions()
        person.sees_everything_collected()
        newer = person.sandbox("POST", f"links/{older}/reconnect")["id"]
        person.sandbox("POST", f"links/{newer}/resources/invoices", {"count": 3, "date": TODAY})
        person.opens_link(newer)
        person.requests_transactions()
        person.sees_everything_collected()
        expect(person.page.locator("#transactions-count")).to_contain_text("duplicates among them")
        person.requests_resource("Invoices")
        person.sees_all_resource_rows(3)
        person.page.locator("#resources summary").first.click()
        person.follows_changes()
        expect(person.page.locator("#changes-state")).to_contain_text("Up to date.")
        person.page.locator("#changes summary").first.click()


class Structure(ConsoleTest):
    """What a screen reader finds."""

    def test_every_control_has_a_name_and_every_part_a_landmark(self) -> None:
        self.person.has_link()
        page = self.person.page
        for role in ("banner", "main"):
            expect(page.get_by_role(role)).to_have_count(1)
        for name in ("Links", "Misbehave"):
            expect(page.get_by_role("complementary", name=name)).to_be_visible()
        for name in ("Pipeline", "Requests", "Accounts", "Transactions", "Other resources", "Changes"):
            expect(page.get_by_role("region", name=name)).to_be_visible()
        nameless = page.locator("button, input, select").evaluate_all(
            "all => all.filter(e => !(e.textContent.trim() || e.labels?.length || e.ariaLabel)).map(e => e.id)"
        )
        self.assertEqual(nameless, [])

    def test_the_focus_can_be_seen(self) -> None:
        self.person.has_link()
        self.person.page.keyboard.press("Tab")
        self.person.page.keyboard.press("Tab")
        outline = self.person.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid")


class Secrecy(ConsoleTest):
    """What the page must not know or do."""

    def test_no_secret_of_the_stack_reaches_the_page(self) -> None:
        answers = []
        self.person.page.on("response", lambda answer: answers.append(answer))
        self.person.has_link()
        self.person.requests_transactions()
        self.person.sees_everything_collected()
        events = self.person.page.evaluate("import('/feed.js').then(feed => JSON.stringify(feed.events))")
        self.assertIn("rows_collected", events)
        told = [events, *(answer.text() for answer in answers if not answer.url.endswith("/events"))]
        for name in SECRETS:
            self.assertFalse([text for text in told if os.environ[name] in text], f"{name} reached the page")

    def test_a_link_that_was_not_begun_here_is_not_registered(self) -> None:
        self.person.page.goto(f"{self.console_url}/connected?link=57a2fbe1-84ac-4ebd-9893-7dd181a3caec")
        expect(self.person.page.locator("#outcome")).to_have_text(re.compile("No connection was begun"))
        self.assertFalse([address for address in self.person.addresses if "/api/" in address])


def _contrast(page: Page, selector: str) -> float:
    """The contrast of the first such element's text with what is behind it, as WCAG defines it."""
    # Found and examined in one step: what is redrawn in between has no colours any more.
    return page.evaluate(
        """selector => {
            const element = document.querySelector(selector);
            const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
            let ground = [0, 0, 0, 0];
            for (let at = element; at && !ground[3]; at = at.parentElement) {
                const [r, g, b, a = 1] = rgb(getComputedStyle(at).backgroundColor);
                if (a > 0) ground = [r, g, b, a];
            }
            const light = (color) => color.slice(0, 3).map((c) => c / 255)
                .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
            const pair = [light(rgb(getComputedStyle(element).color)), light(ground)].sort((a, b) => b - a);
            return (pair[0] + 0.05) / (pair[1] + 0.05);
        }""",
        selector,
    )
