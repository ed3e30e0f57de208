"""What the console forwards, and to whom: the stack's API with signed calls, the sandbox's control API, the queue.

The page has no keys: it names a path, and only paths that are listed here lead anywhere.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import aws, loopback
from local.aws import Endpoint

# Reading and asking, but not the route of the webhooks: those come from Belvo.
API = (
    ("GET", re.compile(r"/links(/[\w-]+)*", re.ASCII)),
    ("POST", re.compile(r"/(links|requests|connect/token)")),
    ("DELETE", re.compile(r"/links/[\w-]+", re.ASCII)),
)
# Nothing is read: `/webhook` tells the authorization value, and the journal tells webhooks' bodies.
SANDBOX = (
    ("POST", re.compile(r"/rules")),
    ("DELETE", re.compile(r"/rules")),
    ("POST", re.compile(r"/links/[\w-]+/(event|transactions|reconnect|resources/invoices)", re.ASCII)),
    ("PATCH", re.compile(r"/links/[\w-]+/transactions/[\w-]+", re.ASCII)),
    ("DELETE", re.compile(r"/links/[\w-]+/transactions/[\w-]+", re.ASCII)),
)


class Answer(NamedTuple):
    """What is passed on to the page."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Upstream:
    """The stack, as the environment describes it."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Reads what `local` puts into the environment."""
        self.aws_endpoint = Endpoint.of(variables)
        self.sandbox_url = variables.get("SANDBOX_URL")
        self._api_url = variables["API_URL"]
        self._queue_url = variables["QUEUE_URL"]
        credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        self._signer = SigV4Auth(credentials, "execute-api", variables["AWS_REGION"])
        self._queue = aws.client("sqs", self.aws_endpoint)
        self._facts = {
            "sandbox": self.sandbox_url is not None,
            "link": variables.get("LINK"),
            "page_rows": int(variables.get("SANDBOX_PAGE_ROWS") or 0) or None,
        }

    def facts(self) -> Answer:
        """What the page has to know of the stack; nothing of it is secret."""
        return _json(200, self._facts)

    def api(self, method: str, path: str, query: str, body: bytes | None) -> Answer:
        """A call of the stack's API, signed."""
        if not is_listed(API, method, path):
            return _json(404, {"message": "the console does not forward this"})
        url = f"{self._api_url}{path}{'?' + query if query else ''}"
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, body)
        self._signer.add_auth(request)
        return _forward(method, url, body, dict(request.headers))

    def sandbox(self, method: str, path: str, query: str, body: bytes | None) -> Answer:
        """A call of the sandbox's control API."""
        if self.sandbox_url is None or not is_listed(SANDBOX, method, path):
            return _json(404, {"message": "the console does not forward this"})
        url = f"{self.sandbox_url}/_control{path}{'?' + query if query else ''}"
        return _forward(method, url, body, {"Content-Type": "application/json"})

    def sweep(self) -> Answer:
        """Puts into the queue what the schedule of template.yaml puts there every five minutes."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = json.dumps({"kind": "sweep", "at": at})
        self._queue.send_message(QueueUrl=self._queue_url, MessageBody=message, MessageGroupId="sweep")
        return _json(202, {"at": at})


def is_listed(routes: tuple[tuple[str, re.Pattern[str]], ...], method: str, path: str) -> bool:
    """Whether this call leads anywhere."""
    return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in routes)


def _forward(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    answer = loopback.raw(method, url, body, headers)
    return Answer(answer.status, answer.body, answer.content_type or "application/json")


def _json(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode())
