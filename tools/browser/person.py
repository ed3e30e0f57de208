"""Somebody in front of the console: a page in Chromium, with verbs for what one does there."""

import json
import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from local import loopback
from local.waiting import wait_for

# A machine of two cores that does other things too.
DEADLINE_MS = 60_000
# What Chromium itself notes of an answer that is no success: the page shows those.
STATUS_NOTE = "Failed to load resource"
LAST_STEP = "verdict"


class Person:
    """One page, in a profile of its own."""

    def __init__(self, browser: Browser, console_url: str, sandbox_url: str, **options: Any) -> None:
        """`options` are those of a browser context, such as `color_scheme` and `viewport`."""
        expect.set_options(timeout=DEADLINE_MS)
        self._url, self._sandbox_url = console_url, sandbox_url
        self._context = browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce", **options)
        self._context.set_default_timeout(DEADLINE_MS)
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self.addresses: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.addresses.append(request.url))

    def close(self) -> None:
        """Closes the page and forgets its profile."""
        self._context.close()

    def opens(self, path: str = "/") -> None:
        """Opens the console and waits for its live feed."""
        self.page.goto(f"{self._url}{path}")
        expect(self.page.locator("#feed")).to_have_text("live")

    def has_link(self, **spec: Any) -> str:
        """Has a link at the sandbox, made there by hand, and opens the console on it."""
        link = self.sandbox("POST", "links", {"transactions": 120, **spec})["id"]
        self.opens_link(link)
        return link

    def opens_link(self, link: str) -> None:
        """Opens the console on a link."""
        self.opens(f"/?link={link}")
        expect(self.page.locator("#request-transactions")).to_be_enabled()

    def sandbox(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Has something done at the sandbox by hand, below its `/_control/`."""
        sent = None if body is None else json.dumps(body).encode()
        return loopback.call(method, f"{self._sandbox_url}/_control/{path}", sent).body

    def requests_transactions(self) -> None:
        """Presses the button, with the days that the form suggests."""
        self.page.get_by_role("button", name="Request transactions").click()

    def requests_resource(self, title: str) -> None:
        """Chooses a resource other than transactions, and presses the button beside it."""
        self.page.locator("#resource").select_option(title)
        self.page.get_by_role("button", name=f"Request {title.lower()}").click()

    def sees_all_resource_rows(self, count: int) -> None:
        """Presses "More rows" until so many are listed; what is collected meanwhile lists them from the top again."""
        rows, more = self.page.locator("#resources tbody tr[data-row]"), self.page.locator("#more-resources")

        def are_listed() -> bool:
            # At once: a list that is drawn again meanwhile may hide the button.
            if rows.count() < count:
                more.evaluate("button => button.hidden || button.click()")
            return rows.count() == count

        wait_for(f"{count} rows of the resource", are_listed, DEADLINE_MS / 1000)

    def follows_changes(self, cursor: str | None = None) -> None:
        """Becomes a consumer of the chosen link, from a cursor or from where the console is."""
        if cursor is not None:
            self.page.get_by_label("Cursor").fill(cursor)
        self.page.get_by_role("button", name="Follow").click()

    def sees_the_copy(self, rows: int, accounts: int) -> None:
        """Waits until the consumer has read everything, and has this."""
        whole = f"Up to date. The consumer's copy has {rows} rows and {accounts} accounts."
        expect(self.page.locator("#changes-state")).to_have_text(whole)

    def is_told(self, kind: str, row: str) -> None:
        """Waits until the consumer is told of a row, where one can see it."""
        expect(self.page.locator(f"#changes tr[data-kind='{kind}'][data-row='{row}']").first).to_be_visible()

    def misbehaves(self, name: str) -> None:
        """Presses the button of a misbehaviour, wherever it is folded away."""
        button = self.page.locator(f"#do-{name}")
        if not button.is_visible():
            self.page.locator("details", has=button).locator("summary").click()
        button.click()

    def step(self, name: str) -> Locator:
        """One step of the pipeline."""
        return self.page.locator(f".step[data-step='{name}']")

    def sees_step(self, name: str, state: str) -> None:
        """Waits until a step is in this state."""
        expect(self.step(name)).to_have_attribute("data-state", state)

    def sees_everything_collected(self) -> None:
        """Waits until the chosen request has gone through the whole pipeline, and its rows are listed."""
        self.sees_step(LAST_STEP, "done")
        expect(self.step(LAST_STEP)).to_contain_text("complete")
        expect(self.page.locator("#transactions tbody tr[data-transaction]").first).to_be_visible()

    def sees_the_expected_answer(self) -> None:
        """Waits until the pipeline has answered a misbehaviour as it should."""
        expect(self.page.locator("#answered-verdict")).to_have_text("answered as it should be")

    def reads_answers(self) -> str:
        """What the pipeline answered, line by line."""
        return "\n".join(self.page.locator("#answered-story li").all_text_contents())

    def connects_a_bank(self) -> str:
        """Goes through the widget and returns the new link."""
        self.page.get_by_role("button", name="Connect a bank").click()
        self.page.get_by_role("button", name="Open the widget").click()
        self.page.locator("#connect").click()
        self.page.wait_for_url(re.compile(r"/\?link=[\w-]+$"))
        return self.page.url.rpartition("=")[2]

    def renews(self, link: str) -> None:
        """Goes through the widget again for the chosen link."""
        self.page.get_by_role("button", name="Renew").click()
        self.page.locator("#connect").click()
        self.page.wait_for_url(f"{self._url}/?link={link}")

    def deletes(self, rows: str) -> None:
        """Deletes the chosen link, and has its rows kept or erased."""
        self.page.locator("#delete").click()
        self.page.get_by_label(f"{rows} the rows").check()
        self.page.get_by_role("button", name="Delete the link").click()

    def link(self, link: str) -> Locator:
        """A link in the list."""
        return self.page.locator(f".link[data-link='{link}']")

    def _note(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(STATUS_NOTE):
            self.errors.append(message.text)
