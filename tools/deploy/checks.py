"""Whether Belvo accepts its keys, and the stack's webhook its authorization. Neither check changes anything."""

import base64
import secrets as random
import time
from collections.abc import Callable
from http import HTTPStatus

from deploy import http
from deploy.secrets import Keys
from local.errors import LocalError

# How long a function may hold on to a value before it looks for another ("LEAST_AGE", shared/src/secret.rs).
CACHE_SECONDS = 30
SIGN_OF_LIFE_SECONDS = 10
# The function acknowledges a body without content as a check of its address, and queues nothing.
HARMLESS = b"{}"


def require_accepted_by_belvo(base_url: str, keys: Keys) -> None:
    """Fails unless Belvo lists institutions to who has these keys."""
    pair = base64.b64encode(f"{keys.secret_id}:{keys.secret_password}".encode()).decode()
    answer = http.call("GET", f"{base_url}/api/institutions/?page_size=1", {"Authorization": f"Basic {pair}"})
    if answer.status == HTTPStatus.OK:
        return
    # Belvo's firewall refuses too many calls with a page, Belvo itself with JSON.
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and "json" in (answer.content_type or ""):
        raise LocalError(
            f"Belvo refuses these keys ({answer.status}), and nothing was stored. Are they of {base_url}?"
            " Belvo's sandbox and its production have keys of their own (dashboard: Developers, API Keys)"
        )
    raise LocalError(f"{base_url} answered {answer.status}, which says nothing of the keys. Try again in a minute")


def check_webhook(
    url: str, value: str, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> None:
    """Fails unless the webhook acknowledges the value and refuses another one.

    The other one first: it lets the function look for a new value, which it then has. So there are two refusals at
    most, and three in a quarter of an hour raise an alarm.
    """
    refused = _post(url, f"Bearer {random.token_urlsafe()}")
    if refused == HTTPStatus.FORBIDDEN:
        say("Not tested  The webhook refuses the address of this machine, which is not in AllowedSourceIps.")
        return
    _require(refused, HTTPStatus.UNAUTHORIZED, "a wrong authorization")
    say(f"Refused     a wrong authorization ({refused})")
    accepted = _post(url, value)
    if accepted == HTTPStatus.UNAUTHORIZED:
        _wait_for_the_cache(say, pause)
        accepted = _post(url, value)
    if not HTTPStatus.OK <= accepted < HTTPStatus.MULTIPLE_CHOICES:
        raise LocalError(f"the webhook answered {accepted} to its authorization. {_remedy(accepted)}")
    say(f"Accepted    the webhook's authorization ({accepted})")


def _post(url: str, value: str) -> int:
    return http.call("POST", url, {"Authorization": value, "Content-Type": "application/json"}, HARMLESS).status


def _require(status: int, expected: HTTPStatus, what: str) -> None:
    if status != expected:
        raise LocalError(f"the webhook answered {status} to {what}, and {expected.value} is right. {_remedy(status)}")


def _remedy(status: int) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "Was the secret changed meanwhile? Run `make secrets` again"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "Too many webhooks come at once: docs/runbooks/throttled-webhooks.md"
    return "See the log of the function webhook, and docs/runbooks/webhook-errors.md"


def _wait_for_the_cache(say: Callable[[str], None], pause: Callable[[float], None]) -> None:
    for left in range(CACHE_SECONDS, 0, -SIGN_OF_LIFE_SECONDS):
        say(f"Waiting     up to {left} s for the function to read the new value")
        pause(SIGN_OF_LIFE_SECONDS)
    # Its clock began a moment before ours.
    pause(1)
