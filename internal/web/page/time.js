// Times, spans and amounts as people read them. All times are Unix milliseconds; the switch says in which zone they show.

const kept = (() => { try { return window.localStorage; } catch { return null; } })(); // a browser may refuse it
let utc = kept?.getItem("jobwatch.utc") === "yes";
let skew = 0; // how far this clock is before the watcher's, ms

export const isUTC = () => utc;
export function showUTC(wanted) {
  utc = wanted;
  kept?.setItem("jobwatch.utc", wanted ? "yes" : "no");
}

export const setClock = (watchers) => { skew = Date.now() - watchers; };
export const now = () => Date.now() - skew;
export const parse = (text) => (text ? Date.parse(text) : null);

const formats = new Map();
function format(options, ms, zone = utc ? "UTC" : undefined) {
  const name = JSON.stringify(options) + zone;
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", timeZone: zone, ...options }));
  return formats.get(name).format(ms);
}

const minute = { hour: "2-digit", minute: "2-digit" };
const second = { ...minute, second: "2-digit" };
const date = { day: "numeric", month: "short" };
const day = (ms) => format({ year: "numeric", ...date }, ms);
const dated = (ms, time) => (day(ms) === day(now()) ? time : `${format(date, ms)} ${time}`);

export const clock = (ms) => dated(ms, format(second, ms));
export const short = (ms) => dated(ms, format(minute, ms));
export const hour = (ms) => format(minute, ms);
export const zoneName = () => new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(now()).find((p) => p.type === "timeZoneName").value;
export const both = (ms) => `${day(ms)} ${format({ ...second, timeZoneName: "short" }, ms, undefined)} · ${new Date(ms).toISOString().replace("T", " ").replace(/\..*/, "")} UTC`;

export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 36000) return `${Math.floor(s / 3600)} h ${String(Math.floor(s % 3600 / 60)).padStart(2, "0")}`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}
export const ago = (ms) => span(now() - ms);

const units = ["B", "kB", "MB", "GB", "TB", "PB"];
export function bytes(n) {
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  return `${i && n < 9.995 ? n.toFixed(2) : n < 99.95 && i ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}
export const number = (n) => Math.round(n).toLocaleString("en-US");
export const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many ?? one + "s"}`;
