// One job: how it stands, its course, its machines, what was told of it, and what the CommServe says of it now.

import { useEffect, useState } from "./vendor/htm-preact.js";
import { ask, known } from "./state.js";
import { coded, copy, done, eventLine, followedBy, html, jobLink, join, prefixed, said, shape, sheet, visible, when } from "./parts.js";
import { here, to, turned } from "./route.js";
import { fits } from "./events.js";
import { Course, logOf } from "./course.js";
import { ago, bytes, clock, counted, now, number, parse, span } from "./time.js";

const eventsShown = 500;

// useAnswer asks for an address of the API, and anew where given says that something has changed.
function useAnswer(path, given) {
  const [of, set] = useState({ path });
  useEffect(() => {
    let left = false;
    ask(path).then((value) => left || set({ path, value }), (err) => left || set((before) => ({ path, value: before.path === path ? before.value : undefined, error: err.message })));
    return () => { left = true; };
  }, [path, given]);
  return of.path === path ? of : { path };
}

export function Job() {
  const key = here().get("job") ?? "";
  const path = `jobs/${key.split("/").map(encodeURIComponent).join("/")}`;
  const last = known.events.find(({ event: { data } }) => data.job && `${data.job.commcell}/${data.job.id}` === key)?.sequence;
  const { value: job, error } = useAnswer(path, `${last} ${known.line}`);
  const told = useAnswer(`${path}/events?limit=${eventsShown}`, `${last} ${known.line}`);
  const row = known.rows.get(key);
  if (!job) return html`<h1>${said(key)}</h1><p class="empty">${error ? said(error) : "Loading…"}</p>`;
  const events = told.value?.events ?? [];
  return html`<${Head} job=${job} />
    ${error && html`<p class="notice">This is as old as it was when it could last be had: ${said(error)}</p>`}
    <section class="sheet"><h2 class="unseen">Facts</h2><dl class="facts" id="facts">${facts(job, row).map(([name, value, small]) => html`<div key=${name}><dt>${name}</dt><dd>${value}${small && html`<small>${small}</small>`}</dd></div>`)}</dl></section>
    <${CourseSheet} job=${job} events=${events} error=${told.error} />
    <div class="cols"><div class="stack"><${Machines} job=${job} /><${Answer} key=${key} path=${path} cell=${job.commcell} /></div>
    <div class="stack"><${Told} name=${key} events=${events} error=${told.error} more=${told.value?.more} loading=${!told.value} /></div></div>`;
}

const classOf = (job) => (job.stalledSince && !job.terminal ? "stalled" : job.stateClass ?? "unknown");

function Head({ job }) {
  const key = `${job.commcell}/${job.id}`;
  const path = [job.agent, job.instance, job.backupset, job.subclient].filter(Boolean);
  return html`<p class="faint crumbs"><a href="?view=jobs">Jobs</a> › <a href=${to("jobs", { q: `cell:${job.commcell}` })}>${said(job.commcell)}</a> › ${job.client && html`<a href=${to("jobs", { q: `client:"${job.client}"` })}>${said(job.client)}</a> › `}${job.id}</p>
    <h1 id="job" class=${classOf(job)}>${shape(classOf(job))} ${said(job.client || key)} <span class="word">${said(job.state ?? (job.snapshotAt ? "no state told" : "not asked yet"))}</span>
      ${classOf(job) === "stalled" && html`<span class="word">no progress for over ${ago(parse(job.noProgressSince ?? job.stalledSince))}</span>`}</h1>
    <p class="faint" id="who">${join([said(key), path.length > 0 && join(path.map(said), " › "), said([job.operation, job.backupLevel].filter((word) => word && word !== "Unknown").join(", ")),
      job.startedBy && html`started by ${said(job.startedBy)}${job.startedFrom && html`, ${said(job.startedFrom)}`}`,
      job.parentJob && html`part of ${jobLink(`${job.commcell}/${job.parentJob}`)}`])}</p>
    ${(job.pendingReason || job.pendingReasonCode) && html`<p id="why" class="notice">${said(job.pendingReason)} ${job.pendingReasonCode && said(coded(job.pendingReasonCode))}</p>`}`;
}

