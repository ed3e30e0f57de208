// An event in one plain sentence.

import { duration, many, words } from "/format.js";
import { isListing } from "/kinds.js";

const LOG = {
  retrieval_issued: () => "request: Belvo accepted the retrieval",
  belvo_call_failed: (f) => `request: not sent on, ${f.cause}`,
  belvo_unusable: (f) => `request: Belvo cannot be used, ${f.cause}`,
  webhook_queued: (f) => `webhook: ${words(f["webhook.code"])} is in the queue`,
  webhook_refused: (f) => `webhook: refused with ${f["http.status"]} ${f.problem}`,
  webhook_archived: (f) => (f.outcome === "collected" ? "" : `collect: ${words(f["webhook.code"])} is archived as ${words(f.outcome)}`),
  webhook_redelivered: () => "collect: the webhook was processed before",
  webhook_replayed: () => "request: the webhook is processed again",
  message_retried: (f) => `collect: retries in ${f.wait_s} s, because ${f.cause}`,
  collection_continued: (f) => `collect: continues in ${f.wait_s} s, because ${f.cause}`,
  message_needs_operator: (f) => `collect: needs an operator, because ${f.cause}`,
  message_dead_lettered: (f) => `collect: moved to the dead-letter queue, because ${f.cause}`,
  retrieval_failed: (f) => `collect: the request failed, ${words(f["failure.code"])}`,
  request_unanswered: (f) => `collect: still no webhook after ${f.age_s} s, and no row that is new`,
  request_expired: (f) => `collect: the request expired after ${f.age_s} s, without a row`,
  overdue_requests: (f) => `collect: swept, ${many(f.requests, "request")} overdue`,
  link_registered: (f) => `request: the link is registered${f.known ? " again" : ""}`,
  link_deletion_requested: () => "request: Belvo was asked to delete the link",
  link_deleted: (f) => `collect: the link is gone, ${f.erased === undefined ? "what was stored stays" : "what was stored is erased"}`,
  accounts_listed: (f) => `collect: ${many(f.accounts, "account")} in Belvo's listing`,
  accounts_refused: (f) => `collect: Belvo does not list the accounts, ${words(f["failure.code"])}`,
  rows_collected: (f) => `collect: ${many(f.rows, "row")} in ${many(f.pages, "page")}, ${differences(f)}; ${f.verdict}`,
};

/** How many rows are new, and how many changed or are gone if any did. */
const differences = (f) =>
  [`${f.new} new`, f.changed && `${f.changed} changed`, f.deleted && `${f.deleted} gone`].filter(Boolean).join(", ");

/** The sentence of an event; empty for what is not worth one. */
export function tell(event) {
  if (event.kind === "log") return LOG[event.name]?.(event.fields) ?? `${event.function}: ${event.message}`;
  if (event.kind === "attempt") {
    const answer = event.status ?? event.error ?? "no answer";
    return `Belvo's webhook${event.number > 1 ? `, attempt ${event.number}` : ""}: answered ${answer} in ${duration(event.latency_ms)}`;
  }
  if (!isListing(event.path)) return "";
  if (event.method === "POST") return `Belvo: POST, ${event.status ?? "not answered"}`;
  return `Belvo: page ${event.page ?? 1}, ${event.status ?? "not answered"}`;
}
