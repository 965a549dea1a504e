// The events as they come, held where somebody reads, and before them those of the stream; who reads the stream; and which events a subject would bring.

import { useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, known } from "./state.js";
import { classes } from "./views.js";
import { copy, eventLine, html, prefixed, said, sheet } from "./parts.js";
import { go, here, turned } from "./route.js";
import { counted, now, number, parse } from "./time.js";

const shownAtFirst = 100;
const heldMost = 5000;
const kinds = ["state", "phase", "failure", "watch", "commcell"];
const severities = ["info", "warning", "error"]; // the least first

// subjectOf is what an event was published under. A long client's name ends in a hash there: it is shown to its place.
const escape = (name) => [...new TextEncoder().encode(name)].map((b) => (b > 32 && b !== 127 && !".*>%".includes(String.fromCharCode(b)) ? String.fromCharCode(b) : `%${b.toString(16).toUpperCase().padStart(2, "0")}`)).join("");
export function subjectOf({ data: { job, change, commcell, detail } }) {
  if (!job) return prefixed(`commcells.${commcell}.${detail}`);
  const client = !job.client ? "-" : job.client === "-" ? "%2D" : decode(escape(job.client));
  return prefixed(`jobs.${job.commcell}.${job.id}.${client}.${change.kind}.${change.detail}`);
}
const decode = (bytes) => { try { return new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))); } catch { return bytes; } };

// fits says whether a subject is one of a filter's, as NATS takes it.
export function fits(filter, subject) {
  const [want, has] = [filter.split("."), subject.split(".")];
  for (let i = 0; i < want.length; i++) {
    if (want[i] === ">") return has.length > i;
    if (i >= has.length || (want[i] !== "*" && want[i] !== has[i])) return false;
  }
  return want.length === has.length;
}

// timeOf is the time that a text says: as 2026-11-23T14:00:00Z, or how long ago it was, as 24h.
const units = { s: 1000, m: 60_000, h: 3600_000 };
function timeOf(text) {
  if (!/^([\d.]+[smh])+$/.test(text)) return parse(text);
  return [...text.matchAll(/([\d.]+)(.)/g)].reduce((at, [, count, unit]) => at - count * units[unit], now());
}

