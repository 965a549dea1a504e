// The page of jobwatch: lights from /api/v1/status, rows from /api/v1/jobs, and /api/v1/events to
// change them as it happens. What a CommServe says gets into the page as text, never as markup.

const rowsShown = 500;   // more would make the browser slow; the filter finds the rest
const eventsShown = 80;
const jobsHeld = 10000;

const at = (id) => document.getElementById(id);
const jobs = new Map();  // "prod/1248" => job, as the API shows it
const rows = new Map();  // "prod/1248" => its <tr>
const seen = new Set();  // ids of the events shown
let complete = true;     // no page of jobs was left out

function element(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined && text !== null) e.textContent = text;
  return e;
}

const keyOf = (job) => `${job.commcell}/${job.id}`;

// ---- jobs

const order = { active: 0, held: 1, queued: 2 };
const rank = (job) => (job.terminal ? 4 : order[job.stateClass] ?? 3);
const endOf = (job) => Date.parse(job.endTime ?? job.snapshotAt ?? 0) || 0;

function compare(a, b) {
  return rank(a) - rank(b) || (a.terminal ? endOf(b) - endOf(a) : 0) || b.id - a.id;
}

const percentOf = (job) => job.progress?.percentComplete ?? job.percentComplete;
const wordsOf = (job) => [keyOf(job), job.client, job.agent, job.subclient, operationOf(job), job.state, job.phase, job.pendingReason].join(" ").toLowerCase();
const operationOf = (job) => [job.operation, job.backupLevel].filter(Boolean).join(" · ");

const marks = { failed: "wrong", killed: "wrong", partial: "partly" };

function fill(row, job) {
  const [name, client, operation, state, phase, done, reason] = row.cells;
  row.className = [job.stateClass ?? "unknown", job.terminal ? "ended" : "", marks[job.stateClass] ?? ""].join(" ");
  name.firstChild.textContent = keyOf(job);
  client.firstChild.textContent = job.client ?? "–";
  if (job.parentJob && !client.querySelector("a")) {
    client.append(" of ", linkTo({ commcell: job.commcell, id: job.parentJob }, `${job.commcell}/${job.parentJob}`));
  }
  operation.textContent = operationOf(job);
  state.textContent = job.state ?? (job.snapshotAt ? "no state told" : "not asked yet");
  phase.textContent = job.phase ?? "";
  const percent = percentOf(job);
  done.replaceChildren();
  if (!job.terminal && percent !== null && percent !== undefined) {
    const bar = element("progress");
    bar.max = 100;
    bar.value = percent;
    bar.setAttribute("aria-label", `${keyOf(job)} done`);
    done.append(bar, `${Math.round(percent)} %`);
  }
  reason.textContent = job.pendingReason ?? (job.failedFiles || job.failedFolders ? job.failures : "");
}

function newRow(job) {
  const row = element("tr");
  for (const name of ["name", "client", "operation", "state", "phase", "done", "reason"]) row.append(element("td", name));
  row.cells[0].append(linkTo(job));
  row.cells[1].append("–");
  return row;
}

function linkTo(job, text) {
  const link = element("a", "", text);
  link.href = `/api/v1/jobs/${encodeURIComponent(job.commcell)}/${encodeURIComponent(job.id)}`;
  return link;
}

function drawJobs() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...jobs.values()].sort(compare);
  const found = words.length ? all.filter((job) => words.every((w) => wordsOf(job).includes(w))) : all;
  const shown = found.slice(0, rowsShown);
  const wanted = shown.map((job) => {
    const key = keyOf(job);
    if (!rows.has(key)) rows.set(key, newRow(job));
    const row = rows.get(key);
    fill(row, job);
    return row;
  });
  place(at("jobs"), wanted);
  for (const key of rows.keys()) if (!jobs.has(key)) rows.delete(key);

  const running = all.filter((job) => job.stateClass === "active").length;
  const wrong = all.filter((job) => job.stateClass in marks).length;
  const more = found.length > shown.length ? `, ${found.length - shown.length} more than shown` : "";
  say("count", all.length ? `${running} running, ${wrong} failed or incomplete, ${all.length}${complete ? "" : " and more"} in all${more}` : "");
  at("nojobs").hidden = shown.length > 0;
  say("nojobs", all.length ? "No job has these words. Clear the filter to see all of them."
    : "No job is known yet. Jobs appear as soon as the CommServe lists them; if it has running ones, see that the user of commcells[].auth may view them.");
}

// place makes the rows the children in this order, and moves only what stands elsewhere: a row keeps its focus.
function place(body, wanted) {
  const keep = new Set(wanted);
  for (const row of [...body.children]) if (!keep.has(row)) row.remove();
  wanted.forEach((row, i) => {
    if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
  });
}

// say changes a text only where it differs: a status that is set anew is read out anew.
function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => { drawing = false; drawJobs(); }, 200);
}

// ---- events

