/** What `request` and `collect` share: Belvo's API, and the record of a retrieval. */

import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, NumberValue, UpdateCommand } from "@aws-sdk/lib-dynamodb";

const { BELVO_BASE_URL, BELVO_SECRET_ARN, REQUESTS_TABLE } = process.env;
const TRANSACTIONS = new URL("/api/transactions/", BELVO_BASE_URL);
const TIMEOUT_MS = 30_000;
/** Only reading is repeated: a POST that is sent twice may cost two retrievals. */
const READS = 4;
const PASSING = [429, 502, 503, 504];
/** Perhaps more digits than the 15 that a JavaScript number surely keeps. Belvo's amounts have fewer. */
const LONG_NUMBER = /[:[,]\s*-?\d[\d.]{15}/;

const secrets = new SecretsProvider();

export const dynamodb = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  }),
  { unmarshallOptions: { wrapNumbers: NumberValue.from } },
);

/** Asks for a retrieval in the asynchronous mode. */
export const retrieve = async (retrieval) =>
  call(TRANSACTIONS, {
    method: "POST",
    headers: { "content-type": "application/json", "x-belvo-request-mode": "async" },
    body: JSON.stringify(retrieval),
  });

/** The rows of a link, page by page, with amounts as exact as Belvo writes them. */
export async function* pages(link, since) {
  let url = new URL(TRANSACTIONS);
  url.search = new URLSearchParams({ link, page_size: "1000", ...(since && { value_date__gte: since }) });
  while (url) {
    // A body must not choose where the keys are sent.
    if (url.origin !== TRANSACTIONS.origin) throw new Error("Belvo's next page is on another host");
    const { next, results } = await read(url);
    yield results;
    url = next && new URL(next);
  }
}

const read = async (url) => {
  for (let attempt = 1; ; attempt++) {
    const response = await call(url, {});
    if (response.ok) return parse(await response.text());
    await response.body?.cancel();
    if (attempt === READS || !PASSING.includes(response.status)) throw new Error(`Belvo answered ${response.status}`);
    const seconds = Number(response.headers.get("retry-after")) || 0.5 * 2 ** attempt;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  }
};

const parse = (text) => {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const exact = (_name, value, { source }) => (typeof value === "number" ? NumberValue.from(source) : value);
  return JSON.parse(text, exact);
};

const call = async (url, { headers, ...options }) => {
  const authorization = await basic();
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(url, { ...options, headers: { ...headers, authorization }, redirect: "manual", signal });
};

/** The header of the Basic authentication; its keys are read again after five minutes. */
const basic = async () => {
  const keys = await secrets.get(BELVO_SECRET_ARN, { maxAge: 300, transform: "json" });
  return `Basic ${Buffer.from(`${keys.secret_id}:${keys.secret_password}`).toString("base64")}`;
};

/** Adds facts to the record of a retrieval; those that are learned `once` stay as they are, whoever came first. */
export const updateRecord = async (request, facts, once, { ended = false } = {}) => {
  const attributes = Object.entries({ ...facts, ...once });
  const assignments = [
    ...Object.keys(facts).map((name) => `#${name} = :${name}`),
    ...Object.keys(once).map((name) => `#${name} = if_not_exists(#${name}, :${name})`),
  ];
  await dynamodb.send(
    new UpdateCommand({
      TableName: REQUESTS_TABLE,
      Key: { pk: `request#${request}` },
      UpdateExpression: `SET ${assignments.join(", ")}${ended ? " REMOVE due, due_at" : ""}`,
      ExpressionAttributeNames: Object.fromEntries(attributes.map(([name]) => [`#${name}`, name])),
      ExpressionAttributeValues: Object.fromEntries(attributes.map(([name, value]) => [`:${name}`, value])),
    }),
  );
};

// During INIT, so that the first invocation finds them.
await basic();
