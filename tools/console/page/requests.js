// A link's requests, the chosen one's steps and facts.

import { call, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { duration, many, moment, short, span, words } from "/format.js";
import { NAMES, steps } from "/steps.js";

const STATES = { issued: "active", notified: "active", collecting: "active", short: "active", collected: "done", incomplete: "fail", failed: "fail", expired: "fail" };
const WORDS = { waiting: "waiting", active: "now", done: "done", warn: "with trouble", fail: "failed" };

/** A link's latest requests. */
export async function load(link) {
  const answer = await call("GET", `/api/links/${link}/requests?limit=12`);
  return answer.ok ? answer.body.requests : [];
}

/** Draws the list; `choose` is called with a request's id. */
export function draw(records, chosen, choose) {
  const rows = records.map((record) => row(record, record.id === chosen, choose));
  fill($("requests").tBodies[0], rows.length ? rows
    : h("tr", {}, h("td", { colspan: 5, class: "empty" }, "None yet. Ask for transactions above.")));
}

function row(record, isChosen, choose) {
  const verdict = record.verdict ?? words(record.failure?.code);
  const state = record.verdict === "complete" ? "done" : record.verdict ? "warn" : "fail";
  const days = [record.date_from, record.date_to];
  const button = h("button", {
    id: `request-${record.id}`, class: "plain", type: "button",
    "aria-pressed": String(isChosen), "aria-label": `Show request ${short(record.id)}`,
    on: { click: () => choose(record.id) },
  }, short(record.id));
  return h("tr", { data: { request: record.id, status: record.status, ...(isChosen ? { chosen: "" } : {}) } },
    h("td", {}, moment(record.issued_at ?? record.notified_at)),
    h("td", { title: days[0] && days.join(" to ") }, days[0] ? span(...days) : "Belvo's own choice",
      record.resource && record.resource !== "transactions" && h("span", { class: "dim" }, ` · ${words(record.resource)}`)),
    h("td", {}, h("span", { class: "badge", data: { state: STATES[record.status] ?? "" } }, record.status)),
    h("td", {}, verdict && h("span", { class: "badge", data: { state } }, verdict)),
    h("td", {}, button));
}

/** Draws the row of steps. Its elements stay: only what differs is changed, so nothing jumps. */
export function drawSteps(record, events) {
  const list = $("steps");
  if (!list.children.length) list.append(...NAMES.map(emptyStep));
  steps(record, events).forEach((step, at) => {
    const element = list.children[at];
    element.dataset.state = step.state;
    say(element.querySelector(".about"), step.about);
    say(element.querySelector(".state"), WORDS[step.state]);
    say(element.querySelector(".detail"), step.detail);
    say(element.querySelector(".since"), step.since === undefined || at === 0 ? "" : `+${duration(step.since)}`);
  });
}

function emptyStep(name, at) {
  return h("li", { class: "step", data: { step: name.toLowerCase(), state: "waiting" } },
    h("span", { class: "dot", "aria-hidden": "true" }, String(at + 1)), h("b", {}, name), h("small", { class: "about" }),
    h("small", { class: "detail" }), h("small", { class: "since" }), h("small", { class: "state visually-hidden" }));
}

const FACTS = [
  ["Request", "id"], ["Resource", "resource"], ["First day", "date_from"], ["Last day", "date_to"],
  ["Asked of Belvo", "issued_at"], ["Webhook received", "notified_at"], ["Answered at once", "ready_at"], ["Webhook's code", "webhook_code"],
  ["Collecting since", "collecting_at"], ["Rows stored", "collected_at"], ["Rows missing since", "short_at"], ["Given up", "incomplete_at"], ["Failed", "failed_at"], ["Expired", "expired_at"], ["Looked after at", "due_at"],
];

/** Draws what the record says of a request. */
export function drawFacts(record) {
  if (!record) return fill($("facts"), h("p", { class: "empty" }, "No request is chosen."));
  const facts = FACTS.filter(([, name]) => record[name]).map(([label, name]) => [label, record[name]]);
  if (record.failure) facts.push(["Why", `${record.failure.code}: ${record.failure.message}`]);
  if (record.collection) facts.push(["Collected", collected(record.collection)]);
  return fill($("facts"),
    h("dl", { class: "facts" }, facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, String(value))])),
    record.compared?.length && comparison(record.compared));
}

function collected(found) {
  const kinds = `${found.new} new, ${found.changed} changed, ${found.unchanged} unchanged, ${found.deleted} gone`;
  return `${many(found.pages, "page")}, ${many(found.rows, "row")}: ${kinds}`;
}

function comparison(compared) {
  const head = ["Compared", "Belvo says", "Here", "So"].map((name) => h("th", { scope: "col" }, name));
  const cells = (check) => [words(check.what), check.belvo ?? "", check.ours ?? "", check.verdict];
  const rows = compared.map((check) => h("tr", {}, cells(check).map((text) => h("td", {}, String(text)))));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

/** Asks for a link's transactions of these days. */
export const ask = (link, from, to) => call("POST", "/api/requests", { link, date_from: from, date_to: to });

/** Says what an asked-for retrieval was answered with. */
export function drawAnswer(answer) {
  const element = $("request-answer");
  element.dataset.state = answer.ok ? "done" : "fail";
  say(element, answer.ok ? `202: request ${short(answer.body.request_id)}` : problem(answer));
}
