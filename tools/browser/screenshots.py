"""Clicks through the console and keeps what it looks like: `python -m browser.screenshots`, in a stack of its own.

Four pictures in docs/screenshots: light, dark and narrow, and what is below, with a consumer that follows. Times and
ids differ from run to run.
"""

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, expect, sync_playwright

from browser import chromium
from browser.person import Person
from local.errors import LocalError
from local.paths import ROOT

FOLDER = ROOT / "docs" / "screenshots"
TALL, WIDE, NARROW = ({"width": 1440, "height": 850}, {"width": 1440, "height": 440}, {"width": 360, "height": 560})


class Picture(NamedTuple):
    """What a picture is called, how the browser is set up, what is pressed before it is taken, and where it begins."""

    name: str
    options: dict[str, Any]
    misbehaviour: str | None = None
    top: str | None = None
    follows: bool = False


PICTURES = (
    Picture("light", {"viewport": TALL, "color_scheme": "light"}),
    Picture("dark", {"viewport": WIDE, "color_scheme": "dark"}, "torn"),
    # Where there is one column, the links are above the pipeline.
    Picture("narrow", {"viewport": NARROW, "color_scheme": "light"}, top="pipeline"),
    Picture("changes", {"viewport": TALL, "color_scheme": "light"}, "amended", "resources-title", follows=True),
)


def main() -> int:
    """Takes every picture; what keeps it from that is one line and exit code 1."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with sync_playwright() as playwright, chromium.launch(playwright) as browser:
            for picture in PICTURES:
                path = take(browser, picture)
                print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KiB", flush=True)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def take(browser: Browser, picture: Picture) -> Path:
    """Has a link, asks for its transactions, provokes what is to be seen, and takes the picture."""
    person = Person(browser, os.environ["CONSOLE_URL"], os.environ["SANDBOX_URL"], **picture.options)
    person.has_link(transactions=1_500, external_id="user-0001", resources={"invoices": 60})
    person.requests_transactions()
    person.sees_everything_collected()
    if picture.follows:
        person.requests_resource("Invoices")
        expect(person.page.locator("#resources tbody tr[data-row]").first).to_be_visible()
        person.follows_changes()
        expect(person.page.locator("#changes-state")).to_contain_text("Up to date.")
    if picture.misbehaviour:
        person.misbehaves(picture.misbehaviour)
        person.sees_the_expected_answer()
        person.sees_everything_collected()
    if picture.follows:
        expect(person.page.locator("#changes tr[data-kind='modified']")).to_be_visible()
    person.page.evaluate("id => scrollTo(0, id ? document.getElementById(id).offsetTop - 8 : 0)", picture.top)
    person.page.mouse.move(0, 0)
    path = FOLDER / f"console-{picture.name}.png"
    person.page.screenshot(path=str(path))
    person.close()
    return path


if __name__ == "__main__":
    sys.exit(main())
