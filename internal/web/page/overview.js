// The overview: what runs, what failed, what is stuck, whether the watcher works, and what it told, in this order.

import { known, silent, silentSince } from "./state.js";
import { alike, attention, counts, hours, ranAgain, silentCells, unfinished } from "./views.js";
import { about, asOf, card, done, eventLine, html, jobLink, join, operationOf, said, shape, sheet, since, stateOf, visible, whatOf, when, why } from "./parts.js";
import { to } from "./route.js";
import { Chips } from "./jobs.js";
import { relayTroubles } from "./relays.js";
import { Hatch, Small } from "./course.js";
import { ago, bytes, counted, hour, number, parse, short } from "./time.js";

const needShown = 12;
const namesShown = 8; // of jobs that are alike
const runShown = 15;
const toldShown = 12;

export function Overview() {
  return html`<h1 class="unseen">Overview</h1><${Sentence} /><${Cells} />
    <${Chips} query="" address=${(q) => to("jobs", { q })} />
    <div class="cols"><div class="stack"><${Need} /><${Running} /></div>
    <div class="stack"><${Itself} /><${Hours} /><${Told} /></div></div>`;
}

function Sentence() {
  const { status, loaded } = known;
  if (!status || !loaded) return html`<p id="sentence" class="sentence">${shape("unknown")} <b>Loading…</b></p>`;
  const of = counts();
  const need = attention().size;
  const down = status.commcells.filter((cell) => cell.up === false);
  const trouble = status.checks.some((check) => check.state === "red");
  const parts = [];
  if (need) parts.push(`${counted(need, "job")} ${need === 1 ? "needs" : "need"} you`);
  for (const cell of down.slice(0, 3)) parts.push(html`${said(cell.name)} ${cell.failure === "refused" ? "refuses" : "is silent"}`);
  if (trouble) parts.push("the watcher has trouble");
  const relays = relayTroubles();
  for (const { name, says } of relays.slice(0, 2)) parts.push(html`<a href="?view=relays">relay ${said(name)} ${says}</a>`);
  if (relays.length > 2) parts.push(html`<a href="?view=relays">${relays.length - 2} more relays</a>`);
  const failed = need || down.length || trouble || relays.some(({ light }) => light === "down");
  const first = parts.length > 1 ? html`${join(parts.slice(0, -1), ", ")} and ${parts.at(-1)}` : parts[0] ?? "Nothing needs you";
  const waits = status.outbox?.unsent ?? status.unsent;
  return html`<p id="sentence" class="sentence"><b>${shape(silent() ? "unknown" : failed ? "failed" : relays.length ? "partial" : "succeeded")} ${first}.</b> <span>${number(of.active)} run${of.stalled > 0 && ` (${number(of.stalled)} stalled)`}, ${number(of.queued + of.held)} wait${silentCells().map(old)}; ${number(of.succeeded)} ended well in 24 hours.</span>
    <span id="unsent" class="faint">${waits ? `${counted(waits, "event waits", "events wait")} for NATS.` : relays.length ? "All that was seen is in NATS." : "All that was seen is told."}</span></p>`;
}

// old says what of it nobody can ask about.
function old(name) {
  const count = unfinished().reduce((all, row) => all + (row.cell === name), 0);
  return count > 0 && html`, ${number(count)} of them on ${said(name)} as of ${when(silentSince(name), short)}`;
}

// ---- the CommCells

const failures = { no_answer: "does not answer", refused: "answers, and refuses this watcher", not_asked: "cannot be asked", unusable: "answers with errors only" };

export function cellState(cell) {
  const { status } = known;
  const foreign = status.instance && cell.owner !== status.instance;
  if (silent()) return { light: "", says: "nothing heard of it" };
  if (foreign && cell.owner) return { light: "", says: html`followed by ${said(cell.owner)}, for ${ago(parse(cell.ownedSince))}`, foreign: true };
  if (foreign) return { light: "down", says: "nobody polls it", foreign: true };
  if (cell.up === null) return { light: "", says: "not asked yet" };
  return { light: cell.up ? "up" : "down", says: `${cell.up ? "answers" : failures[cell.failure] ?? failures.no_answer}, for ${ago(parse(cell.since))}` };
}

// inWords is why a CommCell does not answer, without how a program puts it, which stands in the title.
export const inWords = (reason) => (/\b(dial|read|write|lookup) /.test(reason) ? html`<span title=${visible(reason)}>${said(reason.split(": ").at(-1))}</span>` : said(reason));

