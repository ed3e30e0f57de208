"""The pipeline's own API, called as a client in AWS would: signed with credentials."""

import json
from datetime import date
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import loopback
from local.errors import LocalError


class Pipeline:
    """A client of the API of a local stack."""

    def __init__(self, variables: dict[str, str]) -> None:
        """Reads what `local exec` put into the environment."""
        self._url = variables["API_URL"]
        credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        self._signer = SigV4Auth(credentials, "execute-api", variables["AWS_REGION"])

    def request(self, link: str, date_from: date, date_to: date) -> str:
        """Asks for a retrieval of transactions and returns its id."""
        return self.ask({"link": link, "date_from": str(date_from), "date_to": str(date_to)})

    def ask(self, body: dict[str, Any]) -> str:
        """Asks for a retrieval and returns its id."""
        return self._call("POST", "/requests", expected=202, body=body)["request_id"]

    def register(self, link: str, external_id: str) -> None:
        """Registers a link that was not registered before."""
        self._call("POST", "/links", expected=201, body={"link": link, "external_id": external_id})

    def ended(self, request_id: str) -> bool:
        """Whether the rows that a webhook announced are collected; not yet, if there is no record of it."""
        return self._answer("GET", f"/requests/{request_id}").body.get("status") == "collected"

    def accounts(self, link: str) -> list[dict[str, Any]]:
        """The stored accounts of a link."""
        return self._call("GET", f"/links/{link}/accounts")["accounts"]

    def webhooks(self, link: str) -> list[dict[str, Any]]:
        """The latest webhooks of a link, without their bodies."""
        return self._call("GET", f"/links/{link}/webhooks")["webhooks"]

    def transactions(self, link: str) -> list[dict[str, Any]]:
        """The newest stored transactions of a link."""
        return self._call("GET", f"/links/{link}/transactions")["transactions"]

    def _call(self, method: str, path: str, expected: int = 200, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._answer(method, path, body)
        if answer.status != expected:
            raise LocalError(f"{method} {path} was answered {answer.status}: {answer.body}")
        return answer.body

    def _answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> loopback.Answer:
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method, f"{self._url}{path}", {"Content-Type": "application/json"}, data)
        self._signer.add_auth(request)
        return loopback.call(method, request.url, data, dict(request.headers))
