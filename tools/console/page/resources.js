// A link's rows of the other resources, one resource at a time.

import { call, path, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { many } from "/format.js";
import { KINDS, summary, titleOf } from "/kinds.js";

const PAGE = 25;
const NOTHING = { link: null, resource: null, rows: [], next: null };
let shown = NOTHING;
// Counts what is shown from the top: an answer to an earlier question is not painted over a later one's.
let turn = 0;

const chosen = () => $("resource").value;

/** Fills the choice of resources; `changed` is called when another one is chosen. */
export function draw(changed) {
  const names = Object.keys(KINDS).filter((name) => name !== "transactions");
  fill($("resource"), names.map((name) => h("option", { value: name }, titleOf(name))));
  $("resource").addEventListener("change", changed);
  clear();
}

/** Loads and draws the chosen resource from the top. */
export async function show(link) {
  const own = ++turn;
  const resource = chosen();
  const page = await fetchPage(link, resource);
  if (own !== turn) return;
  shown = { link, resource, rows: page.ok ? page.body.rows : [], next: page.ok ? page.body.next_cursor : null };
  drawRows(page);
}

/** Empties it. */
export function clear() {
  turn += 1;
  shown = NOTHING;
  say($("request-resource"), `Request ${titleOf(chosen()).toLowerCase()}`);
  drawRows({ ok: true });
}

/** Loads and draws the next page below what is there. */
export async function more() {
  const { link, resource, next } = shown;
  const own = turn;
  const page = await fetchPage(link, resource, next);
  if (own !== turn || shown.next !== next) return;
  if (page.ok) shown = { ...shown, rows: [...shown.rows, ...page.body.rows], next: page.body.next_cursor };
  drawRows(page);
}

/** Asks for a link's rows of a resource, the chosen one, and returns the last answer, or the first that refuses. */
export async function ask(link, from, to, resource = chosen()) {
  const { hasDays, types = [undefined] } = KINDS[resource];
  const days = hasDays ? { date_from: from, date_to: to } : {};
  const answers = await Promise.all(types.map((type) => call("POST", "/api/requests", { link, resource, ...days, type })));
  return answers.find((answer) => !answer.ok) ?? answers.at(-1);
}

const fetchPage = (link, resource, cursor) => call("GET", path(`/api/links/${link}/resources/${resource}`, { limit: PAGE, cursor }));

function drawRows(page) {
  const { resource, rows, next } = shown;
  const body = $("resources").tBodies[0];
  const open = new Set([...body.querySelectorAll("details[open]")].map((details) => details.id));
  const empty = page.ok ? "None stored yet." : problem(page);
  fill(body, rows.length ? rows.map((one) => row(resource, one, open)) : h("tr", {}, h("td", { colspan: 3, class: "empty" }, empty)));
  say($("resources-count"), rows.length ? `${many(rows.length, "row")} shown${next ? ", there are more" : ", all"}` : "");
  $("more-resources").hidden = !next;
}

/** A row, whose fields fold out: each resource has others, and most of them are nested. */
function row(resource, one, open) {
  const { day, text, note, amount } = summary(resource, one);
  const id = `fields-${one.id}`;
  return h("tr", { data: { row: one.id } },
    h("td", {}, day),
    h("td", { class: "wide" }, h("details", { id, open: open.has(id) },
      h("summary", { id: `${id}-summary` }, text, note && h("span", { class: "dim" }, ` · ${note}`)),
      h("pre", {}, JSON.stringify(one, null, 2)))),
    h("td", { class: "number" }, amount));
}
