// The steps of one request, read off its record and off what was seen of it. Nothing here touches the page.

import { count, duration, many, span, words } from "/format.js";
import { KINDS } from "/kinds.js";

export const NAMES = ["Request", "202", "Webhook", "Queue", "Pages", "Rows", "Verdict"];
const ABOUT = [
  "POST to Belvo", "Belvo accepts", "Belvo calls back", "waits its turn", "fetched from Belvo", "compared, stored", "is it all there",
];

/** The seven steps: name, what it is about, state (waiting, active, done, warn, fail), detail, milliseconds since the request. */
export function steps(record, events) {
  const seen = record ? gather(record, events) : null;
  const parts = seen ? [asked, accepted, called, queued, paged, stored, judged].map((part) => part(record, seen)) : [];
  return NAMES.map((name, at) => {
    const { state = "waiting", detail = "", at: ms } = parts[at] ?? {};
    const since = seen && Number.isFinite(ms) && Number.isFinite(seen.began) ? Math.max(0, ms - seen.began) : undefined;
    return { name, about: ABOUT[at], state, detail, since };
  });
}

function gather(record, events) {
  const own = events.filter((event) => event.request === record.id);
  const log = (name) => own.filter((event) => event.kind === "log" && event.name === name);
  const post = own.find((event) => event.kind === "call" && event.method === "POST");
  const attempts = own.filter((event) => event.kind === "attempt");
  const began = post?.ms ?? ms(record.issued_at) ?? attempts[0]?.ms ?? ms(record.notified_at);
  const told = attempts.find((attempt) => attempt.status >= 200 && attempt.status < 300);
  const queuedAt = log("webhook_queued")[0]?.ms ?? (told ? told.ms + told.latency_ms : undefined) ?? ms(record.notified_at);
  const until = ms(record.collection?.finished_at) ?? ms(record.failed_at) ?? Infinity;
  // Pages name a link and no request: those between the webhook and the end are this request's, or shared with it.
  const from = attempts[0]?.ms ?? queuedAt ?? began ?? 0;
  const pages = events.filter((event) => event.kind === "call" && event.method === "GET"
    && event.path === KINDS[record.resource]?.path && event.link === record.link && event.ms >= from && event.ms <= until + 50);
  const back = log("message_retried").concat(log("collection_continued"), log("message_needs_operator"));
  return { post, attempts, began, told, queuedAt, pages, back: back.at(-1), log };
}

function asked(record, { post, began }) {
  if (!record.issued_at && !post) return { state: "done", detail: "not by us", at: undefined };
  return { state: "done", detail: record.date_from ? span(record.date_from, record.date_to) : "sent", at: began };
}

function accepted(record, { post }) {
  if (post?.status === 202 || (!post && record.issued_at)) return { state: "done", detail: "202", at: ms(record.issued_at) ?? post.ms };
  if (post?.status) return { state: record.collected_at ? "warn" : "fail", detail: `HTTP ${post.status}`, at: post.ms };
  if (post) return { state: record.notified_at ? "warn" : "active", detail: "no answer" };
  return { state: record.notified_at ? "done" : "waiting", detail: record.notified_at ? "Belvo began it" : "" };
}

function called(record, { attempts, told, queuedAt }) {
  const refused = attempts.filter((attempt) => !(attempt.status >= 200 && attempt.status < 300));
  if (told) {
    const more = attempts.length > 1 ? `, ${many(attempts.length, "delivery").replace("deliverys", "deliveries")}` : "";
    const detail = `${told.status} in ${duration(told.latency_ms)}${more}`;
    return { state: refused.length ? "warn" : "done", detail, at: told.ms + told.latency_ms };
  }
  const last = refused.at(-1);
  if (last) return { state: isOver(record) ? "warn" : "fail", detail: `refused, ${last.status ?? "no answer"}`, at: last.ms };
  if (record.notified_at || queuedAt) return { state: "done", detail: words(record.webhook_code) || "taken in", at: queuedAt };
  if (record.ready_at) return { state: "done", detail: "not needed: answered at once", at: ms(record.ready_at) };
  if (isOver(record)) return { state: "warn", detail: "never came" };
  return { state: record.issued_at ? "active" : "waiting", detail: record.issued_at ? "Belvo works" : "" };
}

function queued(record, { queuedAt, pages, back }) {
  if (back && !isOver(record)) {
    const wait = back.fields.wait_s;
    return { state: "warn", detail: wait === undefined ? "to be retried" : `retry in ${wait} s`, at: back.ms };
  }
  if (queuedAt === undefined) return { state: isOver(record) ? "done" : "waiting", detail: isOver(record) ? "by a sweep" : "" };
  if (isOver(record) || pages.length) {
    const first = pages[0]?.ms ?? ms(record.collection?.started_at);
    return { state: "done", detail: first ? `${duration(Math.max(0, first - queuedAt))} in line` : "passed", at: queuedAt };
  }
  return { state: "active", detail: "in line", at: queuedAt };
}

function paged(record, { pages, back }) {
  const bad = pages.filter((page) => page.status !== null && page.status !== 200);
  const good = pages.length - bad.length;
  if (record.collection) {
    const failed = bad.length ? `, ${bad.length} failed` : "";
    return { state: failed || back ? "warn" : "done", detail: `${record.collection.pages} read${failed}`, at: pages.at(-1)?.ms };
  }
  if (record.failed_at) return { state: pages.length ? "fail" : "waiting", detail: pages.length ? "stopped" : "" };
  if (bad.length && pages.at(-1).status !== 200) return { state: "warn", detail: `HTTP ${bad.at(-1).status}`, at: bad.at(-1).ms };
  if (pages.length) return { state: "active", detail: `${good} read`, at: pages.at(-1).ms };
  return {};
}

function stored(record) {
  const found = record.collection;
  if (!found) return record.failed_at ? { state: "fail", detail: "none" } : {};
  const parts = [["new", found.new], ["changed", found.changed], ["gone", found.deleted], ["back", found.revived]];
  const told = parts.filter(([, value]) => value > 0).map(([word, value]) => `${count(value)} ${word}`);
  const detail = told.join(", ") || `${count(found.rows ?? 0)} unchanged`;
  return { state: "done", detail, at: ms(record.collected_at ?? found.finished_at) };
}

function judged(record) {
  if (record.failed_at && !record.collected_at) return { state: "fail", detail: words(record.failure?.code) || "failed", at: ms(record.failed_at) };
  if (record.expired_at && !record.collected_at) return { state: "fail", detail: "expired", at: ms(record.expired_at) };
  if (!record.verdict) return {};
  return { state: record.verdict === "complete" ? "done" : "warn", detail: record.verdict, at: ms(record.collection?.finished_at) };
}

const isOver = (record) => Boolean(record.collected_at ?? record.incomplete_at ?? record.failed_at ?? record.expired_at);
const ms = (at) => (at ? Date.parse(at) : undefined);
