// What the sandbox can do wrong, each with the rule that makes it so, what should follow, and how that is recognised.
// `change` does something to a row at the sandbox, by its path there; `isNewLink` goes on with another link of the same user;
// `resource` is another one than transactions.
// `rows` is how many rows it has first, so that there is something to bring: "a page" is more than one page of them.

import { call } from "/api.js";
import { time } from "/format.js";

const once = (on, action) => [{ on, times: 1, action }];
const webhook = (action) => once("webhook", action);
const page = (action) => once("get", action);
const post = (action) => once("post", action);

const logged = (name) => (story) => story.some((event) => event.kind === "log" && event.name === name);
const collected = logged("rows_collected");
const cameBack = (story) => (logged("message_retried")(story) || logged("collection_continued")(story)) && collected(story);
const attempts = (story) => story.filter((event) => event.kind === "attempt");
const answeredOnce = (status) => (story) => attempts(story).some((attempt) => attempt.status === status);
const counted = (name) => (story) => story.some((event) => event.name === "rows_collected" && event.fields[name] > 0);
const answer = (status) => (story, asked) => asked?.status === status;
const event = (code) => ({
  event: code,
  seen: (story) => story.some((e) => e.kind === "log" && e.fields["webhook.code"] === code && e.name !== "webhook_queued"),
});

