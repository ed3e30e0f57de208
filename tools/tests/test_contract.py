"""A comparison of Belvo with its document and with the fake finds what differs, and prints nothing of a person."""

import contextlib
import io
import os
import tempfile
import unittest
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from contract import __main__ as command
from contract import reference
from contract.calls import next_query
from contract.client import Answer, Client
from contract.document import Document, violations
from contract.judge import judge
from contract.report import render
from contract.run import Belvo, compare
from contract.shape import differences, shape_of
from local import processes, sandbox
from local.deployment import Secrets
from local.errors import LocalError

SECRETS = Secrets("client-id", "client-password", "Bearer unused")
PERSON = "Maria Plantada"


class AgainstTheFake(unittest.TestCase):
    """Comparisons with a fake that stands for Belvo, each of its own, and with another that stands for itself."""

    @classmethod
    def setUpClass(cls) -> None:
        """Asks the fake, once for all tests."""
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            cls.fake = reference.ask(datetime.now(UTC).date())

    def setUp(self) -> None:
        """Starts a fake that stands for Belvo, with one link. Its rows are not those of the other."""
        state = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        pid, self.url = sandbox.start(Path(state), SECRETS, webhook_retry_ms=500, page_rows=10)
        self.addCleanup(processes.stop, pid, Path(state))
        self.link = self.make_link(seed=7)

    def make_link(self, **spec: Any) -> str:
        """Connects a user with three pages of rows, some of them of the last days."""
        link = self.control("POST", "links", {"transactions": 100, "external_id": "user-1", **spec})["id"]
        self.control("POST", f"links/{link}/transactions", {"count": 3, "date": day(2)})
        return link

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Changes what the fake answers."""
        return sandbox.control(self.url, method, path, body)

    def rule(self, on: str, action: dict[str, Any], **further: Any) -> None:
        """Lets the fake misbehave."""
        self.control("POST", "rules", {"on": on, "action": action, **further})

    def newest(self) -> str:
        """The address of a row of the first page, in the control API."""
        row = self.control("GET", f"links/{self.link}/transactions")[0]["id"]
        return f"links/{self.link}/transactions/{row}"

    def compare(self, link: str | None = None, **options: Any) -> tuple[bool, str]:
        """Compares; waits for nothing."""
        belvo = Belvo(self.url, SECRETS.belvo_id, SECRETS.belvo_password, link)
        return compare(belvo, **{"deadline_seconds": 0, "fake": self.fake, **options})

    def assert_found(self, *lines: str, link: str | None = None) -> None:
        """The comparison finds these differences."""
        good, text = self.compare(link)
        self.assertFalse(good, text)
        for line in lines:
            self.assertTrue(any(found.startswith(f"{line} ") for found in columns_joined(text)), text)

    def test_the_fake_differs_from_itself_in_nothing(self) -> None:
        self.control("PATCH", f"links/{self.link}", {"fetch_resources": reference.FETCHED})
        for seed in (3, 11):
            spec = {"transactions": 300, "access_mode": "single", "loan_account": True, "seed": seed}
            link = self.make_link(**spec, resources={"invoices": 15, "employments": 3, "employment-records": 2})
            # More than a page has.
            self.control("POST", f"links/{link}/accounts", {"count": 10})
        for link in [None, *(link["id"] for link in self.links())]:
            good, text = self.compare(link)
            self.assertTrue(good, text)
        self.assertEqual(sandbox.violations(self.url), [])

    def links(self) -> list[dict[str, Any]]:
        """The links, as Belvo lists them."""
        client = Client(self.url, SECRETS.belvo_id, SECRETS.belvo_password)
        self.addCleanup(client.close)
        return client.get("/api/links/").rows

    def test_a_retrieval_is_asked_for_only_if_a_link_is_named(self) -> None:
        good, text = self.compare()
        self.assertTrue(good, text)
        self.assertIn("Nothing was retrieved", text)
        self.assertEqual(self.control("GET", "counters")["posts"], 0)

        good, text = self.compare(self.link)
        self.assertTrue(good, text)
        self.assertEqual(self.control("GET", "counters")["retrievals"], 1)
        self.assertIn("was not seen to end within 0 s", text)

    def test_a_link_that_is_not_valid_is_read_and_not_retrieved_for(self) -> None:
        self.control("PATCH", f"links/{self.link}", {"status": "invalid"})
        good, text = self.compare(self.link)
        self.assertTrue(good, text)
        self.assertIn("the link is not valid", text)
        self.assertEqual(self.control("GET", "counters")["posts"], 0)

    def test_a_retrieval_is_waited_for_until_its_rows_have_come(self) -> None:
        waits = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            self.assertLessEqual(len(waits), 2)
            if len(waits) == 2:
                self.control("POST", f"links/{self.link}/transactions", {"count": 1, "date": day(1)})

        good, text = self.compare(self.link, deadline_seconds=3_600, pause=pause)
        self.assertTrue(good, text)
        self.assertEqual(len(waits), 2)
        self.assertIn("was seen to end by polling", text)

    def test_a_field_that_is_missing_is_found(self) -> None:
        self.rule("accounts", {"without_id": True})
        self.assert_found(
            "accounts results[].id document is required",
            "accounts results[].id fake always in the fake, at times missing at Belvo",
        )

    def test_a_field_too_many_is_found(self) -> None:
        self.control("PATCH", self.newest(), {"surprise": {"inner": 1}})
        self.assert_found(
            "transactions results[].surprise document is not in the document",
            "transactions results[].surprise fake at Belvo, not in the fake",
        )

    def test_another_type_is_found(self) -> None:
        self.control("PATCH", self.newest(), {"amount": "12.00"})
        self.assert_found(
            "transactions results[].amount document should be number, is string",
            "transactions results[].amount fake string at Belvo, in the fake number",
        )

    def test_a_null_is_found_where_the_fake_has_none(self) -> None:
        self.control("PATCH", self.newest(), {"created_at": None})
        self.assert_found("transactions results[].created_at fake null at Belvo, in the fake string")

    def test_an_error_is_found_and_what_depends_on_its_answer_is_left_out(self) -> None:
        self.rule("get", {"error": {"code": "unexpected_error"}})
        self.assert_found("transactions status pipeline should be 200, is 500 (unexpected_error)")
        self.assertNotIn("\ntransaction ", self.compare()[1])

    def test_a_redirect_is_not_followed(self) -> None:
        self.rule("accounts", {"redirect": f"{self.url}/api/institutions/"})
        self.assert_found("accounts status pipeline should be 200, is 302")

    def test_the_page_of_the_firewall_is_found(self) -> None:
        self.rule("links", {"html_403": True}, times=1)
        self.assert_found("links status pipeline should be 200, is 403")

    def test_rows_without_an_asynchronous_retrieval_are_found(self) -> None:
        self.rule("post", {"ignore_async": True})
        self.assert_found("retrieval status pipeline should be 202, is 201", link=self.link)

    def test_a_row_on_two_pages_is_found(self) -> None:
        self.rule("get", {"duplicate_rows": True})
        self.assert_found("transactions results pipeline a row is there twice")

    def test_a_belvo_without_rows_is_no_belvo_without_differences(self) -> None:
        self.rule("get", {"empty": True})
        self.assert_found(
            "transactions results pipeline no row to compare: name a link that has rows, LINK=…",
            link=self.link,
        )

    def test_a_belvo_without_a_link_of_a_bank_is_none_either(self) -> None:
        self.control("PATCH", f"links/{self.link}", {"status": "invalid"})
        self.assert_found(
            "accounts results pipeline no row to compare: name a link that has rows, LINK=…",
            "transactions results pipeline no row to compare: name a link that has rows, LINK=…",
        )

    def test_half_a_page_is_found(self) -> None:
        self.rule("get", {"torn_page": 1})
        self.assert_found("transactions (all) document should be object, is null")

    def test_nothing_of_a_person_is_printed(self) -> None:
        self.control("PATCH", self.newest(), {"status": PERSON, "value_date": PERSON, "12345678900": PERSON})
        self.control("PATCH", f"links/{self.link}", {"status": "valid", "external_id": "x", "stale_in": [PERSON]})
        good, text = self.compare(self.link)
        self.assertFalse(good)
        for known in (PERSON, "12345678900", self.link, self.newest().rpartition("/")[2], SECRETS.belvo_password):
            self.assertNotIn(known, text)
        for line in (
            "transactions results[].(not a name) document is not in the document 1",
            "transactions results[].status document should be one of 4 values 1",
            "link external_id document should have minLength 3 3",
        ):
            self.assertIn(line, columns_joined(text))

    def test_refused_keys_end_it_at_once(self) -> None:
        with self.assertRaisesRegex(LocalError, "refuses the keys"):
            compare(Belvo(self.url, SECRETS.belvo_id, "wrong", None), deadline_seconds=0, fake=self.fake)

    def test_the_command_says_what_it_found_and_fails_if_that_differs(self) -> None:
        keys = {"BELVO_SECRET_ID": SECRETS.belvo_id, "BELVO_SECRET_PASSWORD": SECRETS.belvo_password}
        code, printed, _ = run_command({**keys, "BELVO_BASE_URL": self.url})
        self.assertEqual(code, 0, printed)
        self.assertIn("EQUAL: no difference in", printed)

        self.rule("accounts", {"error": {"code": "unexpected_error"}})
        with patch("contract.run.ask", return_value=self.fake):
            code, printed, _ = run_command({**keys, "BELVO_BASE_URL": self.url})
        self.assertEqual(code, 1, printed)
        self.assertIn("DIFFERENT: 1 difference in 1 of", printed)


class TheCommand(unittest.TestCase):
    """What is wanted before anything is compared."""

    def test_without_keys_it_says_what_to_set_in_one_line_and_succeeds(self) -> None:
        code, printed, errors = run_command({})
        self.assertEqual((code, printed.count("\n"), errors), (0, 1, ""))
        self.assertIn("set BELVO_SECRET_ID and BELVO_SECRET_PASSWORD", printed)

    def test_half_of_the_keys_is_a_mistake(self) -> None:
        code, _, errors = run_command({"BELVO_SECRET_ID": "id"})
        self.assertEqual(code, 1)
        self.assertIn("BELVO_SECRET_PASSWORD is not set", errors)

    def test_a_link_is_an_id_and_an_address_is_encrypted(self) -> None:
        keys = {"BELVO_SECRET_ID": "id", "BELVO_SECRET_PASSWORD": "password"}
        for further, error in (
            ({"LINK": "../secrets"}, "LINK is no link's id"),
            ({"BELVO_BASE_URL": "http://sandbox.belvo.com"}, "must be an https address"),
            ({"BELVO_BASE_URL": "sandbox.belvo.com"}, "must be an https address"),
            ({"BELVO_BASE_URL": "https://id:password@sandbox.belvo.com"}, "must be an https address"),
        ):
            code, _, errors = run_command({**keys, **further})
            self.assertEqual(code, 1, further)
            self.assertIn(error, errors)


class Shapes(unittest.TestCase):
    """What counts as a difference between a few examples of Belvo's and many of the fake's."""

    def differences(self, belvo: list[Any], fake: list[Any]) -> list[tuple[str, str]]:
        """The differences between examples."""
        return list(differences(shape_of(belvo), shape_of(fake)))

    def test_what_belvo_has_not_shown_is_no_difference(self) -> None:
        fake = [{"a": 1.5, "b": None, "c": {"d": 1}}, {"a": None, "b": "x", "c": None, "e": 1}]
        self.assertEqual(self.differences([{"a": 1, "b": "x", "c": None}], fake), [])

    def test_what_the_fake_does_not_give_is(self) -> None:
        self.assertEqual(
            self.differences([{"a": 1.5, "c": [{"d": 1}], "e": {"f": 1}}], [{"a": 1, "b": 2, "c": [], "e": None}]),
            [
                ("a", "number at Belvo, in the fake integer"),
                ("c[]", "elements at Belvo, none in the fake"),
                ("e", "object at Belvo, in the fake null"),
                ("b", "in the fake, not at Belvo"),
            ],
        )

    def test_what_is_within_a_field_that_the_fake_lacks_is_said_once(self) -> None:
        self.assertEqual(
            self.differences([{"a": {"b": {"c": 1}}}], [{}]),
            [("a", "at Belvo, not in the fake")],
        )


class Judging(unittest.TestCase):
    """What the fake cannot be made to answer."""

    def test_headers_that_only_belvo_sends_are_named_and_are_no_difference(self) -> None:
        belvo = {"retrieval": [Answer(202, {**JSON, "X-Request-Id": "r"}, {})]}
        text = render(belvo, {"retrieval": [Answer(202, JSON, {})]}, Counter(), ["A note."])
        self.assertIn("the pipeline does not read: x-request-id\nEQUAL: no difference in 1 answers", text)

    def found(self, call: str, answer: Answer, fake: Answer) -> set[tuple[str, str]]:
        """Where an answer to a call differs, and in what."""
        found = judge({call: [answer]}, reference.Fake({call: [fake]}), Document(), page_rows=10)
        return {(finding.place, finding.text) for finding in found if finding.call == call}

    def test_a_wait_that_is_no_number_of_seconds_is_found(self) -> None:
        answer = Answer(202, {**JSON, "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"request_id": "r"})
        good = Answer(202, {**JSON, "Retry-After": "30"}, {"request_id": "r"})
        self.assertEqual(self.found("retrieval", good, good), set())
        self.assertEqual({place for place, _ in self.found("retrieval", answer, good)}, {"Retry-After"})

    def test_another_kind_of_body_and_another_code_are_found(self) -> None:
        fake = Answer(404, JSON, [{"code": "not_found", "message": "m", "request_id": REQUEST}])
        html = Answer(404, {"Content-Type": "text/html; charset=utf-8"}, None)
        places = {place for place, _ in self.found("unknown link", html, fake)}
        self.assertLessEqual({"Content-Type", "[].code"}, places)
        gone = Answer(404, JSON, [{"code": "gone", "message": "m", "request_id": REQUEST}])
        self.assertEqual(self.found("unknown link", gone, fake), {("[].code", "should be not_found")})

    def test_what_stands_where_a_code_should_is_not_printed(self) -> None:
        fake = Answer(202, JSON, {"request_id": "r"})
        refused = Answer(400, JSON, [{"code": PERSON, "message": PERSON}])
        self.assertEqual(self.found("retrieval", refused, fake), {("status", "should be 202, is 400")})

    def test_a_page_that_is_too_long_or_leads_nowhere_is_found(self) -> None:
        def page(rows: int, following: str) -> Answer:
            results = [{"id": f"{ID[:-2]}{row:02}", "status": "valid"} for row in range(rows)]
            return Answer(200, JSON, {"count": 9, "next": following, "previous": None, "results": results})

        good = page(10, "https://sandbox.belvo.com/api/links/?page=2")
        bad = page(11, "https://sandbox.belvo.com/api/links/2/")
        found = judge({"links": [bad]}, reference.Fake({"links": [good], "transactions": [good]}), Document(), 10)
        texts = {finding.text for finding in found if finding.call == "links"}
        self.assertEqual(
            texts,
            {"more rows than the page should have", "should have a query, by which the next page is read"},
        )

    def test_a_202_without_an_id_is_found(self) -> None:
        fake = Answer(202, JSON, {"request_id": "r"})
        self.assertEqual(
            self.found("retrieval", Answer(202, JSON, {}), fake), {("request_id", "in the fake, not at Belvo")}
        )

    def test_the_next_page_is_asked_of_this_host_by_its_query(self) -> None:
        page = Answer(200, JSON, {"next": "http://elsewhere.example/api/links/?page=2&link=l"})
        self.assertEqual(next_query(page), "page=2&link=l")
        self.assertEqual(next_query(Answer(200, JSON, {"next": None})), "")


class TheDocument(unittest.TestCase):
    """How the document is read."""

    def test_a_required_field_may_be_null_and_a_date_has_its_form(self) -> None:
        link = Document().object("Link")
        self.assertEqual(list(violations(link, {"id": ID, "last_accessed_at": None, "external_id": None})), [])
        self.assertEqual(
            list(violations(link, {"id": "7", "last_accessed_at": "2026-06-30"})),
            [("id", "should have format uuid"), ("last_accessed_at", "should have format date-time")],
        )


JSON = {"Content-Type": "application/json"}
REQUEST = "b5d0106ac9cc43d5b36199fe831f6bbe"
ID = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec"


def columns_joined(text: str) -> list[str]:
    """The lines of a table, with one space between columns."""
    return [" ".join(line.split()) for line in text.splitlines()]


def day(ago: int) -> str:
    """The day so many days ago."""
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


def run_command(environment: dict[str, str]) -> tuple[int, str, str]:
    """Runs the command with these variables; returns its exit code and what it printed."""
    named = ("BELVO_", "LINK")
    others = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    with (
        patch.dict(os.environ, {**others, **environment}, clear=True),
        patch("sys.argv", ["contract", "--deadline-seconds=0"]),
        contextlib.redirect_stdout(io.StringIO()) as printed,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        return command.main(), printed.getvalue(), errors.getvalue()
