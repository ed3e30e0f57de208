// What a consumer is told that follows the chosen link: its changes since a cursor, asked for again and again.

import { call, path, problem } from "/api.js";
import { $, h, say } from "/dom.js";
import { count, many, money, short, time, words } from "/format.js";
import { summary, titleOf } from "/kinds.js";
import { standing } from "/links.js";

const LIMIT = 100;
const PAUSE_MS = 2_000;
// Answers that stay listed, and rows of each that do.
const ANSWERS = 30;
const ROWS = 20;
// So few rows are shown at once; more are folded away.
const FEW = 5;

/** What the consumer has: its cursor, the names of its rows, and the number of its accounts. */
const nothing = () => ({ cursor: "", rows: new Set(), accounts: 0, isWhole: true });
let copy = nothing();
let link = null;
let isFollowing = false;
// Counts beginnings and ends: what was asked before one is not taken after it.
let turn = 0;

/** Another link is chosen: the consumer of the one before stops, and what it had is forgotten. */
export function choose(chosen) {
  stop("");
  forget();
  link = chosen;
  $("changes-follow").disabled = $("changes-forget").disabled = false;
}

/** Follows from the cursor in the form, or stops. */
export function toggle() {
  if (isFollowing) return stop(`Stopped. ${had()}`);
  const cursor = $("changes-cursor").value.trim();
  if (cursor !== copy.cursor) copy = { ...nothing(), cursor, isWhole: !cursor };
  isFollowing = true;
  turn += 1;
  drawForm();
  report("active", "Asking …");
  return pull(turn);
}

/** Stops and forgets everything, the cursor too. */
export function restart() {
  stop("Forgotten. The next cursor is the beginning.");
  forget();
}

function stop(text, state = "") {
  isFollowing = false;
  turn += 1;
  drawForm();
  report(state, text);
}

function forget() {
  copy = nothing();
  $("changes-cursor").value = "";
  $("changes").replaceChildren();
}

async function pull(own) {
  const answer = await call("GET", path(`/api/links/${link}/changes`, { cursor: copy.cursor, limit: LIMIT }));
  if (own !== turn) return;
  const hasMore = take(answer);
  // Refused for what was asked: the same again would be refused again.
  if (hasMore === null) return stop(problem(answer), "fail");
  setTimeout(() => { if (own === turn) pull(own); }, hasMore ? 0 : PAUSE_MS);
}

/** Takes an answer in, and returns whether there is more to read now; null for one that ends the following. */
function take(answer) {
  if (answer.ok) return takePage(answer.body);
  if (answer.body?.reset) return beginAgain(answer);
  if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return null;
  report("fail", `${problem(answer)}. Trying again.`);
  return false;
}

function beginAgain(answer) {
  copy = nothing();
  drawForm();
  list([badge("fail", problem(answer)), badge("", "begins again without a cursor")], null);
  report("active", "The cursor was too old: everything is forgotten and read again.");
  return true;
}

function takePage(page) {
  if (page.erased) copy = nothing();
  for (const { resource, row } of [...page.added, ...page.modified]) copy.rows.add(`${resource} ${row.id}`);
  for (const { resource, id } of page.removed) copy.rows.delete(`${resource} ${id}`);
  if (page.accounts) copy.accounts = page.accounts.length;
  copy.cursor = page.next_cursor;
  drawForm();

  const told = tell(page);
  if (told.length) list(page.has_more ? [...told, badge("", "more to read")] : told, details(page));
  report(page.has_more ? "active" : "done", page.has_more ? `Reading. ${had()}` : `Up to date. ${had()}`);
  return page.has_more;
}

function had() {
  const whole = `${many(copy.rows.size, "row")} and ${many(copy.accounts, "account")}`;
  return copy.isWhole ? `The consumer's copy has ${whole}.` : `Since its cursor the consumer was told of ${whole}.`;
}

function tell(page) {
  const [state, text] = page.link ? standing(page.link) : [];
  return [
    page.erased && badge("fail", "erased"),
    page.added.length && badge("done", `${count(page.added.length)} added`),
    page.modified.length && badge("active", `${count(page.modified.length)} modified`),
    page.removed.length && badge("warn", `${count(page.removed.length)} removed`),
    page.accounts && badge("", many(page.accounts.length, "account")),
    page.link && badge(state, `link: ${text}`),
  ].filter(Boolean);
}

const badge = (state, text) => h("span", { class: "badge", data: { state } }, text);

/** Lists an answer above the earlier ones, which stay as they are: what is folded out, and where the focus is. */
function list(told, more) {
  const all = $("changes");
  all.prepend(h("li", {}, h("time", {}, time(Date.now())), h("p", { class: "inline" }, told), more));
  while (all.children.length > ANSWERS) all.lastChild.remove();
}

function details(page) {
  const rows = [
    ...page.added.map((one) => ["done", "added", one]), ...page.modified.map((one) => ["active", "modified", one]),
    ...page.removed.map((one) => ["warn", "removed", one]),
  ];
  const left = rows.length - ROWS;
  return h("details", { open: rows.length > 0 && rows.length <= FEW },
    h("summary", {}, "What it says"),
    rows.length > 0 && h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, rows.slice(0, ROWS).map(changed)))),
    left > 0 && h("p", { class: "note" }, `and ${many(left, "more row")}`),
    page.accounts?.map((one) => h("p", { class: "note" }, `account ${short(one.id)} · ${one.name || words(one.category).toLowerCase()} · `,
      money(one.balance?.current, one.currency))),
    page.link && h("pre", {}, JSON.stringify(page.link, null, 2)));
}

function changed([state, kind, { resource, row, id }]) {
  const { day, text, amount } = row ? summary(resource, row) : {};
  const name = id ?? row.id;
  return h("tr", { data: { kind, row: name } },
    h("td", {}, badge(state, kind)),
    h("td", { class: "dim" }, titleOf(resource).toLowerCase()),
    h("td", { class: "wide" }, [text, day, short(name)].filter(Boolean).join(" · ")),
    h("td", { class: "number" }, amount));
}

function drawForm() {
  const cursor = $("changes-cursor");
  cursor.readOnly = isFollowing;
  cursor.value = copy.cursor;
  say($("changes-follow"), isFollowing ? "Stop" : "Follow");
}

function report(state, text) {
  $("changes-state").dataset.state = state;
  say($("changes-state"), text);
}
