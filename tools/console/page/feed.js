// The live feed: everything the functions logged and the sandbox noted, in order.

const KEPT = 5_000;
const listeners = new Set();

/** What has happened so far. A call of Belvo's API that was answered later stands where it began. */
export const events = [];

/** Calls `listener` with each event that comes. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Opens the stream and keeps it open; `state` is told whether it is. */
export function open(state) {
  const stream = new EventSource("/events");
  stream.addEventListener("open", () => state("live"));
  stream.addEventListener("error", () => state("lost"));
  stream.addEventListener("message", (message) => take(JSON.parse(message.data)));
}

function take(event) {
  event.ms = Date.parse(event.at);
  const known = event.kind === "call" ? events.findIndex((earlier) => earlier.key === event.key) : -1;
  if (known >= 0) events[known] = { ...event, came: events[known].came };
  else events.push({ ...event, came: Date.now() });
  if (events.length > KEPT) events.shift();
  for (const listener of listeners) listener(event);
}
