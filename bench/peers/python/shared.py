"""What `request` and `collect` share: Belvo's API, and the record of a retrieval."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin, urlsplit

import boto3
import requests
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

BATCHES_AT_ONCE = 8
TRANSACTIONS_URL = urljoin(os.environ["BELVO_BASE_URL"], "/api/transactions/")
# Seconds for a connection, and between two pieces of an answer.
TIMEOUT = (5, 30)

dynamodb = boto3.client(
    "dynamodb",
    config=Config(
        connect_timeout=2,
        read_timeout=5,
        max_pool_connections=BATCHES_AT_ONCE,
        # What the serializer has made need not be checked again, which would take most of the time.
        parameter_validation=False,
        retries={"mode": "standard", "total_max_attempts": 4},
    ),
)
serialize = TypeSerializer().serialize
secrets = SecretsProvider(boto3_client=boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5)))
session = requests.Session()
# Only reading is repeated: a POST that is sent twice may cost two retrievals.
session.mount(
    TRANSACTIONS_URL, HTTPAdapter(max_retries=Retry(total=4, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504)))
)


def keys() -> tuple[str, str]:
    """User and password of the Basic authentication, read again after five minutes."""
    secret = secrets.get(os.environ["BELVO_SECRET_ARN"], max_age=300, transform="json")
    return secret["secret_id"], secret["secret_password"]


def retrieve(retrieval: dict[str, str]) -> requests.Response:
    """Asks for a retrieval in the asynchronous mode."""
    headers = {"X-Belvo-Request-Mode": "async"}
    return session.post(
        TRANSACTIONS_URL, json=retrieval, headers=headers, auth=keys(), timeout=TIMEOUT, allow_redirects=False
    )


def pages(link: str, since: str | None) -> Iterator[list[dict[str, Any]]]:
    """The rows of a link, of all days or since one, page by page, with amounts as decimals."""
    url, parameters = TRANSACTIONS_URL, {"link": link, "page_size": 1000, "value_date__gte": since}
    while url:
        # A body must not choose where the keys are sent.
        if urlsplit(url)[:2] != urlsplit(TRANSACTIONS_URL)[:2]:
            raise RuntimeError("Belvo's next page is on another host")
        response = session.get(url, params=parameters, auth=keys(), timeout=TIMEOUT, allow_redirects=False)
        if response.status_code != requests.codes.ok:
            raise RuntimeError(f"Belvo answered {response.status_code}")
        page = json.loads(response.content, parse_float=Decimal)
        yield page["results"]
        url, parameters = page["next"], None


def update_record(request: str, facts: dict[str, Any], once: dict[str, Any], ended: bool = False) -> None:
    """Adds facts to the record of a retrieval; those that are learned `once` stay as they are, whoever came first."""
    assignments = [f"#{name} = :{name}" for name in facts]
    assignments += [f"#{name} = if_not_exists(#{name}, :{name})" for name in once]
    attributes = facts | once
    dynamodb.update_item(
        TableName=os.environ["REQUESTS_TABLE"],
        Key={"pk": {"S": f"request#{request}"}},
        UpdateExpression=f"SET {', '.join(assignments)}{' REMOVE due, due_at' if ended else ''}",
        ExpressionAttributeNames={f"#{name}": name for name in attributes},
        ExpressionAttributeValues={f":{name}": serialize(value) for name, value in attributes.items()},
    )


def timestamp(at: datetime) -> str:
    """An instant as it is stored: in UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# During INIT, so that the first invocation finds them.
keys()
