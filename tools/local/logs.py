"""What the functions logged, from the local CloudWatch Logs, in order of time."""

import heapq
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from local import aws
from local.deployment import STACK

FOLLOW_SECONDS = 1.0
# The groups are read one after the other, so a line of one may be seen before an older line of another.
OVERLAP_MS = 5_000
PLATFORM_LINES = ("START RequestId", "END RequestId")


def lines(endpoint: str, function: str | None = None, since_ms: int = 0) -> Iterator[str]:
    """Every line of one function, or of all, as `time function message`."""
    yield from (text for _, text in _events(endpoint, function, since_ms))


def follow(endpoint: str, function: str | None = None) -> Iterator[str]:
    """The lines so far, then new ones as they come. MiniStack hands them over when an invocation ends."""
    since_ms, told = 0, set[tuple[int, str]]()
    while True:
        for event in _events(endpoint, function, since_ms):
            if event not in told:
                told.add(event)
                since_ms = max(since_ms, event[0] - OVERLAP_MS)
                yield event[1]
        time.sleep(FOLLOW_SECONDS)


def _events(endpoint: str, function: str | None, since_ms: int) -> Iterator[tuple[int, str]]:
    cloudwatch = aws.client("logs", endpoint)
    streams = [
        _group_events(cloudwatch, name, group, since_ms)
        for name, group in _groups(endpoint)
        if function in (None, name)
    ]
    return heapq.merge(*streams, key=lambda event: event[0])


def _groups(endpoint: str) -> Iterator[tuple[str, str]]:
    cloudformation = aws.client("cloudformation", endpoint)
    for resource in cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]:
        logical_id = resource["LogicalResourceId"]
        if resource["ResourceType"] == "AWS::Logs::LogGroup" and logical_id != "ApiLogGroup":
            yield logical_id.removesuffix("LogGroup").lower(), resource["PhysicalResourceId"]


def _group_events(cloudwatch: Any, name: str, group: str, since_ms: int) -> list[tuple[int, str]]:
    pages = cloudwatch.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
    events = (event for page in pages for event in page["events"])
    told = (event for event in events if not event["message"].startswith(PLATFORM_LINES))
    return sorted(((event["timestamp"], _line(name, event)) for event in told), key=lambda event: event[0])


def _line(name: str, event: dict[str, Any]) -> str:
    time_of_day = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    return f"{time_of_day} {name:<8}{event['message'].rstrip()}"
