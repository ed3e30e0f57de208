// An event in one plain sentence.

import { duration, many, words } from "/format.js";

const LOG = {
  "retrieval issued": () => "request: Belvo accepted the retrieval",
  "retrieval not issued": (f) => `request: not sent on, ${f.cause}`,
  "Belvo cannot be used": (f) => `request: Belvo cannot be used, ${f.cause}`,
  "webhook queued": (f) => `webhook: ${words(f["webhook.code"])} is in the queue`,
  "webhook refused": (f) => `webhook: refused with ${f["http.status"]} ${f.problem}`,
  "webhook recorded": (f) => `collect: ${words(f["webhook.code"])} is recorded`,
  "message comes back": (f) => `collect: comes back in ${f.wait_s} s, because ${f.cause}`,
  "collection goes on": (f) => `collect: goes on in ${f.wait_s} s, because ${f.cause}`,
  "message needs an operator": (f) => `collect: needs an operator, because ${f.cause}`,
  "message given up": (f) => `collect: given up, because ${f.cause}`,
  "retrieval failed": (f) => `collect: the request failed, ${words(f["failure.code"])}`,
  "request without an answer": (f) => `collect: still no webhook after ${f.age_s} s, and no row that is new`,
  "overdue requests": (f) => `collect: swept, ${many(f.requests, "request")} overdue`,
  "link registered": (f) => `request: the link is registered${f.known ? " again" : ""}`,
  "link being deleted": () => "request: Belvo was asked to delete the link",
  "link deleted": (f) => `collect: the link is gone, ${f.erased === undefined ? "what was stored stays" : "what was stored is erased"}`,
  "rows collected": (f) => `collect: ${many(f.rows, "row")} in ${many(f.pages, "page")}, ${f.new} new; ${f.verdict}`,
};

/** The sentence of an event; empty for what is not worth one. */
export function tell(event) {
  if (event.kind === "log") return LOG[event.message]?.(event.fields) ?? `${event.function}: ${event.message}`;
  if (event.kind === "attempt") {
    const answer = event.status ?? event.error ?? "no answer";
    return `Belvo's webhook${event.number > 1 ? `, attempt ${event.number}` : ""}: answered ${answer} in ${duration(event.latency_ms)}`;
  }
  if (event.path === "/api/transactions/" && event.method === "POST") return `Belvo: POST, ${event.status ?? "not answered"}`;
  if (event.path === "/api/transactions/") return `Belvo: page ${event.page ?? 1}, ${event.status ?? "not answered"}`;
  return "";
}
