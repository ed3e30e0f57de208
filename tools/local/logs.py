"""What the functions logged, from the local CloudWatch Logs, in order of time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from local import aws
from local.aws import Endpoint
from local.deployment import STACK

FOLLOW_SECONDS = 1.0
# The groups are read one after the other, so a line of one may be seen before an older line of another.
OVERLAP_MS = 5_000
PLATFORM_LINES = ("START RequestId", "END RequestId")


class Line(NamedTuple):
    """One line of one function, and when it was logged."""

    at_ms: int
    function: str
    message: str

    def __str__(self) -> str:
        """As `time function message`."""
        time_of_day = datetime.fromtimestamp(self.at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
        return f"{time_of_day} {self.function:<8}{self.message}"


def lines(endpoint: Endpoint, function: str | None = None) -> Iterator[Line]:
    """Every line so far of one function, or of all."""
    yield from Reader(endpoint, function).since(0)


def follow(endpoint: Endpoint, function: str | None = None) -> Iterator[Line]:
    """The lines so far, then new ones as they come. MiniStack hands them over when an invocation ends."""
    reader = Reader(endpoint, function)
    while True:
        yield from reader.news()
        time.sleep(FOLLOW_SECONDS)


class Reader:
    """Reads the logs again and again, and tells each line once."""

    def __init__(self, endpoint: Endpoint, function: str | None = None) -> None:
        """Of one function, or of all."""
        self._cloudwatch = aws.client("logs", endpoint)
        self._groups = [(name, group) for name, group in _groups(endpoint) if function in (None, name)]
        self._since_ms = 0
        self._told = set[Line]()

    def news(self) -> list[Line]:
        """The lines that it has not told yet."""
        fresh = [line for line in self.since(self._since_ms) if line not in self._told]
        if fresh:
            self._since_ms = max(self._since_ms, fresh[-1].at_ms - OVERLAP_MS)
            self._told = {line for line in self._told.union(fresh) if line.at_ms >= self._since_ms}
        return fresh

    def since(self, since_ms: int) -> list[Line]:
        """Every line from this instant on."""
        return sorted(line for name, group in self._groups for line in self._lines(name, group, since_ms))

    def _lines(self, name: str, group: str, since_ms: int) -> Iterator[Line]:
        pages = self._cloudwatch.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
        for page in pages:
            for event in page["events"]:
                if not event["message"].startswith(PLATFORM_LINES):
                    yield Line(event["timestamp"], name, event["message"].rstrip())


def _groups(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    cloudformation = aws.client("cloudformation", endpoint)
    resources: list[dict[str, Any]] = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    for resource in resources:
        logical_id = resource["LogicalResourceId"]
        if resource["ResourceType"] == "AWS::Logs::LogGroup" and logical_id != "ApiLogGroup":
            yield logical_id.removesuffix("LogGroup").lower(), resource["PhysicalResourceId"]
