// The events as they come, held where somebody reads; who reads the stream; and which events a subject would bring.

import { useEffect, useState } from "./vendor/htm-preact.js";
import { known } from "./state.js";
import { copy, eventLine, html, prefixed, said, sheet } from "./parts.js";
import { go, here, turned } from "./route.js";
import { counted, number } from "./time.js";

const shownAtFirst = 100;
const kinds = ["state", "phase", "failure", "watch", "commcell"];

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

function selects(params) {
  const words = (params.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [kind, severity, filter] = [params.get("kind"), params.get("severity"), params.get("subject")];
  return ({ event }) => {
    const { data } = event;
    const text = [data.job?.commcell ?? data.commcell, data.job?.id, data.job?.client, data.change?.from, data.change?.to, data.change?.vm, data.change?.detail, data.reason].join(" ").toLowerCase();
    return (!kind || (data.change?.kind ?? "commcell") === kind) && (!severity || data.severity === severity) && words.every((word) => text.includes(word)) && (!filter || fits(filter, subjectOf(event)));
  };
}

export function Events() {
  const params = here();
  const [held, hold] = useState(null);
  const [shown, show] = useState(shownAtFirst);
  const all = held ?? known.events;
  const found = all.filter(selects(params));
  useEffect(() => show(shownAtFirst), [location.search]);
  const set = (name) => (change) => go(turned({ [name]: change.currentTarget.value.trim() }), true);
  const choice = (name, values) => html`<label>${name} <select id=${name} onChange=${set(name)}>${["", ...values].map((value) => html`<option key=${value} value=${value} selected=${value === (params.get(name) ?? "")}>${value || "any"}</option>`)}</select></label>`;
  const fresh = held ? known.events.findIndex((e) => e === held[0]) : 0;
  return html`<h1 class="unseen">Events</h1><div class="cols"><section class="sheet"><header><h2>Told</h2><span class="faint" id="eventcount">${number(found.length)} of the last ${number(all.length)}</span>
      <button type="button" id="pause" class="more" aria-pressed=${String(Boolean(held))} onClick=${() => hold(held ? null : [...known.events])}>${held ? `Go on${fresh > 0 ? `: ${counted(fresh, "new one")}` : ""}` : "Pause"}</button></header>
    <div class="filters"><label>words <input id="words" value=${params.get("q") ?? ""} onInput=${set("q")} autocomplete="off" /></label>${choice("kind", kinds)}${choice("severity", ["info", "warning", "error"])}
      <label>subject <input id="subject" class="code" value=${params.get("subject") ?? ""} onInput=${set("subject")} placeholder=${prefixed("jobs.*.*.*.failure.>")} autocomplete="off" spellcheck="false" /></label></div>
    ${found.length ? html`<ol id="events" class="events">${found.slice(0, shown).map((one) => eventLine(one, ({ sequence, event }) => html`${sequence ? `sequence ${sequence}` : ""}${copy(subjectOf(event))}`))}</ol>`
      : html`<p id="noevents" class="empty">${all.length ? "None of the last events is so." : "Nothing was told yet. A change of a job's state or phase appears here as it is published."}</p>`}
    ${found.length > shown ? html`<p class="empty"><button type="button" id="older" onClick=${() => show(shown + shownAtFirst)}>Older ones</button></p>` : html`<p class="empty">Older ones: <code>watcher tail --since 24h</code></p>`}</section>
  <div class="stack"><${Readers} />${sheet("Subjects", "", html`<p class="text">Under <b>subject</b> stands what a subscriber would ask for; the list then has what of the last events it would have got. <code>*</code> is one part, <code>></code> all that follow.</p><div class="copies">${["jobs.>", "jobs.*.*.*.failure.>", "jobs.*.*.*.state.completed", "commcells.>"].map(prefixed).map((one) => html`<a key=${one} href=${turned({ subject: one })}><code>${one}</code></a>`)}</div>`)}</div></div>`;
}

export function Readers() {
  const readers = known.status?.readers;
  return sheet("Who reads the stream", "", !readers ? html`<p class="empty">${readers === null ? "That cannot be read from NATS now." : "Not known."}</p>`
    : readers.length === 0 ? html`<p class="empty">Nobody, but this watcher.</p>`
    : html`<ul id="readers" class="lines">${readers.map((r) => html`<li key=${r.name} class=${r.pending > 0 ? "note" : ""}><b>${said(r.name)}</b> ${r.kind === "relay" ? "relay" : ""}${r.paused ? " · paused" : ""}<span>${r.pending ? `${counted(r.pending, "event")} behind` : "has all"}${r.ackPending ? `, ${number(r.ackPending)} not acknowledged` : ""}</span><code>${said(r.filter)}</code></li>`)}</ul>`);
}