export const GROUPS = [
  ["Webhooks", [
    {
      id: "late", title: "Late",
      does: "The webhook comes five seconds late.",
      expects: "The request waits and is then collected as always.",
      rules: webhook({ delay_ms: 5000 }),
      seen: collected,
    },
    {
      id: "twice", title: "Twice",
      does: "The same webhook is delivered twice at once.",
      expects: "Both are acknowledged; the queue keeps one; rows are collected once.",
      rules: webhook({ duplicate: 1 }),
      seen: (story) => attempts(story).filter((a) => a.status === 202).length > 1 && collected(story),
    },
    {
      id: "dropped", title: "Dropped",
      does: "The webhook is never sent.",
      expects: "The request stays open. When it is due, the next sweep fetches its rows.",
      rules: webhook({ drop: true }),
      seen: collected, sweep: true,
    },
    {
      id: "early", title: "Before the 202",
      does: "The webhook comes before Belvo has answered the POST.",
      expects: "The webhook makes the record, the 202 completes it.",
      rules: webhook({ early: true }),
      seen: (story, asked) => collected(story) && asked?.status === 202,
    },
    {
      id: "unauthorized", title: "Wrong authorization",
      does: "The webhook has another Authorization value.",
      expects: "It is refused with 401, and nothing is queued. A sweep brings the rows.",
      rules: webhook({ wrong_authorization: true }),
      seen: answeredOnce(401), sweep: true,
    },
    {
      id: "malformed", title: "Malformed",
      does: "The webhook's JSON has no end.",
      expects: "It is refused with 400 that names the request. A sweep brings the rows.",
      rules: webhook({ malformed: true }),
      seen: answeredOnce(400), sweep: true,
    },
    {
      id: "order", title: "Out of order",
      does: "The first of two webhooks comes after the second.",
      expects: "Each is collected by its own window; no order is assumed.",
      rules: webhook({ hold_until_next: true }), requests: 2,
      seen: (story) => new Set(story.filter((e) => e.name === "rows_collected").map((e) => e.request)).size > 1,
    },
  ]],
  ["Pages", [
    {
      id: "torn", title: "Torn page",
      does: "A page breaks off in the middle of its JSON.",
      expects: "The message is retried after some seconds; the page is read again.",
      rules: page({ torn_page: 1 }),
      seen: cameBack,
    },
    {
      id: "lost-rows", title: "Lost rows",
      does: "A page lacks three rows that Belvo counts.",
      expects: "Fewer rows than Belvo counts: read again at once, then complete.",
      rules: page({ lose_rows: 3 }),
      seen: (story) => story.some((e) => e.name === "rows_collected" && e.fields.verdict === "complete"),
    },
    {
      id: "drift", title: "Drift",
      does: "Rows appear while the listing is read.",
      expects: "The parts do not add up to the whole: read again; over by the three that the webhook did not know of.",
      rows: "a page", rules: page({ drift: { insert: 3 } }),
      seen: collected,
    },
    {
      id: "unready", title: "Data never ready",
      does: "Belvo calls, and its pages are empty.",
      expects: "Nothing is deleted; the verdict says how many rows are short.",
      rules: [{ on: "get", times: 3, action: { empty: true } }],
      seen: (story) => story.some((e) => e.name === "rows_collected" && String(e.fields.verdict).startsWith("short")),
    },
    {
      id: "too-many", title: "429",
      does: "A page is answered 429 with Retry-After: 4.",
      expects: "The message is retried after those four seconds or a little more.",
      rules: page({ status: 429, retry_after: 4 }),
      seen: cameBack,
    },
    {
      id: "firewall", title: "HTML 403",
      does: "A page is answered by the firewall, in HTML.",
      expects: "No error of the link: it is tried again after half a minute or a little more.",
      rules: page({ html_403: true }),
      seen: cameBack,
    },
    {
      id: "server-error", title: "500",
      does: "A page is answered 500.",
      expects: "It is tried again after some seconds.",
      rules: page({ status: 500 }),
      seen: cameBack,
    },
    {
      id: "timeout", title: "408",
      does: "A page is answered 408.",
      expects: "It is tried again after a minute or a little more.",
      rules: page({ status: 408 }),
      seen: cameBack,
    },
  ]],
  ["Rows", [
    {
      id: "amended", title: "Amended",
      does: "The newest row that is shown gets another description.",
      expects: "It is stored as a new version; a consumer is told of it as modified.",
      change: (path) => call("PATCH", path, { description: `amended at ${time(Date.now())}` }),
      seen: counted("changed"),
    },
    {
      id: "removed", title: "Removed",
      does: "The bank no longer has the newest row that is shown.",
      expects: "It is kept as deleted and no longer listed; a consumer is told of it as removed.",
      change: (path) => call("DELETE", path),
      seen: counted("deleted"),
    },
    {
      id: "connected-twice", title: "Connected twice",
      does: "The user connects the same bank again, under a new link.",
      expects: "Its rows have new ids; those that this link has are marked as duplicates.",
      isNewLink: true,
      seen: collected,
    },
    {
      id: "invoiced", title: "Invoices",
      does: "Three invoices are issued today: rows of another resource.",
      expects: "They are collected as transactions are, and listed under Other resources.",
      resource: "invoices",
      seen: counted("new"),
    },
  ]],
  ["The POST itself", [
    {
      id: "sessions", title: "Too many sessions",
      does: "The bank has too many sessions open.",
      expects: "The caller gets 503 with Retry-After; nothing was spent.",
      rules: post({ error: { code: "too_many_sessions" } }),
      seen: answer(503),
    },
    {
      id: "connection-lost", title: "Connection lost",
      does: "Belvo takes the POST, and the connection closes before its answer.",
      expects: "The caller gets 502 unconfirmed; nothing is sent twice; the webhook brings the rows.",
      rules: post({ disconnect: true, after: true }),
      seen: (story, asked) => asked?.status === 502 && collected(story),
    },
    {
      id: "login-error", title: "Login error",
      does: "The bank refuses the user's login.",
      expects: "The caller gets 422 with Belvo's code; nothing was spent.",
      rules: post({ error: { code: "login_error" } }),
      seen: answer(422),
    },
  ]],
  ["The link", [
    {
      id: "invalid-credentials", title: "Invalid credentials",
      does: "Belvo says that the user's password has changed.",
      expects: "The event is kept, and the link waits for a renewal.",
      ...event("invalid_credentials"),
    },
    {
      id: "token-required", title: "Token required",
      does: "Belvo says that the bank wants a second factor.",
      expects: "The event is kept, and the link waits for a renewal.",
      ...event("token_required"),
    },
    {
      id: "consent-expired", title: "Consent expired",
      does: "Belvo says that the user's consent has ended.",
      expects: "The event is kept; nothing more is asked for until it is renewed.",
      ...event("consent_expired"),
    },
  ]],
];
