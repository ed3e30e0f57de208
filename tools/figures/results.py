"""What was measured, as the harness wrote it: one JSON file for each suite."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

MAKERS = {"ours": "Rust (ours)", "python": "Python", "node": "Node.js"}
PEERS = ("python", "node")
FUNCTIONS = ("webhook", "collect", "request")


class MissingError(Exception):
    """Something was not measured, so nothing can be said about it."""


@dataclass(frozen=True)
class Results:
    """The results of all suites, by the suite's name."""

    suites: dict[str, Row]

    @classmethod
    def read(cls, directory: Path) -> "Results":
        """Reads what is there."""
        return cls({path.stem: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))})

    def rows(self, suite: str, **wanted: Any) -> list[Row]:
        """The rows of a suite with these values."""
        if suite not in self.suites:
            raise MissingError(f"the suite {suite} was not measured")
        rows = self.suites[suite]["measured"]
        return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]

    def row(self, suite: str, **wanted: Any) -> Row:
        """The only such row."""
        rows = self.rows(suite, **wanted)
        if len(rows) != 1:
            raise MissingError(f"{len(rows)} rows of {suite} with {wanted}")
        return rows[0]

    def largest_shared_window(self) -> int:
        """The largest number of rows that everybody and the floors have collected."""
        return max(row["rows"] for row in self.rows("collections", maker=None))

    def makers(self) -> list[str]:
        """Whose functions were measured."""
        measured = {row["maker"] for row in self.rows("deliveries")}
        return [maker for maker in MAKERS if maker in measured]