const has = (value) => value !== null && value !== undefined;

function facts(job, row) {
  const [start, end] = [parse(job.startTime), parse(job.endTime)];
  const other = followedBy(job.commcell);
  const all = [];
  const add = (name, value, small) => value && all.push([name, value, small]);
  if (job.terminal) add("Ended", when(end ?? parse(job.snapshotAt)), `${ago(end ?? parse(job.snapshotAt))} ago`);
  else {
    add("In this state", job.stateSince && ago(parse(job.stateSince)), when(parse(job.stateSince)));
    add("Phase", job.phase && said(job.phase));
    const percent = job.progress?.percentComplete ?? row?.percent ?? job.percentComplete;
    add("Done", other ? html`followed by ${said(other)}` : has(percent) && done({ key: `${job.commcell}/${job.id}`, cell: job.commcell, ended: false, percent, shape: classOf(job) }),
      job.estimatedCompletionTime && html`the CommServe says until ${when(parse(job.estimatedCompletionTime))}`);
  }
  add(job.terminal ? "Took" : "Runs for", start && span((end ?? (job.terminal ? parse(job.snapshotAt) : now())) - start), start && html`started ${when(start)}`);
  add("Machines", job.vms && job.vms.total > 0 && `${number(job.vms.total - job.vms.failed)} of ${number(job.vms.total)} well`, job.vms?.failed ? `${number(job.vms.failed)} failed` : "");
  add("Data", has(job.sizeOfApplication) && bytes(job.sizeOfApplication), [has(job.dataWritten) && `${bytes(job.dataWritten)} written`, has(job.savingsPercent) && `${Math.round(job.savingsPercent)} % saved`].filter(Boolean).join(", "));
  const speed = job.throughput ?? job.averageThroughput ?? job.currentThroughput;
  add("Speed", has(speed) && `${number(speed)} GB/h`, has(job.streams) && counted(job.streams, "stream"));
  add("Files", has(job.filesTransferred ?? job.totalFiles) && number(job.filesTransferred ?? job.totalFiles), /[1-9]/.test(job.failures) ? html`failed: ${said(job.failures)}` : job.failures && "none failed");
  add("Attempt", has(job.attempt) && number(job.attempt));
  add("Storage", job.storagePolicy && said(job.storagePolicy), job.mediaAgent && said(job.mediaAgent));
  add("Followed", job.followedBy ? `by ${visible(job.followedBy)}` : job.tracked ?? "not any more", job.snapshotAt && html`last change seen ${when(parse(job.snapshotAt))}`);
  return all;
}

function CourseSheet({ job, events, error }) {
  const asTable = here().get("course") === "table";
  const cycles = known.status?.commcells.find((cell) => cell.name === job.commcell)?.ring ?? [];
  const choice = html`<span class="seg more" role="group" aria-label="Course as"><a href=${turned({ course: "" })} aria-current=${asTable ? null : "true"}>Chart</a><a href=${turned({ course: "table" })} aria-current=${asTable ? "true" : null}>Table</a></span>`;
  return sheet("Course", error && !events.length ? said(error) : "", html`<${Course} job=${job} events=${events} cycles=${cycles} asTable=${asTable} />`, choice);
}

// ---- machines

const machineFailed = (vm) => Boolean(vm.failureReason);

