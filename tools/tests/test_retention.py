"""docs/RETENTION.md says for how long things are kept as template.yaml and the code do."""

import re
import unittest
from typing import NamedTuple

from local import template
from local.paths import ROOT

SECONDS_OF_A_DAY = 24 * 60 * 60
# Where constants say for how many days something is kept.
SOURCES = [ROOT / "shared" / "src" / "store" / "retention.rs", ROOT / "domain" / "src" / "unknown.rs"]
# What is not ours to set: DynamoDB keeps backups and its stream for as long as it documents.
OF_AWS = {"DynamoDB": {35, 1}, "EventBridge": set()}
CONSTANT = re.compile(r"^(?:pub\(super\) )?const (\w+_DAYS): [iu]\d+ = (\d+);$", re.MULTILINE)


class Line(NamedTuple):
    """A line of the table."""

    what: str
    days: int | None
    set_by: str


def _lines() -> list[Line]:
    page = (ROOT / "docs" / "RETENTION.md").read_text()
    table = page.split("|---|---|---|---|\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    days = [re.match(r"(\d+) days?\b", kept) for _, _, kept, _ in cells]
    return [Line(cell[0], int(found[1]) if found else None, cell[3]) for cell, found in zip(cells, days, strict=True)]


def _settings() -> dict[str, int]:
    """Days, by what sets them in the words of the table."""
    source = template.read()
    parameters = source["Parameters"].items()
    settings = {f"parameter `{name}`": it["Default"] for name, it in parameters if name.endswith("Days")}
    for name, it in source["Resources"].items():
        seconds = it.get("Properties", {}).get("MessageRetentionPeriod")
        if seconds is not None:
            settings[f"`MessageRetentionPeriod` of `{name}`"] = seconds / SECONDS_OF_A_DAY
    for file in SOURCES:
        settings |= {f"constant `{name}`": int(days) for name, days in CONSTANT.findall(file.read_text())}
    return settings


class Retention(unittest.TestCase):
    """The first table of docs/RETENTION.md."""

    def test_every_figure_is_the_one_that_is_set(self) -> None:
        """Or is one that AWS documents."""
        settings = _settings()
        for line in _lines():
            with self.subTest(line.what):
                if line.set_by in settings:
                    self.assertEqual(line.days, settings[line.set_by])
                elif line.set_by in OF_AWS:
                    self.assertIn(line.days, OF_AWS[line.set_by] | {None})
                else:
                    self.assertIsNone(line.days)

    def test_everything_that_sets_one_has_its_line(self) -> None:
        """A default in the code, too, that a parameter replaces."""
        replaced = {"WEBHOOK_DAYS": "WebhookRetentionDays", "ERASED_REQUEST_DAYS": "RequestRetentionDays"}
        replaced["CHANGES_DAYS"] = "ChangesDays"
        settings = _settings()
        for constant, parameter in replaced.items():
            self.assertEqual(settings.pop(f"constant `{constant}`"), settings[f"parameter `{parameter}`"])
        # These keep nothing.
        unrelated = {"parameter `ScrubDays`", "parameter `StaleInDays`"}
        self.assertEqual(settings.keys() - unrelated, {line.set_by for line in _lines()} & settings.keys())

    def test_the_receipt_says_the_same_days(self) -> None:
        """What `belvo-ingest erase` says remains, by the place that the table has for it."""
        places = {
            "counters of retrievals": "counters of retrievals, with a hash of the customer",
            "intents": "intents",
            "answers by Idempotency-Key": "answers by `Idempotency-Key`",
            "the dead-letter queue": "dead letters, with the bodies of webhooks",
            "DynamoDB's point-in-time backups": "backups (point-in-time recovery)",
        }
        command = (ROOT / "cli" / "src" / "commands" / "erase.rs").read_text()
        remains = re.findall(r'^    \(\s*"([^"]+)",[^()]*Kept::Days\((?:31 \+ )?(\d+)\)', command, re.MULTILINE)
        days = {line.what: line.days for line in _lines()}
        self.assertEqual(
            {places[place]: int(kept) for place, kept in remains}, {it: days[it] for it in places.values()}
        )

    def test_backups_are_on_and_everything_is_encrypted(self) -> None:
        """As the page says."""
        source = template.read()
        tables = [it["Properties"] for it in source["Resources"].values() if it["Type"] == "AWS::DynamoDB::Table"]
        self.assertEqual(len(tables), 2)
        for table in tables:
            self.assertTrue(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
            self.assertTrue(table["SSESpecification"]["SSEEnabled"])
        queues = [it["Properties"] for it in source["Resources"].values() if it["Type"] == "AWS::SQS::Queue"]
        self.assertTrue(queues and all(queue["SqsManagedSseEnabled"] for queue in queues))


if __name__ == "__main__":
    unittest.main()
