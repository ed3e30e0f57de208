// Connecting a bank, renewing a link, deleting one. The widget leads back to /connected or /cancelled.

import { call, isMissingRoute, problem } from "/api.js";
import { $, say } from "/dom.js";
import { remember } from "/links.js";

export const PENDING = "connecting";

const callbacks = () => ({ success: `${location.origin}/connected`, exit: `${location.origin}/cancelled`, event: `${location.origin}/cancelled` });

/** Opens the form. */
export function open() {
  $("external-id").value = `user-${crypto.randomUUID().slice(0, 8)}`;
  say($("connect-answer"), "");
  $("connect-dialog").showModal();
}

/** Asks for a widget and goes there; where the stack has no widget yet, the sandbox makes a link at once. */
export async function go(facts, connected) {
  const external_id = $("external-id").value.trim();
  const access_mode = $("access-mode").value;
  const answer = await call("POST", "/api/connect/token", {
    external_id, access_mode, locale: "pt", callback_urls: callbacks(),
    identification: { type: "CPF", number: $("holder-number").value.replace(/\D/g, ""), name: $("holder-name").value.trim() },
  });
  if (answer.ok) return leave(answer.body.widget_url, { external_id: answer.body.external_id ?? external_id });
  if (!isMissingRoute(answer) || !facts.sandbox) return say($("connect-answer"), problem(answer));
  const made = await call("POST", "/sandbox/links", { external_id, access_mode, transactions: 250 });
  if (!made.ok) return say($("connect-answer"), problem(made));
  remember({ link: made.body.id, institution: made.body.institution, access_mode, external_id });
  $("connect-dialog").close();
  return connected(made.body.id);
}

/** Opens the widget in update mode. */
export async function renew(link) {
  const answer = await call("POST", "/api/connect/token", { link: link.link, callback_urls: callbacks() });
  return answer.ok ? leave(answer.body.widget_url, { link: link.link }) : problem(answer);
}

function leave(url, pending) {
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  location.assign(url);
}

/** Opens the question how a link shall be deleted. */
export function askDelete(link) {
  say($("delete-which"), `${link.institution ?? "Link"} · ${link.external_id ?? ""} · ${link.link}`);
  say($("delete-answer"), "");
  $("delete-dialog").dataset.link = link.link;
  $("delete-dialog").showModal();
}

/** Deletes the link that was asked about. */
export async function remove(removed) {
  const rows = new FormData($("delete-form")).get("rows");
  const answer = await call("DELETE", `/api/links/${$("delete-dialog").dataset.link}?rows=${rows}`);
  if (!answer.ok) return say($("delete-answer"), isMissingRoute(answer) ? "This stack cannot delete links yet." : problem(answer));
  $("delete-dialog").close();
  return removed();
}