function Machines({ job }) {
  const all = here().get("machines") === "all";
  const machines = job.machines ?? [];
  if (!machines.length) return "";
  const failed = machines.filter(machineFailed);
  const groups = Object.entries(Object.groupBy ? Object.groupBy(failed, (vm) => vm.failureReason) : groupBy(failed)).sort(([, a], [, b]) => b.length - a.length);
  const well = all ? machines.filter((vm) => !machineFailed(vm)) : [];
  const choice = html`<span class="seg more" role="group" aria-label="Machines"><a href=${turned({ machines: "" })} aria-current=${all ? null : "true"}>Failed ${failed.length}</a><a href=${turned({ machines: "all" })} aria-current=${all ? "true" : null}>All ${machines.length}</a></span>`;
  return sheet("Machines", `${failed.length} of ${machines.length} failed`, html`<table class="short machines"><thead><tr>${["Machine", "Proxy", "Host", "Ended"].map((title) => html`<th scope="col" key=${title}>${title}</th>`)}</tr></thead>
    <tbody id="machines">${groups.map(([reason, vms]) => [html`<tr key=${`reason ${reason}`} class="group"><td colspan="4"><b>${vms.length} ×</b> ${said(reason)}</td></tr>`, ...vms.map((vm) => Machine(job, vm))])}
    ${well.length > 0 && html`<tr key="well" class="group"><td colspan="4"><b>${well.length} ×</b> no failure told</td></tr>`}${well.map((vm) => Machine(job, vm))}</tbody></table>`, choice);
}

function groupBy(machines) {
  const groups = {};
  for (const vm of machines) (groups[vm.failureReason] ??= []).push(vm);
  return groups;
}

const Machine = (job, vm) => html`<tr key=${vm.guid ?? vm.name}><td>${shape(machineFailed(vm) ? "failed" : vm.endTime ? "succeeded" : "unknown")} <b>${said(vm.name)}</b>${vm.job && html`<span class="sub">${jobLink(`${job.commcell}/${vm.job}`)}</span>`}</td>
  <td>${said(vm.agent)}</td><td>${said(vm.host)}</td><td>${when(parse(vm.endTime))}</td></tr>`;

// ---- events

// gotBy says of each reader of the stream how far it is with these events, as NATS told last: which are not for it (its subjects
// leave them out), which were not sent to it, which it has not acknowledged; all as sequences. NATS does not know of what came since.
function gotBy(events) {
  const asked = known.status?.stream?.last ?? 0;
  return (known.status?.readers ?? []).map((reader) => {
    const filters = reader.filter ? reader.filter.split(", ") : [">"];
    const since = events.filter(({ sequence, event }) => sequence <= asked && (reader.begins === null ? parse(event.time) >= parse(reader.beginsAt) : sequence >= reader.begins));
    const forIt = ({ subject }) => filters.some((filter) => fits(filter, subject));
    const sequences = (those) => those.map(({ sequence }) => sequence);
    const wants = sequences(since.filter(forIt));
    const open = wants.filter((sequence) => sequence > reader.ackFloor);
    const relay = reader.kind === "relay" && (known.status.relays.find(({ name }) => `relay-${name}` === reader.name) ?? {});
    return { name: reader.name, filters, began: since.length > 0, has: wants.length - open.length, other: sequences(since.filter((event) => !forIt(event))), relay,
      sent: open.filter((sequence) => sequence <= reader.delivered), lacks: open.filter((sequence) => sequence > reader.delivered) };
  }).filter(({ began }) => began);
}

function Got({ readers }) {
  if (known.status?.readers === null) return html`<p id="got" class="text">Who has got them cannot be read from NATS now.</p>`;
  if (!readers.length) return "";
  const whole = readers.filter(({ sent, lacks, other }) => !sent.length && !lacks.length && !other.length);
  const subjects = (filters) => join(filters.map((filter) => html`<code>${visible(filter)}</code>`), " ");
  const line = ({ name, has, sent, lacks, other, filters }) => html`<li key=${name} class=${sent.length + lacks.length ? "note" : ""}><b>${said(name)}</b><span>${join([has > 0 && `acknowledged ${number(has)}`,
    lacks.length > 0 && `${counted(lacks.length, "event")} not sent yet, from sequence ${lacks[0]}`, sent.length > 0 && `${counted(sent.length, "event")} sent, not acknowledged`, other.length > 0 && `${number(other.length)} not for it, by its subjects`], ", ")}</span>
    ${other.length > 0 && subjects(filters)}</li>`;
  const aside = ({ relay: { name, parked, dead } }) => html`<li key=${`${name} aside`} class="note"><b>${said(name)}</b><span>${join([parked > 0 && `has set ${counted(parked, "job")} aside`, dead > 0 && `has ${counted(dead, "dead letter")}`], ", ")}: it may be of this job, and counts as acknowledged</span></li>`;
  return html`<ul id="got" class="lines">${whole.length > 0 && html`<li key="all"><b>${said(whole.map(({ name }) => name).join(", "))}</b><span>acknowledged all of these</span></li>`}
    ${readers.filter((reader) => !whole.includes(reader)).map(line)}
    ${readers.filter(({ relay }) => relay && (relay.parked || relay.dead)).map(aside)}
    ${readers.some(({ relay, has }) => relay && has) && html`<li key="match"><span>A relay also acknowledges what its own <code>match</code> leaves out: NATS does not know what it sent on.</span></li>`}</ul>`;
}

