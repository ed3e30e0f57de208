"""The run: `python -m demo`, against the stack that `local exec` describes in the environment.

Exits 0 only if every transaction and every account is stored as Belvo has it, and nothing else is, and if a consumer
that was killed while it followed the changes ends with the same.
"""

import argparse
import os
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from demo import consumer, hops
from demo.compare import compare
from demo.pipeline import Pipeline
from demo.report import Outcome, copy_verdict, render
from local.errors import LocalError
from local.sandbox import control
from local.waiting import wait_for

TRANSACTIONS = {"recurrent": 2_500, "single": 180}
# The first and the last day count.
WINDOW = timedelta(days=364)
# Generous: a laptop takes seconds. A retrieval that is not done by then is shown as it is.
DEADLINE_SECONDS = 120
SIGN_OF_LIFE_SECONDS = 10
POLL_SECONDS = 0.2
ENDED = ("collected", "short", "incomplete", "failed")


@dataclass(frozen=True)
class Retrieval:
    """A retrieval that was asked for."""

    access_mode: str
    link: str
    request_id: str
    posted_at: datetime
    answered_at: datetime


def main() -> int:
    """Runs the demo; what keeps it from running is one line and exit code 1."""
    arguments = _parser().parse_args()
    try:
        pipeline, sandbox_url = Pipeline(dict(os.environ)), os.environ["SANDBOX_URL"]
        return run(pipeline, sandbox_url, arguments.lose_rows)
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run(pipeline: Pipeline, sandbox_url: str, lose_rows: int | None) -> int:
    """Connects the links, asks for their retrievals, waits, reads back, compares, and prints what it found."""
    today = datetime.now(UTC).date()
    links = {mode: connect(sandbox_url, mode, count, today) for mode, count in TRANSACTIONS.items()}
    if lose_rows:
        rule = {"on": "get", "link": links["recurrent"], "action": {"lose_rows": lose_rows}}
        control(sandbox_url, "POST", "rules", rule)
        print(f"            the sandbox leaves {lose_rows} rows out of each page of the recurrent link")
    retrievals = [ask(pipeline, mode, link, today) for mode, link in links.items()]
    records = wait(pipeline, retrievals)
    print("Comparing   what is stored with what the sandbox has\n", flush=True)
    log = control(sandbox_url, "GET", "log")
    outcomes = [
        examine(pipeline, sandbox_url, log, retrieval, records[retrieval.request_id]) for retrieval in retrievals
    ]
    print(render(outcomes), flush=True)
    if not all(outcome.good for outcome in outcomes):
        return 1
    return follow(pipeline, sandbox_url, links["recurrent"])


def follow(pipeline: Pipeline, sandbox_url: str, link: str) -> int:
    """Lets a consumer follow a link whose rows change, and compares its copy."""
    print("\nFollowing   all links with examples/consumer, into SQLite", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        copy = consumer.follow(sandbox_url, link, Path(directory), lambda: refresh(pipeline, sandbox_url, link))
    print(copy_verdict(copy))
    return 0 if copy.equal else 1


def refresh(pipeline: Pipeline, sandbox_url: str, link: str) -> None:
    """Lets the sandbox announce that rows have changed, and waits until they are collected."""
    request_id = uuid.uuid4().hex
    webhook = {"webhook_code": "transactions_updated", "request_id": request_id}
    control(sandbox_url, "POST", f"links/{link}/notify", webhook)
    wait_for("the changed rows to be collected", lambda: pipeline.ended(request_id), DEADLINE_SECONDS)


def connect(sandbox_url: str, access_mode: str, count: int, today: date) -> str:
    """Connects a user at the sandbox and returns the link."""
    spec = {"access_mode": access_mode, "transactions": count, "today": str(today), "days": WINDOW.days + 1}
    link = control(sandbox_url, "POST", "links", spec)["id"]
    accounts = control(sandbox_url, "GET", f"links/{link}/accounts")
    print(f"Connected   {access_mode} link {link}: {count:,} transactions, {len(accounts)} accounts", flush=True)
    return link


def ask(pipeline: Pipeline, access_mode: str, link: str, today: date) -> Retrieval:
    """Asks for the link's last year."""
    posted_at = datetime.now(UTC)
    request_id = pipeline.request(link, today - WINDOW, today)
    retrieval = Retrieval(access_mode, link, request_id, posted_at, datetime.now(UTC))
    print(f"Requested   {access_mode} {today - WINDOW} to {today}: request {request_id}", flush=True)
    return retrieval


def wait(pipeline: Pipeline, retrievals: list[Retrieval]) -> dict[str, dict[str, Any]]:
    """Waits until all retrievals have ended, telling each step; returns their records, ended or not."""
    started = time.monotonic()
    told = dict.fromkeys((retrieval.access_mode for retrieval in retrievals), "issued")
    next_sign = SIGN_OF_LIFE_SECONDS
    while True:
        records = {retrieval.request_id: pipeline.record(retrieval.request_id) for retrieval in retrievals}
        waited = time.monotonic() - started
        for retrieval in retrievals:
            status = records[retrieval.request_id]["status"]
            if status != told[retrieval.access_mode]:
                told[retrieval.access_mode] = status
                print(f"{status.capitalize():<12}{retrieval.access_mode} after {waited:.1f} s", flush=True)
        if waited > DEADLINE_SECONDS or all(status in ENDED for status in told.values()):
            return records
        if waited > next_sign:
            next_sign += SIGN_OF_LIFE_SECONDS
            states = ", ".join(f"{access_mode} is {status}" for access_mode, status in told.items())
            print(f"Waiting     for {waited:.0f} of at most {DEADLINE_SECONDS} s: {states}", flush=True)
        time.sleep(POLL_SECONDS)


def examine(
    pipeline: Pipeline, sandbox_url: str, log: dict[str, Any], retrieval: Retrieval, record: dict[str, Any]
) -> Outcome:
    """Reads back what is stored of a link and compares it with what the sandbox has."""
    link = retrieval.link
    attempts = hops.attempts(log, retrieval.request_id)
    return Outcome(
        access_mode=retrieval.access_mode,
        link=link,
        record=record,
        retrievals=log["retrievals"].get(link, 0),
        hops=hops.measure(retrieval.posted_at, retrieval.answered_at, record, attempts),
        transactions=compare(control(sandbox_url, "GET", f"links/{link}/transactions"), pipeline.transactions(link)),
        accounts=compare(control(sandbox_url, "GET", f"links/{link}/accounts"), pipeline.accounts(link)),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--lose-rows", type=int, metavar="N", help="let each page lack N rows that the sandbox counts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
