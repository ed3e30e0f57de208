"""The console answers its own page and no other site."""

import http.client
import os
import unittest
from urllib.parse import urlsplit

OWN = urlsplit(os.environ.get("CONSOLE_URL", "http://127.0.0.1:1")).netloc


class Guard(unittest.TestCase):
    """Requests as another site, or another program's mistake, would send them."""

    def test_a_name_that_was_pointed_here_is_refused_everywhere(self) -> None:
        for path in ("/", "/facts", "/events", "/api/links"):
            with self.subTest(path):
                self.assertEqual(_status("GET", path, host="attacker.example"), 403)

    def test_another_site_can_change_nothing(self) -> None:
        for path in ("/api/requests", "/sandbox/rules", "/sweep"):
            with self.subTest(path):
                self.assertEqual(_status("POST", path, Origin="https://attacker.example"), 403)
                self.assertEqual(_status("POST", path, Origin="null"), 403)
                self.assertEqual(_status("POST", path), 403)

    def test_another_site_can_read_nothing(self) -> None:
        for path in ("/facts", "/events", "/api/links"):
            with self.subTest(path):
                self.assertEqual(_status("GET", path, **{"Sec-Fetch-Site": "cross-site"}), 403)
                # Another port of this machine is the same site and another origin.
                self.assertEqual(_status("GET", path, **{"Sec-Fetch-Site": "same-site"}), 403)

    def test_only_listed_paths_lead_anywhere(self) -> None:
        own = f"http://{OWN}"
        for method, path in (
            ("POST", "/api/webhooks/belvo"),
            ("GET", "/sandbox/webhook"),
            ("PUT", "/sandbox/webhook"),
            ("GET", "/sandbox/log"),
            ("POST", "/sandbox/deliver"),
            ("GET", "/api/../../_ministack/health"),
            ("GET", "/../server.py"),
            ("GET", "/%2e%2e/server.py"),
        ):
            with self.subTest(f"{method} {path}"):
                self.assertIn(_status(method, path, Origin=own), (404, 501))

    def test_a_page_forbids_scripts_of_others_and_frames(self) -> None:
        answer = _call("GET", "/")
        self.assertIn("script-src 'self'", answer.headers["Content-Security-Policy"])
        self.assertIn("frame-ancestors 'none'", answer.headers["Content-Security-Policy"])


def _call(method: str, path: str, host: str = OWN, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(OWN, timeout=30)
    try:
        connection.request(method, path, headers={"Host": host, **headers})
        return connection.getresponse()
    finally:
        connection.close()


def _status(method: str, path: str, host: str = OWN, **headers: str) -> int:
    return _call(method, path, host, **headers).status