function Told({ name, events, error, more, loading }) {
  const [cell, id] = name.split("/");
  const subject = events[0]?.subject;
  const all = subject ? `${subject.split(".").slice(0, -3).join(".")}.>` : prefixed(`jobs.${cell}.${id}.>`);
  const readers = gotBy(events);
  const open = (sequence) => join(readers.map(({ name, sent, lacks }) => lacks.includes(sequence) ? html`not yet sent to ${said(name)}` : sent.includes(sequence) && html`${said(name)} has not acknowledged it`).concat(readers.filter(({ has, sent, lacks, other }) => has + sent.length + lacks.length > 0 && other.includes(sequence)).map(({ name }) => html`not for ${said(name)}`)));
  const shown = new Set(); // of the CommServe's entries: all events of one answer carry the same
  const line = ({ sequence, event, subject }) => html`${join([sequence && `sequence ${sequence}`, event.data.change.notBefore && html`between ${when(parse(event.data.change.notBefore), clock)} and ${when(parse(event.data.change.observedAt), clock)}`])}
    <span class="sub">${open(sequence)}</span>
    ${logOf([{ event }]).filter(({ at, words }) => !shown.has(at + words) && shown.add(at + words)).map(({ at, words }) => html`<span key=${at + words} class="sub">CommServe, ${when(at, clock)}: ${said(words)}</span>`)}${subject && copy(subject)}`;
  return sheet("Told", loading ? "" : counted(events.length, "event"), html`${error && html`<p class="notice">The stream cannot be read: ${said(error)}</p>`}
    <${Got} readers=${readers} /><ol id="told" class="events">${[...events].reverse().map((one) => eventLine(one, line, true))}</ol>${more && html`<p class="empty">There are older ones; <code>watcher jobs history</code> has them.</p>`}<div class="copies">${copy(all)}${copy(`watcher tail --job ${name}`)}${copy(`watcher jobs history ${name}`)}</div>`);
}

// ---- the CommServe's own words, asked for where somebody wants them

const patience = 120_000; // a CommServe may take long
// exact keeps a number of more digits than JavaScript's own have, where the browser can.
const exact = (text) => JSON.parse(text, (_, value, as) => (typeof value === "number" && JSON.rawJSON && String(value) !== as.source ? JSON.rawJSON(as.source) : value));
const written = (answer) => (typeof answer === "string" ? answer : JSON.stringify(answer, null, 2)); // XML comes as a text

function Answer({ path, cell }) {
  const [got, set] = useState(null);
  const other = followedBy(cell);
  const look = async () => {
    set({ asking: true });
    set(await ask(`${path}/answer`, patience, exact).catch((err) => ({ error: err.message })));
  };
  return sheet("What the CommServe says", got?.answeredAt ? html`asked ${when(parse(got.askedAt))}` : "", html`<div class="answer">
    ${got?.error && html`<p class="notice">${visible(got.error)}</p>`}
    ${got?.answer && html`<pre id="answer" tabindex="0"><bdi>${written(got.answer).split("\n").map((text) => visible(text)).join("\n")}</bdi></pre>`}
    ${other ? html`<p class="empty">${visible(other)} follows it: ask there.</p>` : html`<button type="button" id="ask" disabled=${got?.asking} onClick=${look}>${got?.asking ? "Asking…" : "Ask now"}</button>`}</div>`);
}