export function Cells() {
  const cells = known.status?.commcells ?? [];
  return html`<ul id="cells" class="cards" aria-label="CommCells">${cells.map((cell) => {
    const { light, says, foreign } = cellState(cell);
    const here = known.status.instance ? html` here, by ${said(known.status.instance)}` : "";
    return card(cell.name, light, said(cell.name), ["what", html`${says}${cell.reason && !foreign && html`: <span class="reason">${inWords(cell.reason)}</span>`}`],
      ["last", foreign ? (cell.owner ? "its light is on that member's page" : "") : html`${cell.answered ? `last answer ${ago(parse(cell.answered))} ago` : "no answer yet"}, ${counted(cell.unfinished ?? 0, "job")} followed${here}`],
      !foreign && cell.ring?.length > 0 && ["strip", Strip({ ring: cell.ring })]);
  })}</ul>`;
}

// Strip draws the last cycles: how long each took, and where nobody answered.
export function Strip({ ring, width = 30 }) {
  const cycles = ring.slice(-width);
  const most = Math.max(...cycles.map(([, took]) => took), 1);
  const missed = cycles.filter(([, , asked, answered]) => asked > 0 && !answered).length;
  return html`<svg class="cycles" viewBox="0 0 ${width * 4} 16" role="img" aria-label="the last ${counted(cycles.length, "cycle")}, ${missed} without an answer">${cycles.map(([at, took, asked, answered], i) => {
    const lost = asked > 0 && !answered;
    const tall = lost ? 16 : 3 + 12 * took / most;
    return html`<rect key=${at} class=${lost ? "bad" : answered < asked ? "part" : "good"} x=${(width - cycles.length + i) * 4} y=${16 - tall} width="3" height=${tall}><title>${short(at * 1000)}: ${took} ms, ${answered} of ${asked} answered</title></rect>`;
  })}</svg>`;
}

// ---- what needs somebody

const head = (...titles) => html`<thead><tr>${titles.map((title) => html`<th scope="col" key=${title}>${title}</th>`)}</tr></thead>`;
const more = (count, query, shown) => html`<a class="more" href=${to("jobs", { q: query })}>${count > shown ? `All ${number(count)}` : "As a list"}</a>`;

function Need() {
  const groups = alike();
  const count = attention().size;
  const { well, badly } = ranAgain();
  const rest = [`last run ended badly, stalled, or held over 30 minutes`, well && `${number(well)} made good since`, badly && `${number(badly)} ended badly again`].filter(Boolean).join("; ");
  return sheet("Needs attention", rest, groups.length ? html`<table class="short">${head("State", "Client, job", "Why", "Since")}
    <tbody id="need">${groups.slice(0, needShown).map((rows) => Needing(rows))}</tbody></table>` : html`<p class="empty">${known.loaded ? "Nothing." : "Loading…"}</p>`, more(count, "is:attention", groups.length && count));
}

function Needing(rows) {
  const [row] = rows;
  const { span, at } = since(row);
  return html`<tr key=${row.key} class="${row.shape} ${row.isBad ? "bad" : ""}"><td class="state">${shape(row.shape)}<span class="word">${said(stateOf(row))}</span>
      <span class="sub">${row.shape === "stalled" ? "stalled" : said(row.phase)} ${asOf(row)}</span></td>
    <td class="client"><b>${said(row.client || "–")}</b><span class="sub">${jobLink(row.key)} ${said(whatOf(row))}</span></td>
    <td class="reason">${said((row.shape === "stalled" ? stuckAt(row) : why(row)) || (row.shape === "held" ? `${row.state} for ${span}` : ""))}
      ${rows.length > 1 ? html`<span class="sub"><a href=${to("jobs", { q: `is:attention class:${row.shape}`, group: "reason" })}>${number(rows.length)} jobs like this</a>: ${said(rows.slice(0, namesShown).map((other) => other.client || other.key).join(", "))}${rows.length > namesShown && ", …"}</span>` : html`<span class="sub">${said(row.reason ? row.code : "")}</span>`}</td>
    <td class="since">${span}<span class="sub">${when(at, short)}</span></td></tr>`;
}

const stuckAt = (row) => [row.reason || row.code || `No progress for over ${ago(row.stuck)}`, row.phase, row.percent !== null && `${Math.round(row.percent)} %`].filter(Boolean).join(", ");

const toldOf = (key) => known.events.filter(({ event: { data: { job } } }) => job && `${job.commcell}/${job.id}` === key);