function words(change, commcell) {
  const what = element("p", "what");
  const kind = change.kind === "failure" || change.kind === "watch" ? `${change.kind} ${change.detail}` : change.kind;
  what.append(element("span", "kind", kind));
  if (change.vm) what.append(machine(change, commcell), ": ");
  if (change.from) what.append(`${change.from} → `);
  what.append(element("span", "to", change.to ?? ""));
  return what;
}

// machine leads to the machine's own job, where that is known here.
function machine(change, commcell) {
  const own = jobs.get(`${commcell}/${change.vmJob}`);
  return own ? linkTo(own, change.vm) : change.vm;
}

function showEvent(event) {
  if (seen.has(event.id)) return;
  seen.add(event.id);
  const data = event.data;
  const item = element("li", data.severity);
  const job = data.job;
  item.append(element("span", "who", job ? [keyOf(job), job.client].filter(Boolean).join(" · ") : `CommCell ${data.commcell}`));
  const time = element("time", "", new Date(event.time).toLocaleTimeString());
  time.dateTime = event.time;
  item.append(time);
  item.append(job ? words(data.change, job.commcell) : words({ kind: data.detail, to: data.reason }));
  const list = at("events");
  list.prepend(item);
  while (list.children.length > eventsShown) list.lastChild.remove();
  at("noevents").hidden = true;
  if (seen.size > 5000) seen.clear();
}

function take(message) {
  const event = JSON.parse(message.data);
  showEvent(event);
  const job = event.data.job;
  if (!job) return void loadStatus();
  const key = keyOf(job);
  const sequence = Number(event.sequence);
  if (sequence <= (jobs.get(key)?.sequence ?? 0)) return; // known from the list, or told again after a reconnect
  jobs.set(key, { ...job, sequence, snapshotAt: event.data.change.observedAt, progress: null });
  drawSoon();
}

function follow() {
  const source = new EventSource("/api/v1/events?recent=60");
  let lost = false;
  source.onopen = () => {
    link("Live", "on");
    if (lost) refresh();
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    link("Disconnected, reconnecting…", "off");
    if (source.readyState === EventSource.CLOSED) { // refused, which a browser does not try again
      setTimeout(() => { follow(); refresh(); }, 3000);
    }
  };
  for (const kind of ["state", "phase", "failure", "watch", "commcell"]) source.addEventListener(kind, take);
}

function link(text, name) {
  say("link", text);
  at("link").className = `pill ${name}`;
}

// ---- what is asked for

async function ask(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? response.statusText);
  return body;
}

async function loadJobs() {
  const found = new Map();
  let next = null;
  do {
    const page = await ask("/api/v1/jobs?ended_within=24h" + (next ? `&after=${encodeURIComponent(next)}` : ""));
    for (const job of page.jobs) found.set(keyOf(job), job);
    next = page.next;
  } while (next && found.size < jobsHeld);
  complete = !next;
  for (const key of [...jobs.keys()]) if (!found.has(key)) jobs.delete(key);
  for (const [key, job] of found) {
    if (job.sequence >= (jobs.get(key)?.sequence ?? 0)) jobs.set(key, job);
  }
  drawJobs();
}

const ago = (time) => {
  const s = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
};

const failures = {
  no_answer: "does not answer",
  refused: "answers, and refuses this watcher",
  not_asked: "cannot be asked",
  unusable: "answers with errors only",
};

function drawCell(cell) {
  const item = element("li", cell.up === null ? "" : cell.up ? "up" : "down");
  const light = element("span", "light");
  item.append(light, element("span", "name", cell.name));
  const what = cell.up === null ? "not asked yet" : `${cell.up ? "answers" : failures[cell.failure] ?? failures.no_answer}, for ${ago(cell.since)}`;
  item.append(element("span", "more what", what));
  if (cell.reason) item.append(element("span", "more", cell.reason));
  const last = cell.answered ? `last answer ${ago(cell.answered)} ago` : "no answer yet";
  const jobCount = Object.values(cell.tracked).reduce((a, b) => a + b, 0);
  item.append(element("span", "more", `${last}, ${jobCount} ${jobCount === 1 ? "job" : "jobs"} followed`));
  return item;
}

async function loadStatus() {
  const status = await ask("/api/v1/status");
  at("cells").replaceChildren(...status.commcells.map(drawCell));
  say("version", `jobwatch ${status.version}`);
  say("unsent", status.unsent ? `${status.unsent} events wait for NATS` : "");
  const red = status.checks.filter((check) => check.state === "red");
  at("trouble").hidden = red.length === 0;
  at("trouble").classList.add("bad");
  say("trouble", red.map((check) => `${check.name}: ${check.detail}`).join("\n"));
}

async function refresh() {
  try {
    await Promise.all([loadStatus(), loadJobs()]);
  } catch { /* the link's state says that nobody answers */ }
}

// Asking again takes at most a twentieth of the time: what it costs grows with the jobs.
async function keepFresh() {
  const start = performance.now();
  await refresh();
  const took = performance.now() - start;
  setTimeout(keepFresh, Math.max(document.hidden ? 60000 : 5000, 20 * took));
}

at("filter").addEventListener("input", drawJobs);
follow();
keepFresh();
