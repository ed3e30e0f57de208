"""Follows the changes of all links into a SQLite database. May be killed at any time, and goes on where it was.

    python examples/consumer/consumer.py --api https://… --database copy.sqlite

Signs its calls with the AWS credentials of its environment, which need `execute-api:Invoke`. Needs botocore, and
simplejson, which keeps every digit of an amount.
"""

import argparse
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import simplejson as json
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

TABLES = """
CREATE TABLE IF NOT EXISTS links (link TEXT PRIMARY KEY, cursor TEXT, sequence INTEGER, state TEXT);
CREATE TABLE IF NOT EXISTS accounts (link TEXT, id TEXT, account TEXT, PRIMARY KEY (link, id));
CREATE TABLE IF NOT EXISTS rows (link TEXT, resource TEXT, id TEXT, row TEXT, PRIMARY KEY (link, resource, id));
"""
# In place of a link: the cursor with which all links are asked for.
ALL = "*"
AT_ONCE = 100
# What a cursor that is too old amounts to: everything is forgotten, and read from the beginning.
RESET = {"erased": True, "added": [], "modified": [], "removed": [], "next_cursor": None, "has_more": True}


class Unavailable(Exception):  # noqa: N818 - a state, not a mistake
    """The API does not answer now, and may later."""


class Api:
    """The pipeline's API."""

    def __init__(self, url: str) -> None:
        """Takes the credentials of the environment, and the region from `AWS_REGION`."""
        self._url = url
        self._signer = SigV4Auth(Session().get_credentials(), "execute-api", os.environ["AWS_REGION"])

    def changes(self, path: str, cursor: str | None) -> dict[str, Any]:
        """What has changed since the cursor; from the beginning without one."""
        parameters = {"limit": str(AT_ONCE)} | ({"cursor": cursor} if cursor else {})
        request = AWSRequest("GET", f"{self._url}{path}?{urlencode(parameters)}")
        self._signer.add_auth(request)
        call = urllib.request.Request(request.url, headers=dict(request.headers))
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:
                return json.load(answer, use_decimal=True)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            if problem.get("reset"):
                return RESET
            is_passing = error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise (Unavailable if is_passing else SystemExit)(f"{error.code}: {problem.get('detail')}") from error
        except (urllib.error.URLError, TimeoutError) as error:
            raise Unavailable(str(error)) from error


def follow_all(api: Api, database: sqlite3.Connection) -> None:
    """Asks which links have news, until there are no more, and follows those whose news it has not seen."""
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        page = api.changes("/changes", known(database, "cursor", ALL))
        for link, sequence in [(one["link"], one["sequence"]) for one in page["links"]]:
            # A link is told again for a while; another sequence is other news.
            if known(database, "sequence", link) != sequence:
                follow(api, database, link)
                remember(database, "sequence", link, sequence)
        with database:
            remember(database, "cursor", ALL, page["next_cursor"])


def follow(api: Api, database: sqlite3.Connection, link: str) -> None:
    """Reads what has changed at a link, page by page, until there is nothing more."""
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        page = api.changes(f"/links/{link}/changes", known(database, "cursor", link))
        # The rows and the cursor in one transaction: a page is taken whole or not at all.
        with database:
            take(database, link, page)


def take(database: sqlite3.Connection, link: str, page: dict[str, Any]) -> None:
    """Stores a page of changes, and where the next one begins."""
    if page.get("erased"):
        forget(database, link)
    if "accounts" in page:
        database.execute("DELETE FROM accounts WHERE link = ?", [link])
        accounts = [(link, account["id"], json.dumps(account)) for account in page["accounts"]]
        database.executemany("INSERT INTO accounts VALUES (?, ?, ?)", accounts)
    changed = [(one["resource"], one["row"]) for one in [*page["added"], *page["modified"]]]
    rows = [(link, resource, row["id"], json.dumps(row)) for resource, row in changed]
    database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", rows)
    removed = [(link, one["resource"], one["id"]) for one in page["removed"]]
    database.executemany("DELETE FROM rows WHERE link = ? AND resource = ? AND id = ?", removed)
    remember(database, "cursor", link, page["next_cursor"])
    if "link" in page:
        remember(database, "state", link, json.dumps(page["link"]))


def forget(database: sqlite3.Connection, link: str) -> None:
    """Forgets everything of a link."""
    for table in ("links", "accounts", "rows"):
        database.execute(f"DELETE FROM {table} WHERE link = ?", [link])  # noqa: S608 - names of ours


def known(database: sqlite3.Connection, column: str, link: str) -> Any:
    """What is known of a link."""
    row = database.execute(f"SELECT {column} FROM links WHERE link = ?", [link]).fetchone()  # noqa: S608
    return row and row[0]


def remember(database: sqlite3.Connection, column: str, link: str, new: Any) -> None:
    """Notes something of a link."""
    database.execute("INSERT OR IGNORE INTO links (link) VALUES (?)", [link])
    database.execute(f"UPDATE links SET {column} = ? WHERE link = ?", [new, link])  # noqa: S608


def main() -> int:
    """Follows all links once, or for ever."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", required=True, help="the API's URL, an output of the stack")
    parser.add_argument("--database", required=True, help="the SQLite file, made if there is none")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="go on for ever; otherwise end when up to date")
    arguments = parser.parse_args()

    os.umask(0o077)  # The copy is for its owner's eyes.
    api, database = Api(arguments.api), sqlite3.connect(arguments.database)
    database.executescript(TABLES)
    while True:
        try:
            follow_all(api, database)
            if arguments.every is None:
                return 0
        except Unavailable as reason:
            print(f"waiting: {reason}", file=sys.stderr)
        time.sleep(arguments.every or 1)


if __name__ == "__main__":
    sys.exit(main())
