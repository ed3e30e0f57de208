/** `POST /requests`: asks Belvo for a retrieval and records it. */

import { Logger } from "@aws-lambda-powertools/logger";

import { retrieve, updateRecord } from "./shared.mjs";

const DUE_AFTER_MS = Number(process.env.REQUEST_DUE_S) * 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SHAPE = "the body must be JSON with link (a UUID), date_from and date_to (YYYY-MM-DD)";

const logger = new Logger();

/** Answers 202 with the id of the retrieval once Belvo has accepted it. */
export const handler = async (event, context) => {
  logger.addContext(context);
  logger.setCorrelationId(event.requestContext.requestId);
  const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : (event.body ?? "");
  const { retrieval, fault } = parse(body);
  if (fault) return answer(400, { detail: fault });
  let response;
  try {
    response = await retrieve(retrieval);
  } catch (error) {
    logger.error("retrieval not confirmed", { link_id: retrieval.link, error });
    return answer(502, { detail: "Belvo did not confirm the retrieval but may have started it" });
  }
  if (response.status !== 202) {
    logger.warn("retrieval refused", { link_id: retrieval.link, status: response.status });
    return answer(502, { detail: `Belvo answered ${response.status}` });
  }
  const accepted = await response.json();
  const request = accepted.request_id.replaceAll("-", "").toLowerCase();
  logger.info("retrieval issued", { event: "retrieval_issued", link_id: retrieval.link, request_id: request });
  const now = new Date().toISOString();
  const facts = {
    id: request,
    resource: "transactions",
    issued_at: now,
    due: "due",
    due_at: new Date(Date.now() + DUE_AFTER_MS).toISOString(),
    ...retrieval,
  };
  try {
    await updateRecord(request, facts, { listed_at: now });
  } catch (error) {
    // The webhook makes up for it; after an error, the caller would spend another retrieval.
    logger.error("retrieval issued but not recorded", { event: "retrieval_not_recorded", request_id: request, error });
  }
  return answer(202, { request_id: request, status: "issued", status_url: `/requests/${request}` });
};

/** The retrieval that a body asks for, or what is wrong. */
const parse = (body) => {
  let fields;
  try {
    fields = JSON.parse(body);
  } catch {
    return { fault: SHAPE };
  }
  const { link, date_from, date_to } = fields ?? {};
  if (!UUID.test(link) || !isDay(date_from) || !isDay(date_to)) return { fault: SHAPE };
  if (date_from > date_to || date_to > new Date().toISOString().slice(0, 10)) {
    return { fault: "date_from must not be after date_to, and date_to not in the future" };
  }
  return { retrieval: { link: link.toLowerCase(), date_from, date_to } };
};

/** Whether a text is a day of the calendar. */
const isDay = (text) => {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
};

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
