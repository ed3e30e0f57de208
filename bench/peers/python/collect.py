"""Collects what webhooks announce: all of a link's transactions from Belvo into DynamoDB.

Rows are written whether they are stored already or not, so that a message can be processed again without harm.
"""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import BATCHES_AT_ONCE, dynamodb, pages, serialize, timestamp, update_record

TRANSACTIONS_TABLE = os.environ["TRANSACTIONS_TABLE"]
# BatchWriteItem takes 25 items.
BATCH = 25
TRIES = 8
# Webhooks that announce new rows, and the days that are read then: Belvo reads the latest ones again.
NEWS = ("new_transactions_available", "new_transactions_updated")
NEWS_DAYS = timedelta(days=10)

Document = dict[str, Any]

logger = Logger()
threads = ThreadPoolExecutor(BATCHES_AT_ONCE)
# After a failure the later messages of the same link come back with it; other links go on.
processor = SqsFifoPartialProcessor(skip_group_on_error=True)


@logger.inject_lambda_context
def handler(event: Document, context: LambdaContext) -> Document:
    """Processes a batch and names the messages that are to be retried."""
    return process_partial_response(event=event, record_handler=collect, processor=processor, context=context)


def collect(record: SQSRecord) -> None:
    """Processes one message."""
    try:
        collect_link(record.json_body["task"])
    except Exception:
        logger.exception("message will be retried", message_id=record.message_id)
        raise


def collect_link(delivery: Document) -> None:
    """Stores every row of the link that a webhook names, and records that its request is collected."""
    webhook = delivery["webhook"]
    link, request = webhook["link_id"], (webhook.get("request_id") or "").replace("-", "").lower()
    names = {"link_id": link, "correlation_id": delivery["correlation_id"]}
    if webhook["webhook_type"] != "TRANSACTIONS":
        logger.info("webhook without rows", webhook_code=webhook["webhook_code"], **names)
        return
    started_at = timestamp(datetime.now(UTC))
    seen = {"_stored_at": started_at} | ({"_request": request} if request else {})
    accounts: dict[str, Document] = {}
    rows = 0
    since = (date.today() - NEWS_DAYS).isoformat() if webhook["webhook_code"] in NEWS else None
    for page in pages(link, since):
        items = [row_item(link, row, accounts) | seen for row in page]
        # A batch must not hold a key twice.
        write(list({item["_item"]: item for item in items}.values()))
        rows += len(items)
    write([item for account in accounts.values() for item in account_items(link, account, seen)])
    for account in accounts.values():
        hold(link, account, started_at)
    if request:
        finished_at, received_at = timestamp(datetime.now(UTC)), delivery["received_at"]
        collection = {"started_at": started_at, "finished_at": finished_at, "rows": rows, "accounts": len(accounts)}
        # Belvo also refreshes links that nobody here asked about: then this begins the record.
        update_record(
            request,
            {"id": request, "link": link, "resource": "transactions", "collection": collection},
            once={"listed_at": received_at, "notified_at": received_at, "collected_at": finished_at},
            ended=True,
        )
    logger.info("rows collected", event="rows_collected", rows=rows, accounts=len(accounts), **names)


def row_item(link: str, row: Document, accounts: dict[str, Document]) -> Document:
    """The item of a row, whose account is kept apart and replaced by its id."""
    transaction = row.pop("id")
    account = row.get("account")
    if isinstance(account, dict) and isinstance(account.get("id"), str):
        row["account"] = account["id"]
        known = accounts.setdefault(account["id"], account)
        if (account.get("collected_at") or "") > (known.get("collected_at") or ""):
            accounts[account["id"]] = account
    return {"_link": link, "_item": f"T#{transaction}", "_by_date": f"{day(row)}#{transaction}", **row}


def account_items(link: str, account: Document, seen: Document) -> list[Document]:
    """The items of an account and of its balance, which is kept under the time at which Belvo read it."""
    fields = {name: value for name, value in account.items() if name != "id"}
    items = [{"_link": link, "_item": f"A#{account['id']}", "_stored_at": seen["_stored_at"], **fields}]
    if account.get("balance") is not None:
        at = seen["_stored_at"]
        if account.get("collected_at"):
            at = timestamp(datetime.fromisoformat(account["collected_at"]))
        balance = {name: account[name] for name in ("balance", "collected_at") if name in account}
        items.append({"_link": link, "_item": f"B#{account['id']}#{at}", **balance, **seen})
    return items


def write(items: list[Document]) -> None:
    """Writes items, several batches at a time."""
    puts = [{"PutRequest": {"Item": serialize(item)["M"]}} for item in items]
    batches = [puts[start : start + BATCH] for start in range(0, len(puts), BATCH)]
    for _ in threads.map(write_batch, batches):
        pass


def write_batch(puts: list[Document]) -> None:
    """Writes one batch; what DynamoDB leaves of it is sent again, after longer and longer waits."""
    for attempt in range(TRIES):
        answer = dynamodb.batch_write_item(RequestItems={TRANSACTIONS_TABLE: puts})
        puts = answer["UnprocessedItems"].get(TRANSACTIONS_TABLE, [])
        if not puts:
            return
        time.sleep(0.05 * 2**attempt)
    raise RuntimeError(f"DynamoDB left {len(puts)} items unwritten")


def hold(link: str, account: Document, at: str) -> None:
    """Remembers that a link holds an account, which a user may connect again under another link."""
    institution, number = (account.get("institution") or {}).get("name"), account.get("internal_identification")
    if not institution or not number:
        return
    identity = hashlib.sha256(f"{institution}\n{number}".encode()).hexdigest()
    dynamodb.update_item(
        TableName=TRANSACTIONS_TABLE,
        Key={"_link": {"S": f"account#{identity}"}, "_item": {"S": f"{link}#{account['id']}"}},
        UpdateExpression="SET #at = if_not_exists(#at, :at)",
        ExpressionAttributeNames={"#at": "_stored_at"},
        ExpressionAttributeValues={":at": {"S": at}},
    )


def day(row: Document) -> str:
    """The day that a row is listed under."""
    try:
        return date.fromisoformat((row.get("value_date") or "")[:10]).isoformat()
    except ValueError:
        return "0000-00-00"
