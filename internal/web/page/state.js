// What the page knows: all jobs that have not ended or ended lately, as one table in memory; the watcher's status; the
// last events. api/v1/table brings the table once, and the line tells what changes.

import { at, hold } from "./hold.js";
import * as time from "./time.js";

export const known = {
  rows: new Map(),   // "prod/1248" => Row
  version: 0,        // counts on with each change of a row
  loaded: false,
  failed: "",        // why the table could not be had
  status: null,
  events: [],        // {sequence, event}, the newest first
  line: "",          // "": none yet, "open", "lost"
  heard: Date.now(), // when anything was last heard of the watcher
};

const eventsKept = 500;
const staleAfter = 10_000;
const listeners = new Set();
const tell = () => listeners.forEach((f) => f());
export const onChange = (f) => listeners.add(f);
export const silent = () => Date.now() - known.heard > staleAfter;

const bad = new Set(["failed", "killed", "partial"]);
const order = { active: 0, held: 1, queued: 2 };

class Row {
  constructor(cell, id) {
    this.key = `${cell}/${id}`;
    this.cell = cell;
    this.id = id;
    this.cls = "unknown";
    this.state = this.phase = this.client = this.agent = this.backupset = this.subclient = this.policy = this.mediaAgent = "";
    this.operation = this.level = this.startedBy = this.reason = this.code = this.failures = this.failedVms = "";
    this.ended = false;
    this.start = this.end = this.since = this.stalled = this.still = this.percent = this.size = this.vmsFailed = this.vmsTotal = null;
    this.told = 0;     // sequence of its last event, among its own
    this.words = null; // what the search looks into; made when it first does
  }
  get shape() { return this.stalled && !this.ended ? "stalled" : this.cls; }
  get stuck() { return this.still ?? this.stalled; } // since when a stalled one makes no progress, at least
  get asOf() { return this.ended ? null : silentSince(this.cell); } // as of when it is known; null: now
  get isBad() { return this.ended && bad.has(this.cls); }
  get rank() { return this.ended ? (this.isBad ? 4 : 5) : order[this.cls] ?? 3; } // as the API's active_first
  get endedAt() { return this.end ?? this.since ?? 0; }
  get text() {
    this.words ??= [this.key, this.client, this.agent, this.backupset, this.subclient, this.operation, this.level, this.state, this.phase, this.reason, this.code,
      this.policy, this.mediaAgent, this.startedBy, this.failedVms].join("\n").toLowerCase();
    return this.words;
  }
  // subject is what is backed up, so that a good run of it makes up for a bad one.
  get subject() { return this.client ? [this.cell, this.client, this.agent, this.backupset, this.subclient, this.operation].join("\n") : this.key; }
}

// silentSince is when a CommCell that does not answer was last known to; null: it answers, as far as is known.
export function silentSince(name) {
  const cell = known.status?.commcells.find((one) => one.name === name);
  if (cell?.up !== false) return null;
  return Math.min(time.parse(cell.since), time.parse(cell.answered) ?? Infinity);
}

const texts = ["state", "class", "phase", "client", "agent", "backupset", "subclient", "policy", "mediaAgent", "operation", "level", "startedBy", "reason", "code", "failures", "failedVms"];

function rowsOf(table) {
  const { texts: words, columns: of, count } = table;
  const rows = new Map();
  let [id, started] = [0, 0]; // which are told as what is more than in the last row, since so they take little
  for (let i = 0; i < count; i++) {
    const row = new Row(words[of.commcell[i]], id += of.id[i]);
    const start = of.start?.[i] ?? null;
    if (start !== null) started += start;
    const after = start === null ? 0 : started;
    const seconds = (column) => { const s = of[column]?.[i] ?? null; return s === null ? null : (after + s) * 1000; };
    for (const name of texts) row[name === "class" ? "cls" : name] = words[of[name]?.[i] ?? 0] ?? "";
    row.cls ||= "unknown";
    row.ended = of.terminal[i] === 1;
    row.start = start === null ? null : started * 1000;
    row.end = seconds("end");
    row.since = seconds("stateSince");
    row.stalled = seconds("stalledSince");
    row.still = seconds("noProgressSince");
    for (const name of ["percent", "size", "vmsFailed", "vmsTotal"]) row[name] = of[name]?.[i] ?? null;
    row.told = of.sequence?.[i] ?? 0;
    rows.set(row.key, row);
  }
  return rows;
}

const members = { state: "state", cls: "stateClass", phase: "phase", client: "client", agent: "agent", backupset: "backupset", subclient: "subclient", policy: "storagePolicy",
  mediaAgent: "mediaAgent", operation: "operation", level: "backupLevel", startedBy: "startedBy", reason: "pendingReason", code: "pendingReasonCode", failures: "failures" };

