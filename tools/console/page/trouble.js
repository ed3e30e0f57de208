// The buttons that make the sandbox misbehave, and what the pipeline answered.

import { call, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { day, duration } from "/format.js";
import { GROUPS } from "/misbehaviours.js";
import { ask } from "/requests.js";
import { ask as askResource } from "/resources.js";
import { tell } from "/tell.js";

const FEW_ROWS = 3;
// Windows that reach back less than six days are the plentiful class of retrievals.
const SHORT_DAYS = [4, 3, 2, 1, 0];
const UNKNOWN_PAGE_ROWS = 1000;
// The sandbox writes its time when it begins a call, which may be a moment before this page's clock.
const EARLIER_MS = 1500;
const LINES = 14;
// Of a link that is new: what the form suggests for one.
const NEW_LINK_DAYS = 29;

let running = null;

/** Draws the buttons; `chosen` tells the chosen link and its requests, `done` is called when something was asked for. */
export function draw(facts, chosen, done) {
  fill($("misbehaviours"), GROUPS.map(([title, entries], at) =>
    h("details", { open: at === 0 }, h("summary", {}, title), entries.map((entry) => row(entry, () => provoke(entry, facts, chosen(), done))))));
}

function row(entry, click) {
  return h("div", { class: "misbehaviour" },
    h("h3", { id: `${entry.id}-title` }, entry.title),
    h("button", { id: `do-${entry.id}`, type: "button", "aria-labelledby": `do-${entry.id} ${entry.id}-title`, on: { click } }, "Do it"),
    h("p", {}, entry.does), h("p", {}, h("b", {}, "Then: "), entry.expects));
}

/** Takes in what the feed tells. */
export function hear(event) {
  if (!running) return;
  const isOurs = event.link === running.link || running.requests.has(event.request)
    || (running.entry.sweep && event.name === "overdue_requests");
  if (!isOurs || event.ms < running.from) return;
  running.story.set(event.key ?? `log ${running.story.size}`, event);
  redraw();
}

async function provoke(entry, facts, { link, records, newest }, done) {
  running = { entry, link, from: Date.now() - EARLIER_MS, story: new Map(), asked: null, requests: new Set(), note: "" };
  $("answered").hidden = false;
  say($("answered-title"), entry.title);
  fill($("answered-story"));
  redraw();
  if (!link) return refuse("Choose a link first.");
  if ((entry.change || entry.isNewLink) && !newest) return refuse("Request transactions first.");
  const answer = await arrange(entry, facts, link, newest);
  if (answer && !answer.ok) return refuse(problem(answer));
  if (!entry.event) await request(entry, running.link, firstDays(entry, records, newest));
  redraw();
  return done(running.asked, entry.isNewLink ? running.link : undefined);
}

/** Has it done at the sandbox; an answer that is no success says what kept it from that. */
function arrange(entry, facts, link, newest) {
  if (entry.event) return call("POST", `/sandbox/links/${link}/event`, { code: entry.event });
  if (entry.change) return entry.change(`/sandbox/links/${link}/transactions/${newest.id}`);
  if (entry.resource) return call("POST", `/sandbox/links/${link}/resources/${entry.resource}`, { count: FEW_ROWS, date: day() });
  return entry.isNewLink ? connectAgain(link) : prepare(entry, facts, link);
}

async function connectAgain(link) {
  const made = await call("POST", `/sandbox/links/${link}/reconnect`);
  if (made.ok) running.link = made.body.id;
  return made;
}

async function prepare(entry, facts, link) {
  const count = entry.rows ? (facts.page_rows ?? UNKNOWN_PAGE_ROWS) + 20 : FEW_ROWS;
  const added = await call("POST", `/sandbox/links/${link}/transactions`, { count, date: day() });
  if (!added.ok) return added;
  const rules = await Promise.all(entry.rules.map((rule) => call("POST", "/sandbox/rules", { ...rule, link })));
  running.from = Date.now() - EARLIER_MS;
  return rules.find((rule) => !rule.ok);
}

async function request(entry, link, days) {
  for (const from of days.slice(0, entry.requests ?? 1)) {
    running.asked = await (entry.resource ? askResource(link, from, day(), entry.resource) : ask(link, from, day()));
    const id = running.asked.body?.request_id;
    if (id) running.requests.add(id.replaceAll("-", ""));
  }
}

function firstDays(entry, records, newest) {
  if (entry.isNewLink) return [day(NEW_LINK_DAYS)];
  return freeDays(records, entry.change ? newest.value_date : day());
}

/** First days, `latest` at the latest, of windows that no open request has: an identical one would be answered with that. */
function freeDays(records, latest) {
  const open = records.filter((record) => !record.collected_at && !record.incomplete_at && !record.failed_at && !record.expired_at);
  const free = SHORT_DAYS.map(day).filter((from) => from <= latest && !open.some((record) => record.date_from === from && record.date_to === day()));
  return free.length ? free : [latest < day(5) ? latest : day(5)];
}

function refuse(text) {
  running.note = text;
  redraw();
}

function redraw() {
  const { entry, story, asked, note } = running;
  const events = [...story.values()].sort((one, other) => one.ms - other.ms);
  const isAsExpected = entry.seen(events, asked);
  const needsSweep = entry.sweep && asked && !events.some((event) => event.name === "rows_collected");
  const badge = $("answered-verdict");
  badge.dataset.state = note ? "fail" : isAsExpected ? "done" : "active";
  say(badge, note || (isAsExpected ? "answered as it should be" : needsSweep ? "open: sweep in 15 s" : "waiting for the answer"));
  const told = [...story].map(([key, event]) => ({ key, ms: event.ms, text: tell(event) })).filter(({ text }) => text);
  told.sort((one, other) => one.ms - other.ms);
  const lines = told.map(({ key, ms, text }) => ({ key, when: `+${duration(ms - told[0].ms)}`, text }));
  if (asked) lines.push({ key: "caller", when: "caller", text: asked.ok ? `202, request ${asked.body.request_id.slice(0, 8)}` : problem(asked) });
  drawStory(lines.slice(-LINES));
}

/** Brings the story up to date. A line that stands there already stays, so that only what is new is announced. */
function drawStory(lines) {
  const list = $("answered-story");
  const standing = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const items = lines.map(({ key, when, text }) => {
    const item = standing.get(key) ?? h("li", { data: { key } }, h("time"), h("span"));
    say(item.firstChild, when);
    say(item.lastChild, text);
    return item;
  });
  for (const item of standing.values()) if (!items.includes(item)) item.remove();
  items.forEach((item, at) => { if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null); });
}

/** Puts the schedule's message into the queue. */
export async function sweep() {
  const answer = await call("POST", "/sweep");
  say($("sweep-note"), answer.ok ? "Swept. What was due is being looked after." : problem(answer));
}

/** Removes every rule of the sandbox. */
export async function clearRules() {
  const answer = await call("DELETE", "/sandbox/rules");
  say($("trouble-note"), answer.ok ? "All rules are removed: the sandbox behaves." : problem(answer));
}