// isLike compares a client's name with a pattern, as the watcher does.
function isLike(name, pattern) {
  const like = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${like}$`, "is").test(name);
}

// The parameters by which watcher tail and the API choose, too.
const chosenBy = ["kind", "severity", "class", "commcell", "client", "subject", "since", "until"];

function selects(params) {
  const words = (params.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [kind, severity, cls, commcell, client, filter] = chosenBy.map((name) => params.get(name));
  const [since, until] = [timeOf(params.get("since")), timeOf(params.get("until"))];
  return ({ event, subject }) => {
    const { job, change, ...data } = event.data;
    const text = [job?.commcell ?? data.commcell, job?.id, job?.client, change?.from, change?.to, change?.vm, change?.detail, data.reason].join(" ").toLowerCase();
    return (!kind || (change?.kind ?? "commcell") === kind) && severities.indexOf(data.severity) >= severities.indexOf(severity) && (!cls || job?.stateClass === cls)
      && (!commcell || (job?.commcell ?? data.commcell) === commcell) && (!client || (job && isLike(job.client ?? "", client))) && (!since || parse(event.time) >= since) && (!until || parse(event.time) <= until)
      && words.every((word) => text.includes(word)) && (!filter || fits(filter, subject ?? subjectOf(event)));
  };
}

// useHeld has the events that the page holds, up to where it is paused. It keeps those that known.events drops, while older ones
// hang on them; with each epoch it begins anew.
function useHeld(given, paused) {
  const ref = useRef({ given: "", epoch: 0, events: [] });
  const of = ref.current;
  const now = known.events.filter(({ sequence }) => !paused || sequence <= paused);
  const at = now.indexOf(of.events[0]);
  if (of.given !== given || (!paused && of.events.length > 0 && (at < 0 || of.events.length > heldMost))) ref.current = { given, epoch: of.epoch + 1, events: now };
  else if (!of.events.length) of.events = now;
  else if (at > 0) of.events = [...now.slice(0, at), ...of.events];
  return ref.current;
}

// useOlder has the events before those that the page holds, as the watcher reads them from the stream, page by page.
function useOlder(query, given, from) {
  const [of, set] = useState({ given });
  const is = of.given === given ? of : { given };
  const more = async () => {
    set({ ...is, asking: true });
    const before = is.next ?? from;
    const page = await ask(`told?${query}${before ? `&before=${before}` : ""}`).catch((err) => ({ error: err.message }));
    set((now) => (now.given !== given ? now : page.error ? { ...is, error: page.error } : { given, events: [...is.events ?? [], ...page.events], next: page.next, back: page.next ?? page.first, ended: page.next === null }));
  };
  return [is, more];
}

export function Events() {
  const params = here();
  const paused = Number(params.get("paused")) || 0; // the last that is shown
  const [shown, show] = useState(shownAtFirst);
  const query = new URLSearchParams([...params].filter(([name, value]) => chosenBy.includes(name) && value));
  const { events: held, epoch } = useHeld(`${query} ${paused}`, paused);
  const first = held.at(-1)?.sequence;
  const [older, more] = useOlder(query, `${query} ${paused} ${epoch}`, first ?? (paused ? paused + 1 : 0));
  const all = [...held, ...(older.events ?? []).filter(({ sequence }) => !first || sequence < first)];
  const found = all.filter(selects(params));
  const fewer = found.length <= shown;
  useEffect(() => show(shownAtFirst), [location.search]);
  useEffect(() => { if (paused && known.loaded && !held.length && !older.events && !older.asking && !older.error) more(); }); // held long ago: the stream has it
  const set = (name) => (change) => go(turned({ [name]: change.currentTarget.value.trim() }), true);
  const choice = (name, values) => html`<label>${name} <select id=${name} onChange=${set(name)}>${["", ...values].map((value) => html`<option key=${value} value=${value} selected=${value === (params.get(name) ?? "")}>${value || "any"}</option>`)}</select></label>`;
  const input = (name, title, example, cls = "short") => html`<label>${title} <input id=${title} class=${cls} value=${params.get(name) ?? ""} onInput=${set(name)} placeholder=${example} autocomplete="off" spellcheck="false" /></label>`;
  const fresh = paused ? known.events.filter(({ sequence }) => sequence > paused).length : 0;
  return html`<h1 class="unseen">Events</h1><div class="cols"><section class="sheet"><header><h2>Told</h2><span class="faint" id="eventcount">${number(found.length)} of the last ${number(all.length)}${older.events && `, back to sequence ${older.back}`}</span>
      <button type="button" id="pause" class="more" aria-pressed=${String(Boolean(paused))} disabled=${!paused && !known.events.length} onClick=${() => go(turned({ paused: paused ? "" : String(known.events[0].sequence) }), true)}>${paused ? `Go on${fresh > 0 ? `: ${counted(fresh, "new one")}` : ""}` : "Pause"}</button></header>
    <div class="filters">${input("q", "words", "", "")}${choice("kind", kinds)}${choice("severity", severities)}${choice("class", classes.filter((name) => name !== "stalled"))}${choice("commcell", (known.status?.commcells ?? []).map(({ name }) => name))}
      ${input("client", "client", "sql-*")}${input("since", "since", "24h")}${input("until", "until", "1h")}${input("subject", "subject", prefixed("jobs.*.*.*.failure.>"), "code")}</div>
    ${found.length ? html`<ol id="events" class="events">${found.slice(0, shown).map((one) => eventLine(one, ({ sequence, event, subject }) => html`${sequence ? `sequence ${sequence}` : ""}${copy(subject ?? subjectOf(event))}`))}</ol>`
      : html`<p id="noevents" class="empty">${all.length || older.ended ? "None of the last events is so." : "Nothing was told yet. A change of a job's state or phase appears here as it is published."}</p>`}
    ${older.error && html`<p class="notice">The stream cannot be read: ${said(older.error)}</p>`}
    ${fewer && older.ended ? html`<p class="empty" id="firstone">${params.get("since") ? "There are no older ones since then." : "The stream has no older ones."}</p>` : html`<p class="empty"><button type="button" id="older" disabled=${older.asking} onClick=${() => { show(shown + shownAtFirst); if (fewer) more(); }}>${older.asking ? "Reading…" : "Older ones"}</button></p>`}</section>
  <div class="stack"><${Readers} />${sheet("Subjects", "", html`<p class="text">Under <b>subject</b> stands what a subscriber would ask for; the list then has what it would have got. <code>*</code> is one part, <code>></code> all that follow.</p><div class="copies">${["jobs.>", "jobs.*.*.*.failure.>", "jobs.*.*.*.state.completed", "commcells.>"].map(prefixed).map((one) => html`<a key=${one} href=${turned({ subject: one })}><code>${one}</code></a>`)}</div>`)}</div></div>`;
}

// lacks is how many events a reader has not acknowledged, sent to it or not. Of a relay its own count is newer.
export const lacks = (r) => (r.kind === "relay" && known.status.relays.find(({ name }) => `relay-${name}` === r.name)?.pending) ?? r.pending + r.ackPending;

export function Readers() {
  const readers = known.status?.readers;
  return sheet("Who reads the stream", "", !readers ? html`<p class="empty">${readers === null ? "That cannot be read from NATS now." : "Not known."}</p>`
    : readers.length === 0 ? html`<p class="empty">Nobody, but this watcher.</p>`
    : html`<ul id="readers" class="lines">${readers.map((r) => html`<li key=${r.name} class=${lacks(r) ? "note" : ""}><b>${said(r.name)}</b> ${r.kind === "relay" ? "relay" : ""}${r.paused ? " · paused" : ""}<span title="not sent to it yet, or not acknowledged">${lacks(r) ? counted(lacks(r), "event waits", "events wait") : "has all"}</span><code>${said(r.filter)}</code></li>`)}</ul>`);
}
