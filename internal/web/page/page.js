// The page of jobwatch: lights and counts from api/v1/status, rows from api/v1/jobs, and api/v1/events to
// change them as it happens. What a CommServe says gets into the page as text, never as markup. Every
// address is relative to the page's own, which a proxy may have below a path.

const rowsShown = 500;   // more would make the browser slow; the filter finds the rest
const badRowsShown = 200; // of what ended badly, at least, where there is so much
const eventsShown = 80;
const jobsHeld = 10000;

const at = (id) => document.getElementById(id);
const jobs = new Map();  // "prod/1248" => job, as the API shows it
const rows = new Map();  // "prod/1248" => its <tr>
const seen = new Set();  // ids of the events shown
let loaded = false;      // the whole list was here once
let complete = true;     // no page of jobs was left out
let status = null;       // the last that was heard
let heard = Date.now();  // when that was
let skew = 0;            // how far this clock is before the watcher's, ms

// visible shows what could hide text or turn a line around (a right-to-left override) as JSON writes it.
const unfit = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const visible = (text) => String(text).replace(unfit, (c) => /\s/.test(c) ? " " : `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);

function element(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined && text !== null) e.textContent = visible(text);
  return e;
}

// put changes a text only where it differs: what is set anew is read out anew, and no longer marked.
function put(e, text) {
  const shown = visible(text);
  if (e.textContent !== shown) e.textContent = shown;
}

const keyOf = (job) => `${job.commcell}/${job.id}`;

// ---- jobs

const order = { active: 0, held: 1, queued: 2 };
const marks = { failed: "wrong", killed: "wrong", partial: "partly" };
const rank = (job) => (job.terminal ? (job.stateClass in marks ? 4 : 5) : order[job.stateClass] ?? 3); // as the API's active_first
const endOf = (job) => Date.parse(job.endTime ?? job.snapshotAt ?? 0) || 0;

function compare(a, b) {
  return rank(a) - rank(b) || (a.terminal ? endOf(b) - endOf(a) : 0) || b.id - a.id;
}

const percentOf = (job) => job.progress?.percentComplete ?? job.percentComplete;
const wordsOf = (job) => [keyOf(job), job.client, job.agent, job.subclient, operationOf(job), job.state, job.phase, job.pendingReason].join(" ").toLowerCase();
const operationOf = (job) => [job.operation, job.backupLevel].filter(Boolean).join(" · ");

function fill(row, job) {
  const [name, client, operation, state, phase, done, reason] = row.cells;
  row.className = [job.stateClass ?? "unknown", job.terminal ? "ended" : "", marks[job.stateClass] ?? ""].join(" ");
  put(name.firstChild, keyOf(job));
  put(client.firstChild, job.client ?? "–");
  if (job.parentJob && !client.querySelector("a")) {
    client.append(" of ", linkTo({ commcell: job.commcell, id: job.parentJob }, `${job.commcell}/${job.parentJob}`));
  }
  put(operation, operationOf(job));
  put(state, job.state ?? (job.snapshotAt ? "no state told" : "not asked yet"));
  put(phase, job.phase ?? "");
  const percent = percentOf(job);
  done.replaceChildren();
  if (!job.terminal && percent !== null && percent !== undefined) {
    const bar = element("progress");
    bar.max = 100;
    bar.value = percent;
    bar.setAttribute("aria-label", `${keyOf(job)} done`);
    done.append(bar, `${Math.round(percent)} %`);
  }
  if (!job.terminal && job.followedBy) done.replaceChildren(element("span", "faint", `followed by ${job.followedBy}`)); // how far it is, that one knows
  put(reason, job.pendingReason ?? (job.failedFiles || job.failedFolders ? job.failures : ""));
}

function newRow(job) {
  const row = element("tr");
  for (const name of ["name", "client", "operation", "state", "phase", "done", "reason"]) row.append(element("td", name));
  row.cells[0].append(linkTo(job));
  row.cells[1].append(element("bdi"));
  return row;
}

function linkTo(job, text) {
  const link = element("a", "", text);
  link.href = `api/v1/jobs/${encodeURIComponent(job.commcell)}/${encodeURIComponent(job.id)}`;
  return link;
}

function drawJobs() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...jobs.values()].sort(compare);
  const found = words.length ? all.filter((job) => words.every((w) => wordsOf(job).includes(w))) : all;
  const shown = firstRows(found);
  const wanted = shown.map((job) => {
    const key = keyOf(job);
    if (!rows.has(key)) rows.set(key, newRow(job));
    const row = rows.get(key);
    fill(row, job);
    return row;
  });
  place(at("jobs"), wanted);
  for (const key of rows.keys()) if (!jobs.has(key)) rows.delete(key);
  drawn = { filtered: words.length > 0, found: found.length, shown: shown.length };
  drawCount();
  at("nojobs").hidden = shown.length > 0;
  say("nojobs", !loaded ? "Loading…" : all.length ? "No job has these words. Clear the filter to see all of them."
    : "No job is known yet. Jobs appear as soon as the CommServe lists them; if it has running ones, see that the user of commcells[].auth may view them.");
}

// firstRows are those that there is room for: what runs leaves some of it to what has ended badly.
function firstRows(found) {
  if (found.length <= rowsShown) return found;
  const bad = found.filter((job) => rank(job) === 4).slice(0, badRowsShown);
  const unfinished = found.filter((job) => rank(job) < 4).slice(0, rowsShown - bad.length);
  const rest = found.filter((job) => rank(job) >= 4);
  return [...unfinished, ...rest.slice(0, rowsShown - unfinished.length)];
}

// drawCount says what the watcher counts, of all its jobs; the page may hold fewer.
let drawn = { filtered: false, found: 0, shown: 0 };
function drawCount() {
  const { filtered, found, shown } = drawn;
  const parts = [];
  if (status?.jobs?.all) {
    const of = status.jobs.classes;
    parts.push(`${of.active} running, ${of.failed + of.killed + of.partial} failed or incomplete, ${status.jobs.all} in all`);
  }
  if (!loaded) parts.push(jobs.size ? `loading, ${jobs.size} so far` : "loading…");
  if (filtered) parts.push(complete ? `${found} match` : `${found} match of the first ${jobs.size}, which are here`);
  if (shown < (filtered ? found : status?.jobs?.all ?? 0)) parts.push(`${shown} shown`);
  say("count", parts.join("; "));
}

// place makes the rows the children in this order, and moves only what stands elsewhere: a row keeps its focus.
function place(body, wanted) {
  const keep = new Set(wanted);
  for (const row of [...body.children]) if (!keep.has(row)) row.remove();
  wanted.forEach((row, i) => {
    if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
  });
}

function say(id, text) { put(at(id), text); }

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
  if (change.from) what.append(element("bdi", "", change.from), " → ");
  what.append(element("bdi", "to", change.to ?? ""));
  return what;
}

// machine leads to the machine's own job, where that is known here.
function machine(change, commcell) {
  const own = jobs.get(`${commcell}/${change.vmJob}`);
  const name = element("bdi");
  name.append(own ? linkTo(own, change.vm) : visible(change.vm));
  return name;
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
  statusSoon();
  if (!job) return;
  const key = keyOf(job);
  const sequence = Number(event.sequence);
  if (sequence <= (jobs.get(key)?.sequence ?? 0)) return; // known from the list, or told again after a reconnect
  jobs.set(key, { ...job, sequence, snapshotAt: event.data.change.observedAt, progress: null, heard: Date.now() });
  drawSoon();
}

function follow() {
  const source = new EventSource("api/v1/events?recent=60");
  source.onopen = () => {
    if (line === "lost") refresh();
    line = "live";
    drawLine();
  };
  source.onerror = () => {
    line = "lost";
    drawLine();
    if (source.readyState === EventSource.CLOSED) { // refused, which a browser does not try again
      setTimeout(() => { follow(); refresh(); }, 3000);
    }
  };
  for (const kind of ["state", "phase", "failure", "watch", "commcell"]) source.addEventListener(kind, take);
}

let line = ""; // of the events: live, lost; "": none yet
function drawLine() {
  if (!line) return;
  const live = line === "live" && !isSilent();
  say("link", live ? "Live" : line === "live" ? "Silent" : "Disconnected, reconnecting…");
  at("link").className = `pill ${live ? "on" : "off"}`;
}

// ---- what is asked for

async function ask(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(30000) });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? response.statusText);
  return body;
}

async function loadJobs() {
  const start = Date.now();
  const found = new Set();
  const load = async (query) => {
    const page = await ask(`api/v1/jobs?order=active_first&ended_within=24h&limit=${rowsShown}${query}`);
    for (const job of page.jobs) {
      const key = keyOf(job);
      found.add(key);
      if (job.sequence >= (jobs.get(key)?.sequence ?? 0)) jobs.set(key, job);
    }
    if (!loaded) drawJobs();
    return page.next;
  };
  let next = await load("");
  while (next && found.size < jobsHeld) next = await load(`&after=${encodeURIComponent(next)}`);
  if (next) await load("&class=failed&class=killed&class=partial");
  for (const [key, job] of [...jobs]) if (!found.has(key) && !(job.heard > start - 10000)) jobs.delete(key);
  [loaded, complete] = [true, !next];
  drawJobs();
}

async function loadStatus() {
  status = await ask("api/v1/status");
  heard = Date.now();
  skew = heard - Date.parse(status.time);
  drawCells();
  drawCount();
  say("version", `jobwatch ${status.version}`);
  say("unsent", status.unsent ? `${status.unsent} events wait for NATS` : "");
  const red = status.checks.filter((check) => check.state === "red");
  const trouble = red.map((check) => visible(`${check.name}: ${check.detail}`)).join("\n");
  at("trouble").hidden = !trouble;
  if (at("trouble").textContent !== trouble) at("trouble").textContent = trouble;
}

// ---- how the CommCells stand, and how old that is

const refreshEvery = () => (document.hidden ? 60000 : 5000);
let shownSince = Date.now(); // before that the browser may have held back what is asked for

const isSilent = () => Date.now() - Math.max(heard, shownSince) > 3 * refreshEvery();

const ago = (time) => {
  const s = Math.max(0, Math.round((Date.now() - skew - Date.parse(time)) / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
};

const counted = (n, one, many) => `${n} ${n === 1 ? one : many}`;

const failures = {
  no_answer: "does not answer",
  refused: "answers, and refuses this watcher",
  not_asked: "cannot be asked",
  unusable: "answers with errors only",
};

function newCard() {
  const item = element("li");
  item.append(element("span", "light"), ...["name", "more what", "more reason", "more last"].map((name) => element("span", name)));
  return item;
}

function fillCell(item, cell, silent) {
  const [, name, what, reason, last] = item.children;
  if (inCluster() && cell.owner !== status.instance) {
    fillForeignCell(item, cell, silent);
    return;
  }
  item.className = silent || cell.up === null ? "" : cell.up ? "up" : "down";
  put(name, cell.name);
  put(what, silent ? "nothing heard of it"
    : cell.up === null ? "not asked yet" : `${cell.up ? "answers" : failures[cell.failure] ?? failures.no_answer}, for ${ago(cell.since)}`);
  put(reason, cell.reason ?? "");
  reason.hidden = !cell.reason;
  const jobCount = Object.values(cell.tracked).reduce((a, b) => a + b, 0);
  const here = inCluster() ? ` here, by ${status.instance}` : "";
  put(last, `${cell.answered ? `last answer ${ago(cell.answered)} ago` : "no answer yet"}, ${counted(jobCount, "job", "jobs")} followed${here}`);
}

// ---- the members of a cluster

const inCluster = () => Boolean(status?.instance);

// fillForeignCell says of a CommCell that this watcher does not poll who does. Whether it answers, that one knows.
function fillForeignCell(item, cell, silent) {
  const [, name, what, reason, last] = item.children;
  item.className = silent || cell.owner ? "" : "down";
  put(name, cell.name);
  put(what, silent ? "nothing heard of it" : cell.owner ? `followed by ${cell.owner}, for ${ago(cell.ownedSince)}` : "nobody polls it");
  put(reason, "");
  reason.hidden = true;
  put(last, cell.owner ? "its light is on that member's page" : "");
}

// silentFor counts from the last sign of life of any member: all of them are by NATS's clock.
function silentFor(member) {
  const last = Math.max(...status.members.map((m) => Date.parse(m.lastSeen)));
  return ago(new Date(Date.now() - skew - (last - Date.parse(member.lastSeen))).toISOString());
}

function fillMember(item, member, silent) {
  const [, name, what, reason, last] = item.children;
  const differs = member.differs ?? [];
  item.className = silent ? "" : !member.alive ? "down" : member.leaving || differs.length ? "note" : member.caughtUp ? "up" : "";
  put(name, member.instance === status.instance ? `${member.instance} (this one)` : member.instance);
  put(what, silent ? "nothing heard of it" : !member.alive ? `gives no sign of life, for ${silentFor(member)}` : doesOf(member));
  const notes = [];
  if (member.alive && member.leaving) notes.push("told to leave: takes nothing more until its next start");
  if (member.alive && differs.length) notes.push(`configured differently: ${differs.join(", ")}`);
  put(reason, notes.join("; "));
  reason.hidden = notes.length === 0;
  put(last, `${counted(member.tracked, "job", "jobs")} followed; ${member.version} on ${member.host}`);
}

function doesOf(member) {
  if (member.commcells.length) return `polls ${member.commcells.join(", ")}`;
  if (member.leaving) return "polls nothing";
  return member.caughtUp ? "polls nothing, and could take over" : "reads the stream before it takes anything over";
}

const relayStates = {
  starting: (to) => `starts to deliver to ${to}`,
  standby: (to) => `stands by: another watcher delivers to ${to}`,
  delivering: (to) => `delivers to ${to}`,
  away: (to) => `${to} is away`,
  off: (to) => `is off; to ${to}`,
  stopped: (to) => `cannot start; to ${to}`,
};

function relayLight(relay) {
  if (relay.alarm || relay.state === "away" || relay.state === "stopped") return "down";
  if (relay.state !== "delivering") return "";
  const check = status.checks.find((check) => check.name === `relay ${relay.name}`);
  return check?.state === "note" ? "note" : "up";
}

function fillRelay(item, relay, silent) {
  const [, name, what, reason, last] = item.children;
  item.className = silent ? "" : relayLight(relay);
  put(name, relay.name);
  const does = relay.alarm ? `stands still; to ${relay.to}` : relayStates[relay.state]?.(relay.to) ?? relay.state;
  put(what, silent ? "nothing heard of it" : relay.state === "starting" ? does : `${does}, for ${ago(relay.since)}`);
  put(reason, relay.reason ?? "");
  reason.hidden = !relay.reason;
  const oldest = relay.oldest ? `, the oldest for ${ago(relay.oldest)}` : "";
  const facts = [relay.pending ? `${counted(relay.pending, "event waits", "events wait")}${oldest}` : "nothing waits"];
  if (relay.parked) facts.push(`${counted(relay.parked, "job", "jobs")} set aside`);
  if (relay.dead) facts.push(counted(relay.dead, "dead letter", "dead letters"));
  if (relay.missed) facts.push(`${relay.missed} missed`);
  if (relay.holder) facts.push(`by ${relay.holder}`);
  put(last, facts.join("; "));
}

function drawCards(list, all, fill, silent) {
  while (list.children.length > all.length) list.lastChild.remove();
  while (list.children.length < all.length) list.append(newCard());
  all.forEach((one, i) => fill(list.children[i], one, silent));
}

// drawCells runs each second: ages go on by themselves, also when nobody says so any more.
function drawCells() {
  const silent = isSilent();
  drawCards(at("cells"), status?.commcells ?? [], fillCell, silent);
  const members = status?.members ?? [];
  drawCards(at("members"), members, fillMember, silent);
  at("members-part").hidden = members.length === 0;
  const relays = status?.relays ?? [];
  drawCards(at("relays"), relays, fillRelay, silent);
  at("relays-part").hidden = relays.length === 0;
  drawLine();
  document.body.classList.toggle("silent", silent);
  document.title = silent ? "(!) jobwatch" : "jobwatch";
  at("silence").hidden = !silent;
  if (silent) say("silence", `Nothing was heard from the watcher since ${new Date(heard).toLocaleTimeString()}. What stands here is as old.`);
}

// ---- asking again

const quietly = (asking) => asking.catch(() => {}); // that nobody answers shows in the page's age
const refresh = () => Promise.all([quietly(loadStatus()), quietly(loadJobs())]);

let due = false;
function statusSoon() { // an event has changed what is counted: with its row, but at most once a second
  if (due) return;
  due = true;
  setTimeout(() => { due = false; quietly(loadStatus()); }, Math.max(200, heard + 1000 - Date.now()));
}

async function keepStatus() {
  await quietly(loadStatus());
  setTimeout(keepStatus, refreshEvery());
}

// Asking for the jobs again takes at most a twentieth of the time: what it costs grows with them.
async function keepJobs() {
  const start = performance.now();
  const whole = await loadJobs().then(() => true, () => false);
  setTimeout(keepJobs, whole ? Math.max(refreshEvery(), 20 * (performance.now() - start)) : refreshEvery());
}

document.addEventListener("visibilitychange", () => {
  shownSince = Date.now();
  if (!document.hidden) refresh();
});
at("filter").addEventListener("input", drawJobs);
setInterval(drawCells, 1000);
drawJobs();
follow();
keepStatus();
keepJobs();
