"""Waiting for a condition with a deadline, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

from local.errors import LocalError

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], seconds: float) -> T:
    """Returns the first true result of `condition`, asked again and again for at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise LocalError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)
    return result
