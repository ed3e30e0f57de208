// The links, the chosen one among them, and what retrievals it has left.

import { call, path, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { duration, moment, short, words } from "/format.js";

const OWN_NOTE = "the one that events/*.json are about";

/** The links of the stack, and the cursor of the next ones; with the first of them the link that `make up` has made. */
export async function load(facts, cursor) {
  const answer = await call("GET", path("/api/links", { limit: 50, cursor }));
  $("links-note").hidden = answer.ok;
  say($("links-note"), answer.ok ? "" : problem(answer));
  const listed = answer.ok ? answer.body.links : [];
  const isOwnMissing = facts.link && !cursor && !listed.some((link) => link.link === facts.link);
  const own = isOwnMissing ? [{ link: facts.link, note: OWN_NOTE }] : [];
  return { links: [...listed, ...own], next: answer.ok ? answer.body.next_cursor : null };
}

/** What the stack knows of one link: nothing but its id if it is not registered and nothing was heard of it. */
export async function one(link) {
  const answer = await call("GET", `/api/links/${link}`);
  return answer.ok ? answer.body : { link };
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
    link.blocked && h("small", { class: "remedy" }, `blocked: ${words(link.blocked.reason)}. ${link.blocked.remedy}`));
  // An update needs the external id, which only a registered link has; one that is deleted stays so.
  const buttons = isChosen && !link.deletion?.deleted_at && h("div", { class: "buttons" },
    link.external_id && h("button", { id: "renew", class: "plain", type: "button", on: { click: () => act.renew(link) } }, "Renew"),
    h("button", { id: "delete", class: "plain", type: "button", on: { click: () => act.remove(link) } }, "Delete"));
  return h("li", { class: "link", data: { link: link.link, ...(isChosen ? { chosen: "" } : {}) } }, choose, buttons);
}

/** In what state a link is, and that state in words. */
export function standing(link) {
  if (link.deletion) return ["fail", ended(link.deletion)];
  if (link.blocked) return ["warn", words(link.blocked.reason)];
  if (!link.registered_at) return ["", "not registered"];
  return [link.status === "valid" ? "done" : "warn", words(link.status)];
}

function ended(deletion) {
  if (deletion.erased_at) return "erased";
  return deletion.deleted_at ? "deleted, rows kept" : "deletion asked for";
}

let quotaTurn = 0;

/** Loads and draws what retrievals a link has left. */
export async function showQuota(link) {
  const turn = ++quotaTurn;
  const answer = await call("GET", `/api/links/${link}/quota`);
  // Meanwhile another link was chosen, or this one asked about again.
  if (turn !== quotaTurn) return;
  fill($("quota"), answer.ok ? answer.body.retrievals.map(bar) : h("p", { class: "empty" }, problem(answer)));
}

const CLASSES = { long: "Long, six days back or more", short: "Short, up to five days back" };

function bar(quota) {
  const reset = quota.resets_at ? `, all again in ${duration(Date.parse(quota.resets_at) - Date.now())}` : "";
  const id = `quota-${quota.class}`;
  return h("div", {}, h("label", { for: id }, h("b", {}, `${quota.left} of ${quota.limit}`), ` · ${CLASSES[quota.class] ?? quota.class}`),
    h("progress", { id, max: quota.limit, value: quota.left, title: `used ${quota.used}${reset}` }));
}
