// The watcher itself: its CommCells and cycles, what waits, what NATS and the store hold; its cluster.

import { known, silent } from "./state.js";
import { Cells, cellState, inWords } from "./overview.js";
import { card, copy, html, join, said, shape, sheet, when } from "./parts.js";
import { Build, Configuration } from "./about.js";
import { Readers } from "./events.js";
import { Chart } from "./chart.js";
import { ago, bytes, counted, hour, now, number, parse, span } from "./time.js";

const fact = ([name, value, small]) => html`<div key=${name}><dt>${name}</dt><dd>${value}${small && html`<small>${small}</small>`}</dd></div>`;
const loading = html`<p class="empty">Loading…</p>`;

export function Watcher() {
  const { status } = known;
  if (!status) return html`<h1>Watcher</h1>${loading}`;
  return html`<h1 class="unseen">Watcher</h1><div class="cols"><div class="stack">${status.commcells.map((cell) => html`<${Cell} key=${cell.name} cell=${cell} />`)}<${Configuration} /><${Build} /></div>
    <div class="stack"><${Checks} status=${status} /><${Refusals} status=${status} /><${Telling} status=${status} /><${Readers} /><${Itself} status=${status} /></div></div>`;
}

function Cell({ cell }) {
  const { light, says, foreign } = cellState(cell);
  const facts = foreign ? [] : [["Schedule", cell.schedule && said(cell.schedule), cell.nextTick && html`next ${when(parse(cell.nextTick))}`], ["Last answer", cell.answered ? `${ago(parse(cell.answered))} ago` : "none yet"],
    ["Last cycle", `${cell.tickSeconds.toFixed(1)} s`, `${number(cell.ticks)} so far, ${number(cell.ticksSkipped)} skipped`], ["Unfinished", cell.unfinished !== undefined && number(cell.unfinished)], ...asking(cell)].filter(([, value]) => value);
  return html`<section class="sheet cell ${light}"><header><h2>${shape({ up: "succeeded", down: "failed" }[light] ?? "unknown")} ${said(cell.name)}</h2><span class="what">${says}</span></header>
    ${cell.reason && !foreign && html`<p class="notice">${inWords(cell.reason)}</p>`}${facts.length > 0 && html`<dl class="facts">${facts.map(fact)}</dl>`}${!foreign && cell.ring?.length > 1 && html`<${Cycles} ring=${cell.ring} />`}${!foreign && cell.delays?.length > 1 && html`<${Delays} delays=${cell.delays} />`}</section>`;
}

// asking says how the CommServe is asked: the limits in force, its quota, what came of the requests, and how late a change is seen.
function asking({ limits, quota, requests, delay }) {
  if (!limits) return [];
  const rate = limits.perSecond ? `${limits.perSecond.toFixed(1)} a second${limits.perSecond < limits.rateLimit || !limits.rateLimit ? ", as its quota allows" : ""}` : "any number a second";
  const came = Object.entries(requests).sort(([, a], [, b]) => b - a);
  const by = came.map(([code, n]) => html`<span key=${code} class=${code === "200" ? "" : "bad"}>${/^\d/.test(code) ? "HTTP " : ""}${said(code)}: ${number(n)}</span>`);
  return [["Requests at once", `${number(limits.atOnce)} of ${number(limits.concurrency)}`, rate], limits.heldUntil && ["Left alone", html`until ${when(parse(limits.heldUntil))}`, said(limits.heldBecause)],
    quota && ["Quota", quota.limit ? `${number(quota.spent)} of ${number(quota.limit)}` : "none named", `${quota.limit ? "" : `${number(quota.spent)} sent `}in ${span(quota.periodSeconds * 1000)}`],
    delay && ["Changes are seen", `within ${seconds(delay.p50Seconds)}`, `99 of 100 within ${seconds(delay.p99Seconds)}; of ${counted(delay.changes, "change")}`],
    came.length && ["Requests since the start", number(came.reduce((all, [, n]) => all + n, 0)), join(by)]].filter(Boolean);
}

const inOrder = (cycles) => [...cycles].sort(([a], [b]) => a - b); // the watcher's clock may have been set back

// Cycles draws how long each of the last cycles took, how many requests it made, and which got no answer.
function Cycles({ ring }) {
  ring = inOrder(ring);
  const lost = ring.filter(([, , asked, got]) => asked > 0 && !got).map(([at]) => at);
  const of = (place) => ring.map((cycle) => cycle[place]);
  const series = [{ name: "took", values: of(1).map((ms) => ms / 1000), write: seconds, colour: "--active" }, { name: "requests", values: of(2), write: String, colour: "--idle", right: true }, { name: "answered", values: of(3), write: String, colour: "--good", right: true }];
  return html`<${Chart} label="${counted(ring.length, "cycle")} from ${hour(ring[0][0] * 1000)} to ${hour(ring.at(-1)[0] * 1000)}, the longest ${seconds(Math.max(...series[0].values))}, ${lost.length} without an answer" times=${of(0)} series=${series} lost=${lost} />`;
}

