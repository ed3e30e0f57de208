"""One browser for all tests of a module, one person for each test, and what every test demands of a page."""

import os
import unittest
from typing import Any, ClassVar
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Playwright, sync_playwright

from browser import chromium
from browser.person import Person

LOOPBACK = "127.0.0.1"


class ConsoleTest(unittest.TestCase):
    """A test in front of the console."""

    _playwright: ClassVar[Playwright]
    _browser: ClassVar[Browser]

    @classmethod
    def setUpClass(cls) -> None:
        """Starts the browser."""
        cls._playwright = sync_playwright().start()
        cls.addClassCleanup(cls._playwright.stop)
        cls._browser = cls.enterClassContext(chromium.launch(cls._playwright))

    def setUp(self) -> None:
        """Somebody sits down."""
        self.console_url, self.sandbox_url = os.environ["CONSOLE_URL"], os.environ["SANDBOX_URL"]
        self.person = self.somebody()

    def somebody(self, **options: Any) -> Person:
        """A person with a profile of their own, whose page must be free of errors and stay on this machine."""
        person = Person(self._browser, self.console_url, self.sandbox_url, **options)
        self.addCleanup(self._examine, person)
        return person

    def _examine(self, person: Person) -> None:
        try:
            self.assertEqual(person.errors, [], "the page has errors")
            elsewhere = [address for address in person.addresses if urlsplit(address).hostname != LOOPBACK]
            self.assertEqual(elsewhere, [], "the page asks other hosts")
        finally:
            person.close()
