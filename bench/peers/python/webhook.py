"""Takes Belvo's webhooks in: authenticate, validate, put into the queue, acknowledge."""

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, event_source
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Belvo waits for five seconds, and delivers again what was not acknowledged.
CONFIG = Config(connect_timeout=1, read_timeout=1.5, retries={"mode": "standard", "total_max_attempts": 2})
QUEUE_URL = os.environ["QUEUE_URL"]
SECRET_ARN = os.environ["WEBHOOK_SECRET_ARN"]

logger = Logger()
sqs = boto3.client("sqs", config=CONFIG)
secrets = SecretsProvider(boto3_client=boto3.client("secretsmanager", config=CONFIG))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@event_source(data_class=APIGatewayProxyEventV2)
def handler(event: APIGatewayProxyEventV2, _context: LambdaContext) -> dict[str, Any]:
    """Answers one webhook; 202 only after the queue holds it."""
    if not is_authentic(event.headers.get("authorization", "")):
        logger.warning("webhook refused", event="webhook_refused", status=401)
        return answer(401, {"detail": "the Authorization header must be the value registered at Belvo"})
    body = event.decoded_body or ""
    try:
        webhook, link = parse(body)
    except ValueError as error:
        logger.warning("webhook refused", event="webhook_refused", status=400)
        return answer(400, {"detail": str(error)})
    delivery_id = hashlib.sha256(body.encode()).hexdigest()
    delivery = {
        "delivery_id": delivery_id,
        "correlation_id": webhook.get("request_id") or event.request_context.request_id,
        "received_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "webhook": webhook,
    }
    try:
        sqs.send_message(
            QueueUrl=QUEUE_URL,
            MessageBody=json.dumps({"kind": "webhook", "task": delivery}, ensure_ascii=False),
            MessageGroupId=link,
            MessageDeduplicationId=delivery_id,
        )
    except (BotoCoreError, ClientError):
        logger.exception("webhook not queued", link_id=link, delivery_id=delivery_id)
        return answer(503, {"detail": "the webhook was not queued; deliver it again"})
    names = {"link_id": link, "delivery_id": delivery_id, "webhook_code": webhook["webhook_code"]}
    logger.info("webhook queued", event="webhook_queued", **names)
    return answer(202, {"delivery_id": delivery_id})


def is_authentic(sent: str) -> bool:
    """Compares with both values that are valid during a rotation, in constant time."""
    secret = authorizations()
    current, previous = secret["current"], secret.get("previous") or secret["current"]
    # Both comparisons always run.
    return hmac.compare_digest(sent.encode(), current.encode()) | hmac.compare_digest(sent.encode(), previous.encode())


def parse(body: str) -> tuple[dict[str, Any], str]:
    """The webhook and its link; raises `ValueError` with what is wrong."""
    try:
        webhook = json.loads(body)
    except json.JSONDecodeError as error:
        raise ValueError("the body must be JSON") from error
    if not isinstance(webhook, dict):
        raise ValueError("the body must be a JSON object")
    for field in ("webhook_type", "webhook_code", "link_id"):
        if not isinstance(webhook.get(field), str) or not webhook[field]:
            raise ValueError(f"{field} is required and must be a string")
    try:
        return webhook, str(UUID(webhook["link_id"]))
    except ValueError as error:
        raise ValueError("link_id must be a UUID") from error


def authorizations() -> dict[str, str]:
    """The values of `Authorization` that Belvo may send, read again after five minutes."""
    return secrets.get(SECRET_ARN, max_age=300, transform="json")


def answer(status: int, body: dict[str, str]) -> dict[str, Any]:
    """An answer in JSON."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


# During INIT, so that the first invocation finds them.
authorizations()
