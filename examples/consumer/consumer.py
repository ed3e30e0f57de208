"""Follows the changes of links into a SQLite database. May be killed at any time, and goes on where it was.

    python examples/consumer/consumer.py --api https://… --database copy.sqlite LINK…

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
CREATE TABLE IF NOT EXISTS links (link TEXT PRIMARY KEY, cursor TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS accounts (link TEXT, id TEXT, account TEXT, PRIMARY KEY (link, id));
CREATE TABLE IF NOT EXISTS rows (link TEXT, resource TEXT, id TEXT, row TEXT, PRIMARY KEY (link, resource, id));
"""
ROWS_AT_ONCE = 100


class Unavailable(Exception):  # noqa: N818 - a state, not a mistake
    """The API does not answer now, and may later."""


class Api:
    """The pipeline's API."""

    def __init__(self, url: str) -> None:
        """Takes credentials and region from the environment, as every AWS client does."""
        session = Session()
        region = session.get_config_variable("region") or os.environ["AWS_REGION"]
        self._url = url
        self._signer = SigV4Auth(session.get_credentials(), "execute-api", region)

    def changes(self, link: str, cursor: str | None) -> dict[str, Any] | None:
        """What has changed since the cursor; nothing if it is too old, so that one has to begin again."""
        parameters = {"limit": str(ROWS_AT_ONCE)} | ({"cursor": cursor} if cursor else {})
        request = AWSRequest("GET", f"{self._url}/links/{link}/changes?{urlencode(parameters)}")
        self._signer.add_auth(request)
        call = urllib.request.Request(request.url, headers=dict(request.headers))
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:
                return json.load(answer, use_decimal=True)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            if problem.get("reset"):
                return None
            reason = f"{error.code}: {problem.get('detail', 'no reason given')}"
            if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Unavailable(reason) from error
            raise SystemExit(f"error: {reason}") from error
        except (urllib.error.URLError, TimeoutError) as error:
            raise Unavailable(str(error)) from error


def follow(api: Api, database: sqlite3.Connection, link: str) -> None:
    """Reads what has changed at a link, page by page, until there is nothing more."""
    has_more = True
    while has_more:
        known = database.execute("SELECT cursor FROM links WHERE link = ?", [link]).fetchone()
        page = api.changes(link, known[0] if known else None)
        # The rows and the cursor in one transaction: a page is taken whole or not at all.
        with database:
            if page is None:
                forget(database, link)
            else:
                take(database, link, page)
        has_more = page is None or page["has_more"]


def take(database: sqlite3.Connection, link: str, page: dict[str, Any]) -> None:
    """Stores a page of changes, and where the next one begins."""
    if page.get("erased"):
        forget(database, link)
    if "accounts" in page:
        database.execute("DELETE FROM accounts WHERE link = ?", [link])
        accounts = [(link, account["id"], json.dumps(account)) for account in page["accounts"]]
        database.executemany("INSERT INTO accounts VALUES (?, ?, ?)", accounts)
    changed = [*page["added"], *page["modified"]]
    rows = [(link, one["resource"], one["row"]["id"], json.dumps(one["row"])) for one in changed]
    database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", rows)
    removed = [(link, one["resource"], one["id"]) for one in page["removed"]]
    database.executemany("DELETE FROM rows WHERE link = ? AND resource = ? AND id = ?", removed)
    database.execute("INSERT OR IGNORE INTO links (link) VALUES (?)", [link])
    database.execute("UPDATE links SET cursor = ? WHERE link = ?", [page["next_cursor"], link])
    if "link" in page:
        database.execute("UPDATE links SET state = ? WHERE link = ?", [json.dumps(page["link"]), link])


def forget(database: sqlite3.Connection, link: str) -> None:
    """Forgets everything of a link."""
    for table in ("links", "accounts", "rows"):
        database.execute(f"DELETE FROM {table} WHERE link = ?", [link])  # noqa: S608 - names of ours


def main() -> int:
    """Follows the links once, or for ever."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", required=True, help="the API's URL, an output of the stack")
    parser.add_argument("--database", required=True, help="the SQLite file, made if there is none")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="go on for ever; otherwise end when up to date")
    parser.add_argument("links", nargs="+", metavar="LINK")
    arguments = parser.parse_args()

    api, database = Api(arguments.api), sqlite3.connect(arguments.database)
    database.executescript(TABLES)
    while True:
        try:
            for link in arguments.links:
                follow(api, database, link)
        except Unavailable as reason:
            if arguments.every is None:
                raise SystemExit(f"error: {reason}") from reason
            print(f"waiting: {reason}", file=sys.stderr)
        if arguments.every is None:
            return 0
        time.sleep(arguments.every)


if __name__ == "__main__":
    sys.exit(main())
