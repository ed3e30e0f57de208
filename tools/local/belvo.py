"""Which Belvo a stack works against: the one that the environment names, or a sandbox of its own."""

import os
import secrets as random
from dataclasses import dataclass
from pathlib import Path

from local import processes, sandbox
from local.deployment import Secrets
from local.errors import LocalError
from local.record import Record

# The sandbox sends it to this machine only. The files in events/ carry it, so that they can be sent as they are.
WEBHOOK_AUTHORIZATION = "Bearer local-webhook-authorization"


@dataclass(frozen=True)
class Belvo:
    """A Belvo, and what one has to know to work with it."""

    url: str
    secrets: Secrets
    is_sandbox: bool
    # The most that a page has, as far as that is known.
    page_rows: int | None = None


def named(running: Record) -> Belvo | None:
    """The Belvo that the environment names, if it names one."""
    url = os.environ.get("BELVO_BASE_URL")
    if not url:
        return None
    if "sandbox" in running.processes:
        raise LocalError("this stack works against its own sandbox: end it with `make down` before you name a Belvo")
    secrets = Secrets(
        _required("BELVO_SECRET_ID"), _required("BELVO_SECRET_PASSWORD"), _required("WEBHOOK_AUTHORIZATION")
    )
    return Belvo(url, secrets, is_sandbox=False)


def own_sandbox(
    state: Path,
    running: Record,
    webhook_retry_ms: int,
    page_rows: int = sandbox.BELVOS_PAGE_ROWS,
    requests_per_30_s: int = sandbox.UNLIMITED,
) -> Belvo:
    """The sandbox that runs already, else a new one, which then knows the link of the events."""
    if running.variables and "sandbox" not in running.processes:
        raise LocalError("this stack works against a named Belvo: name it again, or end the stack with `make down`")
    authorization = os.environ.get("WEBHOOK_AUTHORIZATION") or WEBHOOK_AUTHORIZATION
    known = running.variables
    if "sandbox" in running.processes and processes.alive(running.processes["sandbox"], state):
        secrets = Secrets(known["BELVO_SECRET_ID"], known["BELVO_SECRET_PASSWORD"], authorization)
        return Belvo(known["SANDBOX_URL"], secrets, is_sandbox=True, page_rows=int(known["SANDBOX_PAGE_ROWS"]))
    secrets = Secrets("sandbox-id", random.token_hex(16), authorization)
    page_rows = int(os.environ.get(sandbox.PAGE_ROWS) or page_rows)
    pid, url = sandbox.start(state, secrets, webhook_retry_ms, page_rows, requests_per_30_s)
    running.processes["sandbox"] = pid
    sandbox.make_events_link(url)
    return Belvo(url, secrets, is_sandbox=True, page_rows=page_rows)


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise LocalError(f"BELVO_BASE_URL is set, so {name} must be set too")
    return value
