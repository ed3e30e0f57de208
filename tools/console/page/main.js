// Wires the page: what is chosen, what is loaded when, and which button does what.

import { call } from "/api.js";
import * as changes from "/changes.js";
import * as connect from "/connect.js";
import { $, say } from "/dom.js";
import * as feed from "/feed.js";
import { day } from "/format.js";
import * as links from "/links.js";
import * as requests from "/requests.js";
import * as resources from "/resources.js";
import * as rows from "/rows.js";
import { tell } from "/tell.js";
import * as trouble from "/trouble.js";

const DEFAULT_DAYS = 29;
const SETTLE_MS = 150;
// After these lines of the log a link's record has changed.
const CHANGES_LINK = new Set(["webhook_archived", "rows_collected", "retrieval_failed", "link_registered", "link_deleted"]);
const CHANGES_ROWS = new Set(["rows_collected", "link_deleted"]);

const state = { facts: {}, links: [], next: null, link: null, records: [], request: null };
const chosenRecord = () => state.records.find((record) => record.id === state.request);

async function start() {
  const facts = await call("GET", "/facts");
  state.facts = facts.body ?? {};
  $("date-from").value = day(DEFAULT_DAYS);
  $("date-to").value = day();
  $("date-from").max = $("date-to").max = day();
  drawRequest();
  resources.draw(chooseResource);
  if (state.facts.sandbox) trouble.draw(state.facts, () => ({ link: state.link, records: state.records, newest: rows.newest() }), asked);
  else forgetTrouble();
  wire();
  feed.listen(hear);
  feed.open(showFeed);
  state.link = new URLSearchParams(location.search).get("link");
  await loadLinks();
  const first = state.link ?? state.links[0]?.link;
  if (first) await choose(first);
}

function forgetTrouble() {
  for (const id of ["misbehaviours", "clear-rules", "answered"]) $(id).hidden = true;
  say($("trouble-title"), "Sweep");
  say($("trouble-note"), "This stack works against a real Belvo: nothing misbehaves by a button.");
}

function wire() {
  const submit = (id, act) => $(id).addEventListener("submit", (event) => { event.preventDefault(); act(); });
  const click = (id, act) => $(id).addEventListener("click", act);
  click("connect-bank", connect.open);
  click("connect-cancel", () => $("connect-dialog").close());
  click("delete-cancel", () => $("delete-dialog").close());
  click("more-transactions", rows.more);
  click("more-resources", resources.more);
  click("more-links", moreLinks);
  click("sweep", trouble.sweep);
  click("clear-rules", trouble.clearRules);
  submit("connect-form", connect.go);
  submit("delete-form", () => connect.remove(loadLinks));
  submit("request-form", async () => asked(await requests.ask(state.link, $("date-from").value, $("date-to").value)));
  click("request-resource", async () => asked(await resources.ask(state.link, $("date-from").value, $("date-to").value)));
  submit("changes-form", changes.toggle);
  click("changes-forget", changes.restart);
}

async function loadLinks() {
  const { link } = state;
  const { links: list, next } = await links.load(state.facts);
  const shown = await withChosen(list, link);
  if (link !== state.link) return later("links", loadLinks);
  Object.assign(state, { links: shown, next });
  return drawLinks();
}

/** The chosen link is shown even if it is on a later page, or not registered. */
async function withChosen(list, chosen) {
  const listed = list.find((link) => link.link === chosen);
  if (!chosen || listed?.registered_at) return list;
  const known = { ...listed, ...await links.one(chosen) };
  return listed ? list.map((link) => (link === listed ? known : link)) : [known, ...list];
}

async function moreLinks() {
  const { links: list, next } = await links.load(state.facts, state.next);
  const known = state.links.filter((link) => !list.some((other) => other.link === link.link));
  Object.assign(state, { links: [...known, ...list], next });
  drawLinks();
}

function drawLinks() {
  links.draw(state.links, state.link, { choose, remove: connect.askDelete, renew: async (link) => sayLive(await connect.renew(link)) });
  $("more-links").hidden = !state.next;
}

async function choose(link) {
  Object.assign(state, { link, records: [], request: null });
  history.replaceState(null, "", `/?link=${link}`);
  $("request-transactions").disabled = $("request-resource").disabled = false;
  rows.clear();
  resources.clear();
  changes.choose(link);
  drawLinks();
  drawRequest();
  await Promise.all([loadRequests(), links.showQuota(link), showRows()]);
}

const showRows = () => Promise.all([rows.show(state.link), resources.show(state.link)]);

function chooseResource() {
  resources.clear();
  if (state.link) resources.show(state.link);
}

async function loadRequests() {
  const link = state.link;
  const records = await requests.load(link);
  if (link !== state.link) return;
  state.records = records;
  if (!chosenRecord()) state.request = records[0]?.id ?? null;
  drawRequest();
}

function chooseRequest(id) {
  state.request = id;
  drawRequest();
}

function drawRequest() {
  requests.draw(state.records, state.request, chooseRequest);
  requests.drawSteps(chosenRecord(), feed.events);
  requests.drawFacts(chosenRecord());
}

/** A retrieval was asked for: it is the one to watch. */
async function asked(answer, link = state.link) {
  if (!answer) return;
  if (link !== state.link) await Promise.all([choose(link), loadLinks()]);
  requests.drawAnswer(answer);
  if (answer.ok) state.request = answer.body.request_id;
  await Promise.all([loadRequests(), links.showQuota(state.link)]);
}

function hear(event) {
  trouble.hear(event);
  if (event.link !== state.link) return;
  sayLive(tell(event));
  // A request that Belvo began by itself is the newest, and the one to watch.
  if (event.request && event.kind !== "call" && !state.records.some((record) => record.id === event.request)) state.request = event.request;
  if (CHANGES_LINK.has(event.name)) later("links", loadLinks);
  if (CHANGES_ROWS.has(event.name)) later("rows", showRows);
  if (event.kind === "log") later("requests", loadRequests);
  later("steps", () => requests.drawSteps(chosenRecord(), feed.events));
}

const planned = new Map();

/** Does something once, a moment after the last of several events. */
function later(name, act) {
  if (planned.has(name)) return;
  planned.set(name, setTimeout(() => { planned.delete(name); act(); }, SETTLE_MS));
}

function sayLive(text) {
  if (text) say($("live"), text);
}

const FEED = { live: "live", lost: "the live feed is lost; trying again" };

function showFeed(now) {
  $("feed").dataset.state = now;
  say($("feed"), FEED[now]);
}

start();
