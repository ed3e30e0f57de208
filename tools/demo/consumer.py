"""A consumer that follows all links into SQLite, is killed while it reads, and goes on."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo.compare import Comparison, compare
from local.errors import LocalError
from local.sandbox import control

PROGRAM = Path(__file__).parents[2] / "examples" / "consumer" / "consumer.py"
# It is killed as soon as it has so many rows of the link.
KILLED_AFTER_ROWS = 300
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.02


def follow(sandbox_url: str, link: str, directory: Path, collect_again: Callable[[], None]) -> Comparison:
    """Follows all links from their beginning, and compares the copy of one with what the sandbox has in the end."""
    database = directory / "copy.sqlite"
    consumer = _start(database)
    _wait(lambda: _rows(database, link) >= KILLED_AFTER_ROWS or consumer.poll() is not None)
    if consumer.poll() is not None:
        raise LocalError("the consumer ended before it was killed; its reason is above")
    consumer.kill()
    consumer.wait()
    print(f"Killed      the consumer, which had {_rows(database, link):,} rows", flush=True)

    change(sandbox_url, link)
    collect_again()
    if _start(database).wait(DEADLINE_SECONDS) != 0:
        raise LocalError("the consumer failed")
    print(f"Followed    all links to their end: {_rows(database, link):,} rows of this one", flush=True)
    return compare(_truth(sandbox_url, link), _copy(database, link))


def change(sandbox_url: str, link: str) -> None:
    """Amends a row at the sandbox, deletes one, and adds three."""
    rows = control(sandbox_url, "GET", f"links/{link}/transactions")
    path = f"links/{link}/transactions"
    control(sandbox_url, "PATCH", f"{path}/{rows[0]['id']}", {"description": "amended"})
    control(sandbox_url, "DELETE", f"{path}/{rows[1]['id']}")
    control(sandbox_url, "POST", path, {"count": 3, "date": rows[0]["value_date"]})
    print("Changed     one row at Belvo, deleted one, and added three", flush=True)


def _start(database: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, str(PROGRAM), f"--api={os.environ['API_URL']}", f"--database={database}"]
    return subprocess.Popen(argv)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise LocalError(f"the consumer read too little in {DEADLINE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _rows(database: Path, link: str) -> int:
    if not database.exists():
        return 0
    with sqlite3.connect(database) as copy:
        try:
            return copy.execute("SELECT count(*) FROM rows WHERE link = ?", [link]).fetchone()[0]
        except sqlite3.OperationalError:
            # The consumer has not made its tables yet.
            return 0


def _copy(database: Path, link: str) -> list[dict[str, Any]]:
    with sqlite3.connect(database) as copy:
        rows = copy.execute("SELECT row FROM rows WHERE link = ?", [link])
        return [json.loads(row, parse_float=Decimal) for (row,) in rows]


def _truth(sandbox_url: str, link: str) -> list[dict[str, Any]]:
    """The link's transactions at the sandbox, each with the id of its account."""
    rows = control(sandbox_url, "GET", f"links/{link}/transactions")
    return [row | {"account": row["account"] and row["account"]["id"]} for row in rows]
