// The links, the chosen one among them, and what retrievals it has left.

import { call, isMissingRoute, path, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { duration, moment, short, words } from "/format.js";

const REMEMBERED = "links";

/** Links that this console has met although the stack does not list them: by id. */
export function remember(link) {
  const known = remembered().filter((other) => other.link !== link.link);
  localStorage.setItem(REMEMBERED, JSON.stringify([link, ...known].slice(0, 20)));
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED)) ?? [];
  } catch {
    return [];
  }
}

/** The links of the stack, and the cursor of the next ones. `listed` is false where the stack has no such route. */
export async function load(facts, cursor) {
  const answer = await call("GET", path("/api/links", { limit: 50, cursor }));
  const listed = answer.ok ? answer.body.links : [];
  const further = cursor ? [] : extra(facts, listed, answer);
  const missing = "This stack keeps no list of links yet: shown are those that this browser knows.";
  say($("links-note"), isMissingRoute(answer) ? missing : answer.ok ? "" : problem(answer));
  $("links-note").hidden = answer.ok;
  return { links: [...listed, ...further], next: answer.ok ? answer.body.next_cursor : null };
}

function extra(facts, listed, answer) {
  const own = facts.link ? [{ link: facts.link, note: "the one that events/*.json are about" }] : [];
  const known = isMissingRoute(answer) ? [...remembered(), ...own] : own;
  return known.filter((link) => !listed.some((other) => other.link === link.link));
}

/** Draws the list; `act` has what its buttons do. */
export function draw(links, chosen, act) {
  const items = links.map((link) => item(link, link.link === chosen, act));
  fill($("link-list"), items.length ? items : h("li", { class: "empty" }, "No link yet. Connect a bank to begin."));
}

function item(link, isChosen, act) {
  const [state, status] = standing(link);
  const on = { click: () => act.choose(link.link) };
  const choose = h("button", { id: `link-${link.link}`, type: "button", "aria-pressed": String(isChosen), on },
    h("strong", {}, link.institution ?? link.note ?? "a bank", " "),
    h("span", { class: "badge", data: { state } }, status), " ",
    link.access_mode && h("span", { class: "badge" }, link.access_mode),
    h("small", {}, link.external_id ? `${link.external_id} · ` : "", short(link.link)),
    link.last_event && h("small", {}, `${words(link.last_event.code)}, ${moment(link.last_event.at)}`),
    link.blocked && h("small", { class: "remedy" }, `blocked: ${words(link.blocked.reason)}. ${link.blocked.remedy ?? ""}`),
    link.deletion && h("small", { class: "remedy" }, `deletion: ${words(link.deletion.status ?? "asked for")}`));
  const buttons = isChosen && !link.note && h("div", { class: "buttons" },
    h("button", { id: "renew", class: "plain", type: "button", on: { click: () => act.renew(link) } }, "Renew"),
    h("button", { id: "delete", class: "plain", type: "button", on: { click: () => act.remove(link) } }, "Delete"));
  return h("li", { class: "link", data: { link: link.link, ...(isChosen ? { chosen: "" } : {}) } }, choose, buttons);
}

function standing(link) {
  if (link.deletion) return ["fail", "deleting"];
  if (link.blocked) return ["warn", words(link.status) || "blocked"];
  if (!link.status) return ["", "not registered"];
  return [link.status === "valid" ? "done" : "warn", words(link.status)];
}

/** Loads and draws what retrievals a link has left. */
export async function showQuota(link) {
  const answer = await call("GET", `/api/links/${link}/quota`);
  if (!answer.ok) return fill($("quota"), h("p", { class: "empty" }, problem(answer)));
  return fill($("quota"), answer.body.retrievals.map(bar));
}

const CLASSES = { long: "Long, six days back or more", short: "Short, up to five days back" };

function bar(quota) {
  const reset = quota.resets_at ? `, all again in ${duration(Date.parse(quota.resets_at) - Date.now())}` : "";
  const id = `quota-${quota.class}`;
  return h("div", {}, h("label", { for: id }, h("b", {}, `${quota.left} of ${quota.limit}`), ` · ${CLASSES[quota.class] ?? quota.class}`),
    h("progress", { id, max: quota.limit, value: quota.left, title: `used ${quota.used}${reset}` }));
}
