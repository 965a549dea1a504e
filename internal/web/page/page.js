// The page of jobwatch: its frame, which view it shows, and its keys. Every address is relative to the page's own, which a
// proxy may have below a path.

import { render } from "./vendor/htm-preact.js";
import { follow, known, onChange, silent } from "./state.js";
import { attention } from "./views.js";
import { html, shape, visible, when } from "./parts.js";
import { back, go, here, onMove, to, turned, view } from "./route.js";
import { fieldNames } from "./search.js";
import * as time from "./time.js";
import { Overview } from "./overview.js";
import { Jobs, jobKeys } from "./jobs.js";
import { Job } from "./job.js";
import { Events } from "./events.js";
import { Relays } from "./relays.js";
import { Cluster, Watcher } from "./watcher.js";

const views = { overview: Overview, jobs: Jobs, job: Job, events: Events, relays: Relays, watcher: Watcher, cluster: Cluster };
const names = { overview: "Overview", jobs: "Jobs", events: "Events", relays: "Relays", watcher: "Watcher", cluster: "Cluster" };

function Frame() {
  const at = view();
  const pages = Object.entries(names).filter(([name]) => name !== "cluster" || known.status?.instance || at === "cluster");
  return html`<a class="skip" href="#main">To the page</a>
  <header class="top"><div>
    <a class="brand" href="?view=overview"><img src="page/icon.svg" alt="" width="24" height="24" />jobwatch</a>
    <nav aria-label="Pages">${pages.map(([name, title]) => html`<a key=${name} href=${to(name)} aria-current=${name === at || (at === "job" && name === "jobs") ? "page" : null}>${title}</a>`)}</nav>
    <${Find} />
    <span class="seg" role="group" aria-label="Times">
      ${[[false, time.zoneName() === "UTC" ? "Local" : time.zoneName()], [true, "UTC"]].map(([utc, zone]) => html`<button type="button" key=${utc} aria-pressed=${String(time.isUTC() === utc)} onClick=${() => { time.showUTC(utc); draw(); }}>${zone}</button>`)}
    </span>
    <${Line} />
  </div></header>
  <main id="main" tabindex="-1" class="at-${at}"><${Notices} /><${views[at] ?? Missing} /></main>
  <footer class="faint"><a href="readyz">readiness</a> <a href="metrics">metrics</a> <a href="api/v1/jobs">API</a> <a href="page/vendor/vendor.json">licences</a> <span><kbd>?</kbd> shows the keys</span>
    <span>${known.status ? `jobwatch ${known.status.version}` : ""}</span></footer>
  <${Keys} />`;
}

const Missing = () => html`<h1>No such page</h1><p class="empty">Nothing is called ${visible(view())} here. <a href="?view=overview">To the overview</a></p>`;

function Find() {
  const at = view();
  const found = (input) => go(to("jobs", { ...(at === "jobs" ? Object.fromEntries(here()) : {}), q: input.currentTarget.value }), at === "jobs");
  return html`<label class="find"><span class="unseen">Find jobs by any word of a row</span>
    <input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder="Find a job, client, machine, reason" value=${at === "jobs" ? here().get("q") ?? "" : ""} onInput=${found} /><kbd aria-hidden="true">/</kbd></label>`;
}

function Line() {
  const word = known.line === "" ? "Connecting…" : known.line === "lost" ? "Disconnected, reconnecting…" : silent() ? "Silent" : "Live";
  return html`<p id="link" class=${word === "Live" ? "on" : known.line ? "off" : ""} role="status" aria-live="polite">${word}</p>`;
}

function Notices() {
  const { status } = known;
  const red = (status?.checks ?? []).filter((check) => check.state === "red");
  return html`<p id="silence" class="notice bad" role="status" aria-live="polite" hidden=${!silent()}>${silent() && html`Nothing was heard from the watcher since ${when(known.heard, time.clock)}. What stands here is as old.`}</p>
    <p id="trouble" class="notice bad" role="status" aria-live="polite" hidden=${!red.length}>${red.map((check) => html`<span key=${check.name}><bdi>${visible(`${check.name}: ${check.detail}`)}</bdi></span>`)}</p>
    ${known.failed && html`<p class="notice">The jobs cannot be had: <bdi>${visible(known.failed)}</bdi>. This is asked again.</p>`}`;
}

// ---- keys

const keys = [["/", "find jobs"], ["j, k", "the next, the one before"], ["Enter", "open the job"], ["o", "open it in a tab of its own"], ["Esc", "back, or out of the search"], ["?", "these keys"]];
const Keys = () => html`<dialog id="keys" aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>
  <dl>${keys.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
  <p class="faint">The search takes <code>class:failed,killed</code> <code>client:sql*</code> <code>-word</code> <code>"a phrase"</code> <code>is:attention</code>, and the fields ${fieldNames.join(", ")}.</p>
  <form method="dialog"><button>Close</button></form></dialog>`;

function onKey(press) {
  const input = press.target.closest?.("input, select, textarea");
  if (press.ctrlKey || press.metaKey || press.altKey || document.getElementById("keys").open) return;
  if (press.key === "Escape") {
    if (input) input.blur();
    else if (view() === "job") back(to("jobs"));
    else jobKeys("Escape");
  } else if (input) {
    if (input.id === "filter" && (press.key === "Enter" || press.key === "ArrowDown")) { input.blur(); jobKeys("j"); press.preventDefault(); }
  } else if (press.key === "/") {
    press.preventDefault();
    setTimeout(() => { document.getElementById("filter").focus(); document.getElementById("filter").select(); }); // after the key's own character
  } else if (press.key === "?") {
    document.getElementById("keys").showModal();
  } else if (press.key.length === 1) {
    jobKeys(press.key);
  }
}

// ---- drawing: at once where somebody acts, else at most four times a second, and a fifth of the time

let due = null;
let took = 0;

function draw() {
  clearTimeout(due);
  due = null;
  const began = performance.now();
  render(html`<${Frame} />`, document.body);
  const needs = attention().size;
  const title = here().get("job") ?? names[view()] ?? "";
  document.title = `${silent() ? "(!) " : needs ? `(${needs}) ` : ""}${visible(title)} · jobwatch`;
  document.body.classList.toggle("silent", silent());
  took = performance.now() - began;
}
function drawSoon() { due ??= setTimeout(draw, Math.max(document.hidden ? 2000 : 200, 4 * took)); }

onChange(drawSoon);
onMove((newPage) => {
  const before = document.querySelector("main")?.className;
  draw();
  if (newPage && before !== document.querySelector("main").className) {
    scrollTo(0, 0);
    if (document.activeElement?.id !== "filter") document.getElementById("main").focus({ preventScroll: true });
  }
});
document.addEventListener("keydown", onKey);
setInterval(drawSoon, 1000); // ages go on by themselves, also when nobody says so any more
document.body.replaceChildren();
draw();
follow();
