// Connecting a bank, renewing a link, deleting one. The widget leads back to /connected or /cancelled.

import { call, problem } from "/api.js";
import { $, say } from "/dom.js";

export const PENDING = "connecting";

const callbacks = () => ({ success: `${location.origin}/connected`, exit: `${location.origin}/cancelled`, event: `${location.origin}/cancelled` });

/** Opens the form. */
export function open() {
  $("external-id").value = `user-${crypto.randomUUID().slice(0, 8)}`;
  say($("connect-answer"), "");
  $("connect-dialog").showModal();
}

/** Asks for a widget and goes there. */
export async function go() {
  const external_id = $("external-id").value.trim();
  const access_mode = $("access-mode").value;
  const answer = await call("POST", "/api/connect/token", {
    external_id, access_mode, locale: "pt", callback_urls: callbacks(),
    identification: { type: "CPF", number: $("holder-number").value.replace(/\D/g, ""), name: $("holder-name").value.trim() },
  });
  return answer.ok ? leave(answer.body.widget_url, { external_id: answer.body.external_id }) : say($("connect-answer"), problem(answer));
}

/** Opens the widget in update mode. Registering the link again afterwards is what tells the stack that it can be used. */
export async function renew({ link, external_id }) {
  const answer = await call("POST", "/api/connect/token", { link, callback_urls: callbacks() });
  return answer.ok ? leave(answer.body.widget_url, { link, external_id }) : problem(answer);
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
  if (!answer.ok) return say($("delete-answer"), problem(answer));
  $("delete-dialog").close();
  return removed();
}
