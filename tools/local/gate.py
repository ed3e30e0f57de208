"""MiniStack behind a gate, in one process: `python -m local.gate`.

MiniStack takes the account's key without looking at its signature, answers unsigned requests on paths of its own, and
allows every site in a browser to read its answers. A page that somebody has open could drive it, and let it run code.
So the gate refuses requests with an `Origin` or a `Sec-Fetch-Site`, requests with a foreign `Host`, and requests with
the account's key whose signature was not made with its secret, which each stack makes anew. Signatures of functions,
which have keys of their roles, are checked by MiniStack itself.
"""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core import sigv4
from ministack.core.iam_evaluator import is_root_access_key
from ministack.core.router import extract_access_key_id

from local import calls
from local.aws import ACCOUNT_KEY

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# What MiniStack has beside the AWS services, and what it is called with here.
OWN_PATHS = ("/_ministack/", "/_localstack/", "/_aws/", "/health")
HEALTH = "/_ministack/health"
CODE = "/_ministack/lambda-code/"
# Its routes say themselves whether they want a signature: Belvo has none.
API = "/_aws/execute-api/"
WEBHOOK = "/webhooks/belvo"


class Gate:
    """Refuses what no program of this stack sends, and passes on the rest."""

    def __init__(self, application: Application, secret: str) -> None:
        """In front of `application`, for those who know the `secret` of the account's key."""
        self._application = application
        self._secret = secret

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        # Nothing here speaks WebSocket: the server refuses it when nobody accepts.

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        refusal = _stranger(headers) or _closed(scope["method"], scope["path"])
        if refusal is None and not scope["path"].startswith((HEALTH, CODE)):
            body = await _whole(receive)
            refusal = self._forged(scope, headers, body)
            receive = _again(body, receive)
        if refusal is None:
            await self._application(scope, receive, send)
        else:
            await _refuse(scope["path"], send, refusal)

    def _forged(self, scope: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> str | None:
        """Why the signature is not that of the account's key; of another key's, MiniStack finds out."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        key = extract_access_key_id(headers, query)
        if not is_root_access_key(key) or (not key and _is_unsigned(scope, headers)):
            return None
        if key != ACCOUNT_KEY:
            return "sign the request with the keys of this stack, which are in its file env"
        signature = sigv4.parse_header_signature(headers)
        if not isinstance(signature, sigv4.HeaderSignature):
            return signature[1]
        path = scope["raw_path"].decode("latin-1")
        failure = sigv4.request_time_failure(signature) or sigv4.header_signature_failure(
            signature, self._secret, scope["method"], path, query, headers, body
        )
        return failure[1] if failure else None


def _closed(method: str, path: str) -> str | None:
    """Why a path of MiniStack's own is not answered."""
    if not path.startswith(OWN_PATHS) or path.startswith(API):
        return None
    is_read = method == "GET" and (path == HEALTH or path.startswith(CODE))
    return None if is_read else "the local AWS does not answer this path"


def _stranger(headers: Mapping[str, str]) -> str | None:
    """Why whoever sends these is no program of this machine. A test's proxy may have another port."""
    if headers.get("host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost"):
        return "this is not the address of the local AWS"
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        return "the local AWS answers no page of a browser"
    return None


def _is_unsigned(scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """A call of the API that MiniStack refuses itself, or that needs no signature.

    MiniStack takes any `Authorization` of a signed route for a signature.
    """
    method, path = scope["method"], scope["path"]
    is_webhook = method == "POST" and path.endswith(WEBHOOK)
    return path.startswith(API) and (is_webhook or "authorization" not in headers)


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """By name in lower case; those on several lines as SigV4 signs them."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """What was received, once more, and then whatever follows."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(path: str, send: Send, reason: str) -> None:
    """As the API and the services of AWS do."""
    kind = {} if path.startswith(API) else {"__type": "AccessDeniedException"}
    body = json.dumps({**kind, "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serves MiniStack as its own command does, which takes the application from its module."""
    calls.record()
    ministack.app = Gate(ministack.app, os.environ["AWS_SECRET_ACCESS_KEY"])
    ministack.main()


if __name__ == "__main__":
    main()