function Running() {
  const rows = unfinished();
  const cycles = new Map(known.status?.commcells.map((cell) => [cell.name, cell.ring ?? []]));
  return sheet("Running and waiting", "longest first", rows.length ? html`<svg class="unseen" aria-hidden="true"><${Hatch} /></svg><table class="short">${head("State", "Client, job", "Course so far", "Done", "Since")}<tbody id="running">${rows.slice(0, runShown).map((row) => {
    const { span, at } = since(row);
    const waits = row.shape !== "active" && row.shape !== "stalled" && why(row);
    return html`<tr key=${row.key} class="${row.shape} ${row.asOf ? "old" : ""}"><td class="state">${shape(row.asOf ? "unknown" : row.shape)}<span class="word">${said(stateOf(row))}</span><span class="sub phase">${asOf(row) || said(row.phase)}</span></td>
      <td class="client"><b>${said(row.client || "–")}</b><span class="sub">${jobLink(row.key)} ${said([operationOf(row), whatOf(row)].filter(Boolean).join(" · "))}</span></td>
      <td class="sofar">${Small({ row, events: toldOf(row.key), cycles: cycles.get(row.cell) ?? [] })}${waits && html`<span class="sub">${said(waits)}</span>`}</td>
      <td class="done">${done(row)}<span class="sub">${about(row)}</span></td>
      <td class="since">${span}<span class="sub">${row.start ? html`started ${when(row.start, short)}` : when(at, short)}</span></td></tr>`;
  })}</tbody></table>` : html`<p class="empty">${known.loaded ? "Nothing runs." : "Loading…"}</p>`, more(rows.length, "is:unfinished", runShown));
}

// ---- beside them

function Hours() {
  const bars = hours();
  const most = Math.max(4, ...bars.map((bar) => bar.good + bar.partial + bar.failed));
  const [tall, wide] = [92, 13];
  const sum = (part) => number(bars.reduce((all, bar) => all + bar[part], 0));
  const heights = (bar) => ["good", "partial", "failed"].map((part) => (bar[part] ? Math.max(2, bar[part] / most * tall) : 0));
  return sheet("Ended, by hour", "the last 24 hours", html`<svg id="hours" class="hours" viewBox="0 0 344 118" role="img" aria-label="Ended in 24 hours: ${sum("good")} well, ${sum("partial")} with errors, ${sum("failed")} failed or killed">
    <defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" class="part" /><rect width="1.6" height="4" class="cutout" /></pattern></defs>
    <text x="0" y="12">${number(most)}</text><line x1="26" x2="344" y1="8" y2="8" /><line x1="26" x2="344" y1="100" y2="100" />
    ${bars.map((bar, i) => {
      let y = 100;
      return html`<g key=${bar.at}><title>${hour(bar.at)}: ${bar.good} well, ${bar.partial} with errors, ${bar.failed} failed or killed</title>${heights(bar).map((height, part) => {
        y -= height;
        return height > 0 && html`<rect key=${part} class=${["good", "hatched", "bad"][part]} x=${28 + i * 13.2} y=${y} width=${wide - 2} height=${height} />`;
      })}${i % 6 === 0 && html`<text x=${28 + i * 13.2} y="115">${hour(bar.at)}</text>`}</g>`;
    })}</svg>`);
}

// A bad end is told as a state and as a failure: one line is enough here. And each job has a first attempt.
const worth = ({ event: { data: { change } } }) => !change || !((change.kind === "failure" && change.detail === "state") || (change.detail === "attempt" && change.to === "1"));

function Told() {
  const events = known.events.filter(worth).slice(0, toldShown);
  return sheet("Told just now", "", events.length ? html`<ol id="events" class="events">${events.map((event) => eventLine(event))}</ol>`
    : html`<p id="noevents" class="empty">Nothing was told yet. A change of a job's state or phase appears here as it is published.</p>`, html`<a class="more" href="?view=events">Events</a>`);
}

function Itself() {
  const { status } = known;
  if (!status) return "";
  const skipped = status.commcells.reduce((all, cell) => all + cell.ticksSkipped, 0);
  const slowest = Math.max(0, ...status.commcells.map((cell) => cell.tickSeconds));
  const waits = status.outbox?.unsent ?? status.unsent;
  const troubles = relayTroubles();
  const facts = [["Ready", status.ready ? "yes" : "no"], ["Waits for NATS", counted(waits, "event")], ["Slowest cycle", `${slowest.toFixed(1)} s`], ["Ticks skipped", number(skipped)],
    status.relays.length > 0 && ["Relays", html`<a href="?view=relays">${troubles.length ? `${number(troubles.length)} of ${counted(status.relays.length, "relay")} ${troubles.length === 1 ? "needs" : "need"} a look` : "all deliver"}</a>`], status.store && ["Store", bytes(status.store.bytes)]];
  return sheet("The watcher itself", "", html`<dl id="itself" class="facts three">${facts.filter(Boolean).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`, html`<a class="more" href="?view=watcher">Watcher</a>`);
}
