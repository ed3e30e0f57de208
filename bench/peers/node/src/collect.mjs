/**
 * Collects what webhooks announce: all of a link's transactions from Belvo into DynamoDB.
 *
 * Rows are written whether they are stored already or not, so that a message can be processed again without harm.
 */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { processPartialResponse, SqsFifoPartialProcessorAsync } from "@aws-lambda-powertools/batch";
import { Logger } from "@aws-lambda-powertools/logger";
import { BatchWriteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";

import { dynamodb, pages, updateRecord } from "./shared.mjs";

const { TRANSACTIONS_TABLE } = process.env;
/** BatchWriteItem takes 25 items. */
const BATCH = 25;
const BATCHES_AT_ONCE = 8;
const TRIES = 8;
/** Webhooks that announce new rows, and how far back is read then: Belvo reads the latest days again. */
const NEWS = ["new_transactions_available", "new_transactions_updated"];
const NEWS_MS = 10 * 24 * 3_600_000;

const logger = new Logger();
const processor = new SqsFifoPartialProcessorAsync();

/** Works a batch off and names the messages that have to come back. */
export const handler = async (event, context) => {
  logger.addContext(context);
  return processPartialResponse(event, collect, processor, {
    context,
    // After a failure the later messages of the same link come back with it; other links go on.
    skipGroupOnError: true,
  });
};

/** Processes one message. */
const collect = async (record) => {
  try {
    await collectLink(JSON.parse(record.body).task);
  } catch (error) {
    logger.error("message will be retried", { message_id: record.messageId, error });
    throw error;
  }
};

/** Stores every row of the link that a webhook names, and records that its request is collected. */
const collectLink = async ({ webhook, correlation_id, received_at }) => {
  const link = webhook.link_id;
  const request = webhook.request_id?.replaceAll("-", "").toLowerCase();
  const names = { link_id: link, correlation_id };
  if (webhook.webhook_type !== "TRANSACTIONS") {
    logger.info("webhook without rows", { webhook_code: webhook.webhook_code, ...names });
    return;
  }
  const started_at = new Date().toISOString();
  const seen = { _stored_at: started_at, ...(request && { _request: request }) };
  const accounts = new Map();
  let rows = 0;
  const since = NEWS.includes(webhook.webhook_code) ? new Date(Date.now() - NEWS_MS).toISOString().slice(0, 10) : null;
  for await (const page of pages(link, since)) {
    // A batch must not hold a key twice.
    const items = new Map(page.map((row) => [row.id, { ...rowItem(link, row, accounts), ...seen }]));
    await write([...items.values()]);
    rows += items.size;
  }
  await write([...accounts.values()].flatMap((account) => accountItems(link, account, seen)));
  for (const account of accounts.values()) await hold(link, account, started_at);
  if (request) {
    const finished_at = new Date().toISOString();
    const collection = { started_at, finished_at, rows, accounts: accounts.size };
    // Belvo also refreshes links that nobody here asked about: then this begins the record.
    const facts = { id: request, link, resource: "transactions", collection };
    const once = { listed_at: received_at, notified_at: received_at, collected_at: finished_at };
    await updateRecord(request, facts, once, { ended: true });
  }
  logger.info("rows collected", { event: "rows_collected", rows, accounts: accounts.size, ...names });
};

/** The item of a row, whose account is kept apart and replaced by its id. */
const rowItem = (link, { id, ...fields }, accounts) => {
  const { account } = fields;
  if (typeof account?.id === "string") {
    fields.account = account.id;
    const known = accounts.get(account.id);
    if (!known || (account.collected_at ?? "") > (known.collected_at ?? "")) accounts.set(account.id, account);
  }
  return { _link: link, _item: `T#${id}`, _by_date: `${day(fields)}#${id}`, ...fields };
};

/** The items of an account and of its balance, which is kept under the time at which Belvo read it. */
const accountItems = (link, { id, ...fields }, seen) => {
  const items = [{ _link: link, _item: `A#${id}`, _stored_at: seen._stored_at, ...fields }];
  const { balance, collected_at } = fields;
  if (balance != null) {
    const at = collected_at ? new Date(collected_at).toISOString() : seen._stored_at;
    const read = collected_at === undefined ? {} : { collected_at };
    items.push({ _link: link, _item: `B#${id}#${at}`, balance, ...read, ...seen });
  }
  return items;
};

/** Writes items, several batches at a time. */
const write = async (items) => {
  const puts = items.map((Item) => ({ PutRequest: { Item } }));
  const batches = Array.from({ length: Math.ceil(puts.length / BATCH) }, (_, batch) =>
    puts.slice(batch * BATCH, (batch + 1) * BATCH),
  ).values();
  const writeNext = async () => {
    for (const batch of batches) await writeBatch(batch);
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, writeNext));
};

/** Writes one batch; what DynamoDB leaves of it is sent again, after longer and longer waits. */
const writeBatch = async (puts) => {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const answer = await dynamodb.send(new BatchWriteCommand({ RequestItems: { [TRANSACTIONS_TABLE]: puts } }));
    puts = answer.UnprocessedItems?.[TRANSACTIONS_TABLE] ?? [];
    if (puts.length === 0) return;
    await sleep(50 * 2 ** attempt);
  }
  throw new Error(`DynamoDB left ${puts.length} items unwritten`);
};

/** Remembers that a link holds an account, which a user may connect again under another link. */
const hold = async (link, { id, institution, internal_identification }, at) => {
  if (!institution?.name || !internal_identification) return;
  const identity = createHash("sha256").update(`${institution.name}\n${internal_identification}`).digest("hex");
  await dynamodb.send(
    new UpdateCommand({
      TableName: TRANSACTIONS_TABLE,
      Key: { _link: `account#${identity}`, _item: `${link}#${id}` },
      UpdateExpression: "SET #at = if_not_exists(#at, :at)",
      ExpressionAttributeNames: { "#at": "_stored_at" },
      ExpressionAttributeValues: { ":at": at },
    }),
  );
};

/** The day that a row is listed under. */
const day = ({ value_date }) => (/^\d{4}-\d{2}-\d{2}/.test(value_date) ? value_date.slice(0, 10) : "0000-00-00");