// apply has a row be as an event tells; twice is as once. The table is ahead of the stream: an event that waited for NATS
// may be older than the row. What was seen after the table was made never is, also where another writer counts anew.
function apply(rows, event) {
  const { job, change } = event.data;
  if (!job) return;
  const key = `${job.commcell}/${job.id}`;
  const row = rows.get(key) ?? new Row(job.commcell, job.id);
  const told = Number(event.sequence);
  const at = time.parse(change.observedAt);
  if (told <= row.told && at <= tableMade) return;
  row.told = told;
  for (const [name, member] of Object.entries(members)) row[name] = job[member] ?? "";
  row.cls ||= "unknown";
  row.ended = job.terminal;
  row.start = time.parse(job.startTime);
  row.end = time.parse(job.endTime);
  row.percent = job.percentComplete ?? row.percent;
  row.size = job.sizeOfApplication;
  row.vmsFailed = job.vms?.failed ?? null;
  row.vmsTotal = job.vms?.total ?? null;
  if (change.kind === "state" || row.since === null) row.since = at;
  if (change.kind === "state" || change.detail === "resumed") row.stalled = row.still = null;
  if (change.kind === "watch" && change.detail === "stalled") [row.stalled, row.still] = [at, at - stallAfter(job.commcell)];
  if (change.kind === "failure" && change.detail === "vm") addMachine(row, change.vm);
  row.words = null;
  rows.set(key, row);
}

// stallAfter is how long a job makes no progress, at least, before it is told as stalled.
export const stallAfter = (cell) => (known.status?.commcells.find(({ name }) => name === cell)?.stallAfter ?? 0) * 1000;

function addMachine(row, name) {
  const names = row.failedVms ? row.failedVms.split(", ") : [];
  if (names.length < 5 && !names.includes(name)) row.failedVms = [...names, name].join(", ");
}

// ---- the table

// ask gives what an address of the API says, read as asked for. The header shows that no other site's page asks: such a one cannot send it.
export async function ask(path, within = 30_000, read = JSON.parse) {
  const response = await fetch(at(path), { headers: { Accept: "application/json", "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(within) });
  const body = await response.text().then((text) => read(text)).catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `${response.status} ${response.statusText}`);
  return body;
}

let reach = "24h"; // how long ended jobs are held
let loading = null;
let meanwhile = []; // events that came while the table was under way
let tableAt = 0;    // the last event that the table knew
let tableMade = 0;  // when it was made

export function reachTo(since) {
  if (since === reach) return;
  [reach, loading] = [since, null];
  load();
}

function load(since = reach) {
  loading ??= loadNow(since).finally(() => { loading = null; });
  return loading;
}

async function loadNow(since) {
  meanwhile = [];
  try {
    const table = await ask(`table?since=${encodeURIComponent(since)}`);
    if (since !== reach) return;
    const rows = rowsOf(table);
    tableMade = time.parse(table.time);
    for (const { sequence, event } of meanwhile) if (sequence > table.event) apply(rows, event);
    tableAt = table.event;
    Object.assign(known, { rows, loaded: true, failed: "", version: known.version + 1 });
  } catch (err) {
    known.failed = err.message;
    setTimeout(() => load(), 3000);
  }
  tell();
  prepare(known.rows.values());
}

// prepare makes ready what the search looks into, while there is nothing to do.
const whenIdle = window.requestIdleCallback ?? ((f) => setTimeout(f, 20));
function prepare(rows) {
  for (let n = 0; n < 500; n++) {
    const { value, done } = rows.next();
    if (done) return;
    void value.text;
  }
  whenIdle(() => prepare(rows));
}

const hours = () => ({ h: 1, d: 24 }[reach.at(-1)] ?? 1) * parseInt(reach, 10);

// forget drops what ended too long ago, as the table would not have it.
function forget() {
  const before = time.now() - hours() * 3600_000;
  for (const [key, row] of known.rows) if (row.ended && row.endedAt < before && known.rows.delete(key)) known.version++;
}

// ---- the line

function take(message) {
  known.heard = Math.max(known.heard, message.came ?? Date.now());
  switch (message.kind) {
    case "open":
      known.line = "open";
      break;
    case "back": // what was missed is told, but for what the watcher has forgotten
    case "gone":
      if (message.kind === "gone") known.events = []; // no gap is among them
      known.line = "open";
      load();
      break;
    case "lost":
      known.line = "lost";
      break;
    case "status":
      known.status = message.data;
      time.setClock(time.parse(message.data.time) + (Date.now() - (message.came ?? Date.now())));
      break;
    case "progress":
      for (const [cell, id, percent] of message.data) {
        const row = known.rows.get(`${cell}/${id}`);
        if (row) row.percent = percent;
      }
      break;
    case "event":
      takeEvent(message.sequence, message.data);
      break;
  }
  tell();
}

function takeEvent(sequence, event) {
  if (known.events.some((e) => e.event.id === event.id)) return;
  known.events.unshift({ sequence, event });
  if (known.events.length > eventsKept) known.events.pop();
  meanwhile.push({ sequence, event });
  if (loading === null) meanwhile = [];
  if (!known.loaded || sequence <= tableAt) return; // the table has it, or will
  apply(known.rows, event);
  known.version++;
}

export function follow() {
  if (window.SharedWorker) {
    const alone = () => { hold(take); load(); }; // where the worker does not start
    const worker = new SharedWorker(new URL("worker.js", import.meta.url), { type: "module", name: "jobwatch" });
    worker.port.onmessage = ({ data }) => (data.kind === "joined" ? load() : take(data));
    worker.onerror = () => { if (!known.line) alone(); };
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
  } else {
    hold(take);
    load();
  }
  setInterval(forget, 60_000);
}
