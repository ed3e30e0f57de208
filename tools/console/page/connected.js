// The widget was completed: the link is registered, or registered again, under the external id that this tab remembered.

import { call, problem } from "/api.js";
import { PENDING } from "/connect.js";
import { $, say } from "/dom.js";

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
  if (pending.link && pending.link !== link) return stop("The link was not renewed", "The widget came back with another link.");
  const answer = await call("POST", "/api/links", { link, external_id: pending.external_id });
  if (!answer.ok) return stop("The link was not registered", problem(answer));
  sessionStorage.removeItem(PENDING);
  return location.replace(`/?link=${encodeURIComponent(link)}`);
}

register();
