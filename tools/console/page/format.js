// Values as people read them.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });

/** A time of day, local. */
export const time = (at) => (at ? clock.format(new Date(at)) : "");

/** A day and a time, local. */
export const moment = (at) => (at ? dayAndClock.format(new Date(at)) : "");

/** A duration in milliseconds: 40 ms, 1.2 s, 3 min. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return "";
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(ms)} ms`;
  return size < 90_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** An amount with its currency, signed by what it does to the account. */
export function money(amount, currency, type) {
  if (amount === null || amount === undefined) return "";
  const value = type === "OUTFLOW" ? -Number(amount) : Number(amount);
  try {
    return new Intl.NumberFormat("en-GB", { style: "currency", currency, currencyDisplay: "code" }).format(value);
  } catch {
    return `${value} ${currency ?? ""}`.trim();
  }
}

/** A number with thousands apart. */
export const count = (value) => Number(value).toLocaleString("en-GB");

/** "1 page", "3 pages". */
export const many = (value, word) => `${count(value)} ${word}${value === 1 ? "" : "s"}`;

/** The beginning of an id. */
export const short = (id) => (id ?? "").slice(0, 8);

/** A day, written YYYY-MM-DD in UTC as Belvo writes them, so many days before today. */
export const day = (before = 0) => new Date(Date.now() - before * 86_400_000).toISOString().slice(0, 10);

const dayAndMonth = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });

/** "26 Oct to 24 Nov", of days written YYYY-MM-DD. */
export const span = (from, to) => `${dayAndMonth.format(new Date(from))} to ${dayAndMonth.format(new Date(to))}`;

/** `invalid_credentials` as words. */
export const words = (code) => (code ?? "").replaceAll("_", " ");
