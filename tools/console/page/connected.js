// The widget was completed: the link is registered under the external id that this browser remembered.

import { call, isMissingRoute, problem } from "/api.js";
import { PENDING } from "/connect.js";
import { $, say } from "/dom.js";
import { remember } from "/links.js";

const given = new URLSearchParams(location.search);
const link = given.get("link");
const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");

function stop(title, text) {
  say($("title"), title);
  say($("outcome"), text);
  $("back").focus();
}

async function register() {
  // Without a connection of its own making the page does nothing: anybody can lead a browser here.
  if (!pending || !link) return stop("Nothing to register", "No connection was begun in this tab.");
  const answer = pending.link ? { ok: true } : await call("POST", "/api/links", { link, external_id: pending.external_id });
  if (!answer.ok && !isMissingRoute(answer)) return stop("The link was not registered", problem(answer));
  if (!answer.ok) remember({ link, institution: given.get("institution"), external_id: pending.external_id });
  sessionStorage.removeItem(PENDING);
  return location.replace(`/?link=${encodeURIComponent(link)}`);
}

register();
