"""Something for the dashboard to show: the demo, webhooks with a wrong authorization, and sweeps."""

import subprocess
import uuid

import boto3

from local import loopback, paths
from local.errors import LocalError
from local.waiting import wait_for

REFUSED = 4
SWEEPS = 3


def make(variables: dict[str, str]) -> None:
    """Calls the stack that `local exec` describes, and returns when all of it is logged."""
    demo = paths.require(paths.DEMO, "make dashboard")
    if subprocess.run([str(demo)], env=variables, check=False).returncode != 0:
        raise LocalError("the demo failed")
    for _ in range(REFUSED):
        headers = {"Authorization": "Bearer of-somebody-else", "Content-Type": "application/json"}
        loopback.call("POST", f"{variables['API_URL']}/webhooks/belvo", b"{}", headers)
    for _ in range(SWEEPS):
        _sweep(variables)


def _sweep(variables: dict[str, str]) -> None:
    queue, url = boto3.client("sqs"), variables["QUEUE_URL"]
    message = {"MessageBody": '{"kind": "sweep"}', "MessageGroupId": "sweep"}
    queue.send_message(QueueUrl=url, MessageDeduplicationId=uuid.uuid4().hex, **message)

    def is_done() -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        left = queue.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return not any(int(number) for number in left.values())

    wait_for("the sweep", is_done, 60)
