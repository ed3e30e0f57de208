"""The event bus of a local stack, and a queue behind it in which every event is seen."""

import json

from local import aws
from local.aws import Endpoint

NAME = "belvo-ingest-events"
# As `functions/publish/src/bus.rs` has it.
SOURCE = "belvo-ingest"


def create(endpoint: Endpoint) -> str:
    """Makes the bus, and a queue of all our events, unless they are there; returns the URL of the queue."""
    events, sqs = aws.client("events", endpoint), aws.client("sqs", endpoint)
    if NAME not in [bus["Name"] for bus in events.list_event_buses(NamePrefix=NAME)["EventBuses"]]:
        events.create_event_bus(Name=NAME)
    pattern = json.dumps({"source": [SOURCE]})
    rule = events.put_rule(Name=NAME, EventBusName=NAME, EventPattern=pattern)["RuleArn"]
    url = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(_policy(queue, rule))})
    events.put_targets(Rule=NAME, EventBusName=NAME, Targets=[{"Id": "queue", "Arn": queue}])
    return url


def _policy(queue: str, rule: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
