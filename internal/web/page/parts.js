// What all views are made of. A text of a CommServe stands in a <bdi>, and what could hide or turn it around as JSON writes it.

import { html } from "./vendor/htm-preact.js";
import { known } from "./state.js";
import * as time from "./time.js";
import { toJob } from "./route.js";

export { html };

const unfit = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
export const visible = (text) => String(text).replace(unfit, (c) => (/\s/.test(c) ? " " : `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`));
export const said = (text) => html`<bdi>${visible(text ?? "")}</bdi>`;
export const coded = (code) => (code ? `[${code}]` : ""); // 19:181 alone looks like a time
export const join = (parts, by = " · ") => parts.filter(Boolean).flatMap((part, i) => (i ? [by, part] : [part]));

// A shape for each class, so that none is told by its colour alone.
const light = (d, width = 1.8) => html`<path d=${d} fill="none" stroke="currentColor" stroke-width=${width} />`;
const solid = (d) => html`<path d=${d} fill="currentColor" />`;
const cut = (d) => html`<path class="cut" d=${d} />`;
const shapes = {
  active: () => solid("M4 2.5v11l9.5-5.5z"),
  queued: () => html`<circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.8" />${light("M8 4.8V8l2.3 1.5", 1.5)}`,
  held: () => solid("M3.5 3h3.2v10H3.5zM9.3 3h3.2v10H9.3z"),
  succeeded: () => html`<circle cx="8" cy="8" r="6.8" fill="currentColor" />${cut("M4.7 8.3L7 10.6l4.3-4.9")}`,
  partial: () => html`${solid("M8 1.5L15.2 14H.8z")}${cut("M8 5.8v4.1m0 1.2v1.6")}`,
  failed: () => html`${solid("M5 1.2h6L14.8 5v6L11 14.8H5L1.2 11V5z")}${cut("M5.3 5.3l5.4 5.4m0-5.4l-5.4 5.4")}`,
  killed: () => solid("M2.5 2.5h11v11h-11z"),
  stalled: () => html`${light("M3.5 2h9v2.2L9.2 8l3.3 3.8V14h-9v-2.2L6.8 8 3.5 4.2z", 1.6)}${solid("M5.7 12.8h4.6L8 10z")}`,
  unknown: () => html`<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.8" stroke-dasharray="3 2" />`,
  phase: () => light("M2.5 8h8.6M7.6 4.3L11.3 8l-3.7 3.7"),
  sheets: () => html`<rect x="5.5" y="5.5" width="9" height="9" rx="1.5" fill="none" stroke="currentColor" stroke-width="1.4" />${light("M10.6 3.2V1.5H1.5v9.1h1.7", 1.4)}`,
};
export const drawn = (name) => (shapes[name] ?? shapes.unknown)();
export const shape = (name) => html`<svg class="shape ${name}" viewBox="0 0 16 16" aria-hidden="true">${drawn(name)}</svg>`;

export const labels = { active: "running", queued: "waiting", held: "held", stalled: "of them stalled", failed: "failed", partial: "with errors", killed: "killed", succeeded: "succeeded", unknown: "unknown" };

export const when = (ms, show = time.clock) => (ms ? html`<time dateTime=${new Date(ms).toISOString()} title=${time.both(ms)}>${show(ms)}</time>` : "");
export const jobLink = (key, text = key) => html`<a class="job" href=${toJob(key)}>${said(text)}</a>`;

export function copy(text) {
  const take = async (click) => {
    const button = click.currentTarget;
    try { await navigator.clipboard.writeText(text); } catch { getSelection().selectAllChildren(button.firstElementChild); return; } // for Ctrl+C
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  };
  return html`<button type="button" class="copy" onClick=${take} title="Copy"><code>${said(text)}</code>${shape("sheets")}<span class="unseen">copy</span></button>`;
}

export const sheet = (title, rest, body, more) => html`<section class="sheet"><header><h2>${title}</h2>${rest && html`<span class="faint">${rest}</span>`}${more}</header>${body}</section>`;

export const operationOf = (row) => [row.operation, row.level].filter((word) => word && word !== "Unknown").join(" · ");
export const whatOf = (row) => [row.agent, row.backupset, row.subclient].filter((word) => word && word !== "default" && word !== "defaultBackupSet").join(" · ");
export const stateOf = (row) => row.state || (row.since || row.client ? "no state told" : "not asked yet");

