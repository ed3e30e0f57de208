// A link's accounts and transactions.

import { call, path, problem } from "/api.js";
import { $, fill, h, say } from "/dom.js";
import { many, money, short, words } from "/format.js";

const PAGE = 25;
const NOTHING = { link: null, rows: [], same: {}, next: null };
let shown = NOTHING;
// Counts what is shown from the top: an answer to an earlier question is not painted over a later one's.
let turn = 0;

/** Loads and draws both from the top. */
export async function show(link) {
  const own = ++turn;
  const [accounts, page] = await Promise.all([call("GET", `/api/links/${link}/accounts`), fetchPage(link)]);
  if (own !== turn) return;
  shown = page.ok ? joined({ ...NOTHING, link }, page.body) : { ...NOTHING, link };
  drawAccounts(accounts);
  drawRows(page);
}

/** Empties both. */
export function clear() {
  turn += 1;
  shown = NOTHING;
  drawAccounts({ ok: true, body: { accounts: [] } });
  drawRows({ ok: true });
}

/** Loads and draws the next page below what is there. */
export async function more() {
  const { link, next } = shown;
  const own = turn;
  const page = await fetchPage(link, next);
  if (own !== turn || shown.next !== next) return;
  if (page.ok) shown = joined(shown, page.body);
  drawRows(page);
}

/** The newest transaction that has a date, as far as they are shown. */
export const newest = () => shown.rows.find((row) => row.value_date);

/** What is shown, and a page below it. */
const joined = ({ link, rows, same }, page) =>
  ({ link, rows: [...rows, ...page.transactions], same: { ...same, ...page.same_as }, next: page.next_cursor });

const fetchPage = (link, cursor) => call("GET", path(`/api/links/${link}/transactions`, { limit: PAGE, cursor }));

function drawAccounts(answer) {
  const accounts = answer.ok ? answer.body.accounts : [];
  fill($("accounts"), accounts.length ? accounts.map(account)
    : h("li", { class: "empty" }, answer.ok ? "None stored yet." : problem(answer)));
}

function account(one) {
  const { current, available } = one.balance ?? {};
  return h("li", {}, h("b", {}, nameOf(one)), one.name && h("span", { class: "dim" }, ` ${kindOf(one)}`),
    h("span", { class: "number" }, money(current, one.currency)),
    Number.isFinite(available) && available !== current
      && h("small", { class: "dim" }, `available ${money(available, one.currency)}`));
}

const kindOf = (account) => words(account.category).toLowerCase();
const nameOf = (account) => account.name || kindOf(account);

function drawRows(page) {
  const { rows, same, next } = shown;
  const duplicates = Object.keys(same).length;
  const empty = page.ok ? "None stored yet." : problem(page);
  fill($("transactions").tBodies[0], rows.length ? rows.map((one) => row(one, same[one.id])) : h("tr", {}, h("td", { colspan: 5, class: "empty" }, empty)));
  const marked = duplicates ? `, ${many(duplicates, "duplicate")} among them` : "";
  say($("transactions-count"), rows.length ? `${many(rows.length, "row")} shown${marked}${next ? ", there are more" : ", all"}` : "");
  $("more-transactions").hidden = !next;
}

function row(one, original) {
  return h("tr", { data: { transaction: one.id } },
    h("td", {}, one.value_date ?? one.accounting_date ?? ""),
    h("td", { class: "wide" }, one.description || "no description",
      one.merchant?.name && h("span", { class: "dim" }, ` · ${one.merchant.name}`), original && duplicate(original)),
    h("td", { class: "dim name" }, one.account ? nameOf(one.account) : ""),
    h("td", {}, h("span", { class: "badge", data: { state: one.status === "PENDING" ? "warn" : "" } }, words(one.status).toLowerCase())),
    h("td", { class: "number" }, money(one.amount, one.currency, one.type)));
}

/** The mark of a row that an older link of the same account has, too. */
function duplicate({ link, id }) {
  return h("small", {}, h("span", { class: "badge", data: { state: "warn" } }, "duplicate"), ` of ${short(id)}, `,
    h("a", { href: `/?link=${link}` }, `link ${short(link)}`));
}