// Delays draws how late changes of state were seen, by the cycle that saw them.
function Delays({ delays }) {
  delays = inOrder(delays);
  const of = (place) => delays.map((cycle) => cycle[place] / 1000);
  const series = [{ name: "half of the changes seen within", values: of(1), write: seconds, colour: "--active", sparse: true }, { name: "99 of 100 within", values: of(2), write: seconds, colour: "--held", sparse: true }];
  return html`<${Chart} label="How late changes were seen in ${counted(delays.length, "cycle")}: the latest ${seconds(Math.max(...series[1].values))}" times=${delays.map(([at]) => at)} series=${series} />`;
}
const seconds = (s) => (s < 0.95 ? `${Math.round(s * 1000)} ms` : s < 9.95 ? `${s.toFixed(1)} s` : `${number(s)} s`);

const checkShapes = { ok: "succeeded", note: "partial", red: "failed" };
const Checks = ({ status }) => sheet("Checks", status.ready ? "ready" : "not ready", html`<ul id="checks" class="lines">${status.checks.map((check) => html`<li key=${check.name} class=${check.state}>${shape(checkShapes[check.state])} <b>${said(check.name)}</b><span>${said(check.detail || check.state)}</span></li>`)}</ul>`);

// Refusals are what NATS refuses for good, with what to do.
function Refusals({ status: { outbox } }) {
  if (!outbox?.refusals?.length) return "";
  return sheet("Refused events", `of ${counted(outbox.stopped, "job")}; they are kept, and tried again`, html`<ul id="refusals" class="lines">${outbox.refusals.map((one) => html`<li key=${one.text} class="red">${shape("failed")} <b>${counted(one.jobs, "job")}</b><span>${said(one.text)}</span>
    ${one.mend && html`<p>Mend: ${copy(one.mend)}</p>`}</li>`)}</ul>`);
}

function Telling({ status }) {
  const { nats, outbox, stream } = status;
  const facts = [["Waits for NATS", counted(outbox?.unsent ?? status.unsent, "event"), outbox?.oldest && `the oldest for ${ago(parse(outbox.oldest))}`], outbox?.stopped > 0 && ["Refused", counted(outbox.stopped, "job")],
    nats && ["NATS", nats.server ? said(nats.server) : "away", nats.server && html`${said(nats.version)}, for ${ago(parse(nats.since))}; ${counted(nats.reconnects, "reconnect")}`], nats?.roundTripMillis && ["Round trip", `${nats.roundTripMillis.toFixed(1)} ms`],
    stream && ["Stream", said(stream.name), `${number(stream.messages)} events, ${bytes(stream.bytes)}`], stream && ["Sequence", number(stream.last), `from ${number(stream.first)}`], stream && ["Keeps", stream.maxAge ? span(stream.maxAge * 1000) : "all"],
    stream === null && ["Stream", "cannot be read"]].filter(Boolean);
  return sheet("What is told", "", html`<dl id="telling" class="facts two">${facts.map(fact)}</dl>`);
}

const Itself = ({ status }) => sheet("This watcher", "", html`<dl class="facts two">${[["Version", said(status.version)], status.started && ["Runs for", ago(parse(status.started)), when(parse(status.started))],
  status.store && ["Store", bytes(status.store.bytes), status.store.free && `${bytes(status.store.free)} free`], status.jobs && ["Jobs known", number(status.jobs.all)], status.instance && ["Instance", said(status.instance), html`<a href="?view=cluster">${number(status.members.filter((one) => one.alive).length)} of ${counted(status.members.length, "member")} live</a>`]].filter(Boolean).map(fact)}</dl>
  <p class="text"><a href="readyz">readiness</a> · <a href="metrics">metrics</a> · <a href="api/v1/status">status as JSON</a></p>`);

// ---- the cluster

// silentFor counts from the last sign of life of any member: all of them are by NATS's clock.
function silentFor(member) {
  const last = Math.max(...known.status.members.map((m) => parse(m.lastSeen)));
  return ago(now() - (last - parse(member.lastSeen)));
}

function doesOf(member) {
  if (!member.alive) return `gives no sign of life, for ${silentFor(member)}`;
  if (member.commcells.length) return `polls ${member.commcells.join(", ")}`;
  if (member.leaving) return "polls nothing";
  return member.caughtUp ? "polls nothing, and could take over" : "reads the stream before it takes anything over";
}

function memberCard(member) {
  const differs = member.differs ?? [];
  const light = silent() ? "" : !member.alive ? "down" : member.leaving || differs.length ? "note" : member.caughtUp ? "up" : "";
  const notes = [];
  if (member.alive && member.leaving) notes.push("told to leave: takes nothing more until its next start");
  if (member.alive && differs.length) notes.push(`configured differently: ${differs.join(", ")}`);
  return card(member.instance, light, html`${said(member.instance)}${member.instance === known.status.instance ? " (this one)" : ""}`, ["what", silent() ? "nothing heard of it" : said(doesOf(member))],
    notes.length && ["reason", said(notes.join("; "))], ["last", html`${counted(member.tracked, "job")} followed; ${said(member.version)} on ${said(member.host)}`]);
}

export function Cluster() {
  const { status } = known;
  if (!status) return html`<h1>Cluster</h1>${loading}`;
  return html`<h1>Cluster</h1>${status.instance ? html`<ul id="members" class="cards wide">${status.members.map(memberCard)}</ul>
    <h2>CommCells</h2><${Cells} />`
    : html`<p class="empty">This watcher is alone; docs/cluster.md says how several share the work.</p>`}`;
}