// why says what is wrong with a job, or what it waits for.
export function why(row) {
  if (row.reason || row.code) return row.reason || coded(row.code);
  if (row.vmsFailed) return `${row.vmsFailed} of ${time.counted(row.vmsTotal, "machine")} failed${row.failedVms ? `: ${row.failedVms}` : ""}`;
  if (/[1-9]/.test(row.failures)) return row.failures;
  if (row.shape === "stalled") return `no progress since ${time.short(row.stuck)}, at least`;
  return row.ended && row.cls === "killed" ? "killed; nothing says by whom" : "";
}

// followedBy is the other member of the cluster that polls a CommCell.
export function followedBy(cell) {
  const owner = known.status?.instance && known.status.commcells.find((c) => c.name === cell)?.owner;
  return owner && owner !== known.status.instance ? owner : "";
}

// prefixed is a subject as it is in NATS.
export const prefixed = (subject) => [known.status?.subjectPrefix, subject].filter(Boolean).join(".");

// done shows how far a job is, and about when it will have ended.
export function done(row) {
  if (row.ended) return "";
  const other = followedBy(row.cell);
  if (other) return html`<span class="faint">followed by ${said(other)}</span>`;
  if (row.percent === null) return "";
  return html`<progress max="100" value=${row.percent} aria-label="${row.key} done" class=${row.shape}></progress>${Math.round(row.percent)} %`;
}
// endOf is about when a job will have ended, as far as it has come; null: nothing says so.
export function endOf(row) {
  if (row.ended || row.asOf || row.shape !== "active" || !(row.percent >= 5 && row.percent < 100) || !row.start || followedBy(row.cell)) return null;
  return time.now() + (time.now() - row.start) * (100 - row.percent) / row.percent;
}
export function about(row) {
  const end = endOf(row);
  return end && html`about ${when(end, time.short)}`;
}

// since is how long a job is as it is: in its state, without progress, or ended.
export function since(row) {
  const at = row.ended ? row.endedAt : row.shape === "stalled" ? row.stuck : row.since ?? row.start;
  return at ? { span: row.ended ? `${time.ago(at)} ago` : time.span((row.asOf ?? time.now()) - at), at } : { span: "", at: null };
}
export const asOf = (row) => row.asOf && html`<span class="asof">as of ${when(row.asOf, time.short)}</span>`;

// ---- events

const lightShapes = { up: "succeeded", down: "failed", note: "partial", "": "unknown" };
export const card = (key, light, name, ...lines) => html`<li key=${key} class=${light}>${shape(lightShapes[light])}<span class="name">${name}</span>${lines.filter(Boolean).map(([kind, line]) => html`<span key=${kind} class="more ${kind}">${line}</span>`)}</li>`;

const failureStates = { failed: "failed", killed: "killed", partial: "partial" };
export function eventShape({ data: { change, job, severity, detail } }) {
  if (!job) return detail === "reachable" ? "succeeded" : "failed";
  if (change.kind === "phase") return "phase";
  if (change.detail === "stalled") return "stalled";
  if (change.kind === "state" || change.detail === "state") return failureStates[job.stateClass] ?? job.stateClass ?? "unknown";
  return severity === "error" ? "failed" : severity === "warning" ? "partial" : "phase";
}

export function what({ data: { change, job, detail, reason } }) {
  if (!job) return html`${detail === "reachable" ? "answers again" : detail} ${said(reason)}`;
  const vm = change.vm && html`${change.vmJob && known.rows.has(`${job.commcell}/${change.vmJob}`) ? jobLink(`${job.commcell}/${change.vmJob}`, change.vm) : said(change.vm)}: `;
  const kind = change.kind === "failure" || change.kind === "watch" ? `${change.kind} ${change.detail} ` : "";
  return html`${kind && html`<span class="faint">${kind}</span>`}${vm}${change.from && html`${said(change.from)} → `}${said(change.to)}`;
}

// eventLine is a line of a list of events; more says what else of each. On a job's own page it needs no name.
export function eventLine({ sequence, event, subject }, more, own) {
  const { job, commcell, severity } = event.data;
  return html`<li key=${event.id} class=${severity}>${when(time.parse(event.time))}${shape(eventShape(event))}
    <p class="what">${what(event)}</p>
    ${!own && html`<p class="who">${job ? html`${jobLink(`${job.commcell}/${job.id}`)}${job.client ? html` · ${said(job.client)}` : ""}` : html`CommCell ${said(commcell)}`}</p>`}
    ${more && html`<p class="who">${more({ sequence, event, subject })}</p>`}</li>`;
}
