/** Takes Belvo's webhooks in: authenticate, validate, put into the queue, acknowledge. */

import { createHash, timingSafeEqual } from "node:crypto";

import { Logger } from "@aws-lambda-powertools/logger";
import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const { QUEUE_URL, WEBHOOK_SECRET_ARN } = process.env;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const logger = new Logger();
const secrets = new SecretsProvider();
const sqs = new SQSClient({
  // Belvo waits for five seconds, and delivers again what was not acknowledged.
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_500, throwOnRequestTimeout: true },
  // The region's endpoint, or the one that the environment names.
  useQueueUrlAsEndpoint: false,
});

/** Answers one webhook; 202 only after the queue holds it. */
export const handler = async (event, context) => {
  logger.addContext(context);
  logger.setCorrelationId(event.requestContext.requestId);
  if (!(await isAuthentic(event.headers.authorization ?? ""))) {
    logger.warn("webhook refused", { event: "webhook_refused", status: 401 });
    return answer(401, { detail: "the Authorization header must be the value registered at Belvo" });
  }
  const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : (event.body ?? "");
  const { webhook, link, fault } = parse(body);
  if (fault) {
    logger.warn("webhook refused", { event: "webhook_refused", status: 400 });
    return answer(400, { detail: fault });
  }
  const id = createHash("sha256").update(body).digest("hex");
  const delivery = {
    delivery_id: id,
    correlation_id: webhook.request_id || event.requestContext.requestId,
    received_at: new Date().toISOString(),
    webhook,
  };
  try {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: QUEUE_URL,
        MessageBody: JSON.stringify({ kind: "webhook", task: delivery }),
        MessageGroupId: link,
        MessageDeduplicationId: id,
      }),
    );
  } catch (error) {
    logger.error("webhook not queued", { link_id: link, delivery_id: id, error });
    return answer(503, { detail: "the webhook was not queued; deliver it again" });
  }
  const names = { link_id: link, delivery_id: id, webhook_code: webhook.webhook_code };
  logger.info("webhook queued", { event: "webhook_queued", ...names });
  return answer(202, { delivery_id: id });
};

/** Compares with both values that are valid during a rotation, in constant time. */
const isAuthentic = async (sent) => {
  const { current, previous } = await authorizations();
  // Texts of different lengths cannot be compared so, and their digests can.
  const [ofSent, ...known] = [sent, current, previous || current].map((text) =>
    createHash("sha256").update(text).digest(),
  );
  return known.map((digest) => timingSafeEqual(ofSent, digest)).includes(true);
};

/** The webhook and its link, or what is wrong. */
const parse = (body) => {
  let webhook;
  try {
    webhook = JSON.parse(body);
  } catch {
    return { fault: "the body must be JSON" };
  }
  for (const field of ["webhook_type", "webhook_code", "link_id"]) {
    if (typeof webhook?.[field] !== "string" || !webhook[field]) {
      return { fault: `${field} is required and must be a string` };
    }
  }
  return UUID.test(webhook.link_id)
    ? { webhook, link: webhook.link_id.toLowerCase() }
    : { fault: "link_id must be a UUID" };
};

/** The values of `Authorization` that Belvo may send, read again after five minutes. */
const authorizations = () => secrets.get(WEBHOOK_SECRET_ARN, { maxAge: 300, transform: "json" });

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

// During INIT, so that the first invocation finds them.
await authorizations();
