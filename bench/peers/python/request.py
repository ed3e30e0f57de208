"""`POST /requests`: asks Belvo for a retrieval and records it."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from shared import retrieve, timestamp, update_record

DUE_AFTER = timedelta(seconds=int(os.environ["REQUEST_DUE_S"]))

logger = Logger()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@event_source(data_class=APIGatewayProxyEventV2)
def handler(event: APIGatewayProxyEventV2, _context: LambdaContext) -> dict[str, Any]:
    """Answers 202 with the id of the retrieval once Belvo has accepted it."""
    try:
        retrieval = parse(event.decoded_body or "")
    except ValueError as error:
        return answer(400, {"detail": str(error)})
    try:
        response = retrieve(retrieval)
    except RequestException:
        logger.exception("retrieval not confirmed", link_id=retrieval["link"])
        return answer(502, {"detail": "Belvo did not confirm the retrieval but may have started it"})
    if response.status_code != 202:
        logger.warning("retrieval refused", link_id=retrieval["link"], status=response.status_code)
        return answer(502, {"detail": f"Belvo answered {response.status_code}"})
    request = response.json()["request_id"].replace("-", "").lower()
    logger.info("retrieval issued", event="retrieval_issued", link_id=retrieval["link"], request_id=request)
    now = datetime.now(UTC)
    facts = {
        "id": request,
        "resource": "transactions",
        "issued_at": timestamp(now),
        "due": "due",
        "due_at": timestamp(now + DUE_AFTER),
    }
    try:
        update_record(request, facts | retrieval, once={"listed_at": timestamp(now)})
    except (BotoCoreError, ClientError):
        # The webhook makes up for it; after an error, the caller would spend another retrieval.
        logger.exception("retrieval issued but not recorded", event="retrieval_not_recorded", request_id=request)
    return answer(202, {"request_id": request, "status": "issued", "status_url": f"/requests/{request}"})


def parse(body: str) -> dict[str, str]:
    """The retrieval that a body asks for; raises `ValueError` with what is wrong."""
    try:
        fields = json.loads(body)
        link = str(UUID(fields["link"]))
        first, last = (date.fromisoformat(fields[name]) for name in ("date_from", "date_to"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the body must be JSON with link (a UUID), date_from and date_to (YYYY-MM-DD)") from error
    if not first <= last <= datetime.now(UTC).date():
        raise ValueError("date_from must not be after date_to, and date_to not in the future")
    return {"link": link, "date_from": first.isoformat(), "date_to": last.isoformat()}


def answer(status: int, body: dict[str, str]) -> dict[str, Any]:
    """An answer in JSON."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
