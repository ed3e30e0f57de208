// Calls of the console's own server, which signs them and passes them on.

/** Calls a route; `body` is the answer's JSON, or null. Never throws: a server that is gone is status 0. */
export async function call(method, path, body) {
  try {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => null) };
  } catch {
    return { ok: false, status: 0, body: { message: "the console does not answer; is the stack still up?" } };
  }
}

/** A path with its query; what is undefined or empty is left out. */
export function path(base, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${base}?${new URLSearchParams(given)}` : base;
}

/** What an answer that is no success says, in one line. */
export function problem(answer) {
  const { type, detail, message, error, belvo_code: code } = answer.body ?? {};
  const kind = typeof type === "string" ? type.split(/[/#:]/).pop() : "";
  return [`${answer.status || "no answer"}`, kind, code, detail ?? message ?? error].filter(Boolean).join(" · ");
}
