// The course of a job, from its events. A change lies somewhere between two looks: its edge is slanted from the one to the
// other. Where the CommServe did not answer nothing is known, and the chart says so.

import { useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { coded, drawn, endOf, html, labels, said, shape, visible, when } from "./parts.js";
import { known, silent, silentSince, stallAfter } from "./state.js";
import { clock, hour, now, parse, short, span } from "./time.js";

const right = 10;
const talls = { State: 28, Phase: 24, Attempt: 16, Failures: 20, CommServe: 14, Cycles: 12 };

// rowsOf places the rows that have something in them: {name: [y, height]}.
function rowsOf(names) {
  let y = 6;
  return Object.fromEntries(names.map((name) => {
    const at = [name, [y, talls[name]]];
    y += talls[name] + 10;
    return at;
  }));
}

// looksOf has one entry for all events of one answer: {from, at, job, failed: [event]}.
function looksOf(events) {
  const looks = new Map();
  for (const { event } of events) {
    const { change, job } = event.data;
    if (!job) continue;
    const look = looks.get(change.observedAt) ?? { from: parse(change.notBefore) ?? parse(change.observedAt), at: parse(change.observedAt), failed: [] };
    look.job = job;
    if (change.kind === "failure" && change.detail !== "state") look.failed.push(change);
    looks.set(change.observedAt, look);
  }
  return [...looks.values()].sort((a, b) => a.at - b.at);
}

// logOf has what the CommServe's own feed told of the job, each once, by its own clock: {at, code, severity, text}.
export function logOf(events) {
  const log = new Map(events.flatMap(({ event }) => event.data.change?.log ?? []).map((entry) => [`${entry.time} ${entry.code} ${entry.text}`, { ...entry, at: parse(entry.time), words: [entry.text, coded(entry.code)].filter(Boolean).join(" ") }]));
  return [...log.values()].sort((a, b) => a.at - b.at);
}
const logShapes = { minor: "partial", major: "failed", critical: "failed" };

// stretches are the times in which something stayed: {from, at, until, ends, value, cls}.
function stretches(looks, valueOf, end) {
  const all = [];
  for (const look of looks) {
    const value = valueOf(look.job);
    if (all.length && all.at(-1).value === value) continue;
    if (all.length) Object.assign(all.at(-1), { ends: look.from, until: look.at });
    all.push({ from: look.from, at: look.at, ends: end, until: end, value, cls: look.job.stateClass ?? "unknown" });
  }
  return all.filter((one) => one.value);
}

// stallsOf are the times without progress, as far as they were told, from when it ended, at least: {from, until, open}.
function stallsOf(events, job, end) {
  const all = [];
  for (const { event: { data: { change, job: of } } } of events) {
    const at = parse(change?.observedAt);
    const last = all.at(-1);
    if (change?.kind === "watch" && change.detail === "stalled") all.push({ from: at - stallAfter(job.commcell), until: end, open: true });
    else if (last?.open && (change?.detail === "resumed" || change?.kind === "state" || of?.terminal)) Object.assign(last, { until: at, open: false });
  }
  if (job.stalledSince && !job.terminal && !all.at(-1)?.open) all.push({ from: parse(job.stalledSince), until: end, open: true });
  if (job.noProgressSince && all.at(-1)?.open) all.at(-1).from = parse(job.noProgressSince);
  return all;
}

// silences are the times in which whole cycles got no answer: from the last that got one to the next that does.
// last is when the CommCell answered last, where that was before the first of them.
function silences(cycles, from, until, last) {
  const all = [];
  let open = null;
  let answered = null;
  for (const [at, took, asked, got] of cycles) {
    const began = at * 1000;
    if (asked > 0 && got === 0) open ??= { from: answered ?? Math.min(last ?? began, began), until: began + took };
    else if (got > 0) {
      if (open) all.push({ from: open.from, until: began });
      [open, answered] = [null, began + took];
    }
    if (open) open.until = began + took;
  }
  if (open) all.push({ ...open, until: now() });
  return all.map((gap) => ({ from: Math.max(gap.from, from), until: Math.min(gap.until, until) })).filter((gap) => gap.until > gap.from);
}

export function Course({ job, events, cycles, asTable }) {
  const looks = looksOf(events);
  if (!looks.length) return html`<p class="empty">Nothing was told of it yet.</p>`;
  const log = logOf(events);
  const begun = Math.min(looks[0].from, parse(job.startTime) ?? Infinity);
  const from = Math.min(begun, ...log.map((entry) => entry.at).filter((at) => at > begun - 3600_000)); // a clock may be wrong
  const until = Math.max(job.terminal ? looks.at(-1).at : now(), from + 1000);
  const end = job.terminal ? until + 1 : until; // behind it is room for the last state's word
  const all = {
    State: stretches(looks, (of) => of.state, end),
    Phase: stretches(looks, (of) => of.phase, end),
    Attempt: stretches(looks, (of) => (of.attempt && !of.terminal ? String(of.attempt) : ""), end),
  };
  const gaps = silences(cycles, from, until, silentSince(job.commcell));
  const stalls = stallsOf(events, job, until).map((stall) => ({ ...stall, from: Math.max(stall.from, from) }));
  return asTable ? html`<${AsTable} ...${{ all, looks, log, gaps, stalls, end }} open=${!job.terminal} />` : html`<${Chart} ...${{ all, looks, log, gaps, stalls, cycles, from, until, ended: job.terminal }} />`;
}

// Hatch is the ground of what nobody answered for: one of a page.
export const Hatch = () => html`<defs><pattern id="gap" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" class="gapground" /><rect width="1.8" height="7" class="gapline" /></pattern></defs>`;

// useWidth has the width that an element gets, so that what is drawn there need not be made smaller, its words with it.
function useWidth(first) {
  const [wide, set] = useState(first);
  const ref = useRef();
  useLayoutEffect(() => {
    const seen = new ResizeObserver(([{ contentRect }]) => set(Math.max(200, Math.floor(contentRect.width))));
    seen.observe(ref.current);
    return () => seen.disconnect();
  }, []);
  return [ref, wide];
}

const perLetter = 7.5;

function Chart({ all, looks, log, gaps, stalls, cycles, from, until, ended }) {
  const [ref, wide] = useWidth(1160);
  const left = wide < 560 ? 70 : 84;
  const seen = cycles.filter(([at]) => at * 1000 >= from && at * 1000 <= until);
  const missed = seen.filter(([, , asked, got]) => asked > 0 && !got);
  const rowsAt = rowsOf(["State", "Phase", all.Attempt.length && "Attempt", looks.some((look) => look.failed.length) && "Failures", log.length && "CommServe", seen.length && "Cycles"].filter(Boolean));
  const low = Object.values(rowsAt).at(-1).reduce((y, tall) => y + tall) + 6;
  const last = all.State.at(-1);
  if (ended && last && wide < 700) last.word = labels[last.cls] ?? last.value;
  const room = ended && last ? Math.min((last.word ?? visible(last.value)).length * perLetter + 18, (wide - left) / 3) : 0;
  const x = (ms) => (ms > until ? wide - right : left + (ms - from) / (until - from) * (wide - left - right - room));
  const inside = (ms) => ms >= from && ms <= until;
  const Word = (at, y, cls, words) => {
    const half = words.length * perLetter / 2; // which keeps within the drawing
    return html`<text class=${cls} x=${Math.max(left + half, Math.min(wide - half, at))} y=${y} text-anchor="middle">${words}</text>`;
  };
  return html`<div class="drawing"><div ref=${ref}><svg id="course" class="course" width=${wide} height=${low + 20} viewBox="0 0 ${wide} ${low + 20}" role="img" aria-label="States, phases and failures over time; the same under Table">
    <${Hatch} />
    ${ticks(from, until, Math.max(2, Math.floor((wide - left) / 90))).map((at) => html`<g key=${at}><line x1=${x(at)} x2=${x(at)} y1="2" y2=${low} />${Word(x(at), low + 16, "tick", hour(at))}</g>`)}
    ${Object.entries(rowsAt).map(([name, [y, tall]]) => html`<text key=${name} x="0" y=${y + tall / 2 + 4}>${name}</text>`)}
    ${Object.entries(all).map(([name, of]) => of.map((one, i) => Bar(one, name, rowsAt[name], x, i)))}
    ${stalls.map((stall) => html`<g key=${stall.from} class="bar stalled"><title>no progress from ${clock(stall.from)} ${stall.open ? "until now" : `to ${clock(stall.until)}`}</title><rect x=${x(stall.from)} y=${rowsAt.State[0]} width=${Math.max(2, x(stall.until) - x(stall.from))} height=${rowsAt.State[1]} />
      ${x(stall.until) - x(stall.from) > 56 && html`<text x=${x(stall.from) + 6} y=${rowsAt.State[0] + 18}>stalled</text>`}</g>`)}
    ${looks.filter((look) => look.failed.length).map((look) => html`<g key=${look.at} class="mark" transform="translate(${x(look.at) - 8},${rowsAt.Failures[0]})"><title>${clock(look.at)}: ${look.failed.map((c) => visible(`${c.vm ? `${c.vm}: ` : ""}${c.to ?? ""}`)).join("; ")}</title>${drawn("partial")}${look.failed.length > 1 && html`<text x="18" y="13">${look.failed.length}</text>`}</g>`)}
    ${log.filter((entry) => inside(entry.at)).map((entry, i) => html`<svg key=${i} class="said ${logShapes[entry.severity] ?? ""}" x=${x(entry.at) - 7} y=${rowsAt.CommServe[0]} width="14" height="14" viewBox="0 0 16 16"><title>${clock(entry.at)}: ${visible(entry.words)}</title>${logShapes[entry.severity] ? drawn(logShapes[entry.severity]) : html`<circle cx="8" cy="8" r="5" fill="currentColor" />`}</svg>`)}
    ${seen.length > 0 && html`<g class="cycle"><title>${seen.length} looks at the CommCell</title><rect x=${x(seen[0][0] * 1000)} width=${Math.max(2, x(seen.at(-1)[0] * 1000) - x(seen[0][0] * 1000))} y=${rowsAt.Cycles[0] + 4} height="4" /></g>`}
    ${missed.map(([at]) => html`<line key=${at} class="cycle bad" x1=${x(at * 1000)} x2=${x(at * 1000)} y1=${rowsAt.Cycles[0]} y2=${rowsAt.Cycles[0] + 12} />`)}
    ${gaps.map((gap) => html`<g key=${gap.from} class="gap"><title>no answer from ${clock(gap.from)} to ${clock(gap.until)}</title><rect x=${x(gap.from)} y="2" width=${Math.max(2, x(gap.until) - x(gap.from))} height=${low - 2} fill="url(#gap)" />
      ${x(gap.until) - x(gap.from) > 30 && Word((x(gap.from) + x(gap.until)) / 2, rowsAt.Phase[0] + 40, "", `no answer, ${span(gap.until - gap.from)}`)}</g>`)}
  </svg></div></div>
  <p class="legend"><span><svg viewBox="0 0 18 10" class="shape active" aria-hidden="true"><path d="M0 10L9 0h9v10z" fill="currentColor" /></svg> slanted edge: changed between two looks</span>
    ${gaps.length > 0 && html`<span><i class="hatch"></i> the CommServe did not answer: nothing is known</span>`}${stalls.length > 0 && html`<span>${shape("stalled")} no progress</span>`}${rowsAt.Failures && html`<span>${shape("partial")} something failed</span>`}${log.length > 0 && html`<span>CommServe: what it told itself, by its own clock</span>`}
    ${seen.length > 0 && html`<span>Cycles: ${seen.length} looks at the CommCell since ${clock(seen[0][0] * 1000)}${missed.length > 0 && `, ${missed.length} without an answer`}</span>`}</p>`;
}

function Bar(one, name, [y, tall], x, i) {
  const [a, b, c, d] = [x(one.from), x(one.at), x(one.until), x(one.ends)];
  const room = (c + d) / 2 - b;
  const text = one.word ?? visible(one.value);
  const fits = Math.floor((room - 8) / perLetter);
  return html`<g key=${`${name} ${i}`} class="bar ${name.toLowerCase()} ${one.cls}" data-soft=${one.at > one.from}><title>${visible(one.value)}: from ${one.at > one.from ? `between ${clock(one.from)} and ` : ""}${clock(one.at)}</title>
    <path d="M${a} ${y + tall}L${b} ${y}H${Math.max(b, c - 1)}L${Math.max(a, d - 1)} ${y + tall}z" />
    ${fits > 2 && html`<text x=${b + 6} y=${y + tall / 2 + 4}>${text.length > fits ? `${text.slice(0, fits - 1)}…` : text}</text>`}</g>`;
}

const steps = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800].map((s) => s * 1000);
function ticks(from, until, most) {
  const step = steps.find((s) => (until - from) / s <= Math.min(8, most)) ?? steps.at(-1) * 4;
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) all.push(at);
  return all;
}

function AsTable({ all, looks, log, gaps, stalls, open, end }) {
  const lines = [
    ...Object.entries(all).flatMap(([name, of]) => of.map((one) => [one.from, one.at, open && one.ends === end ? "still" : one.ends === end ? "" : span(one.ends - one.at), name, one.value])),
    ...looks.flatMap((look) => look.failed.map((c) => [look.from, look.at, "", `Failure ${c.detail}`, `${c.vm ? `${c.vm}: ` : ""}${c.to ?? ""}`])),
    ...log.map((entry) => [entry.at, entry.at, "", "The CommServe told", entry.words]),
    ...gaps.map((gap) => [gap.from, gap.from, span(gap.until - gap.from), "No answer", "nothing is known"]),
    ...stalls.map((stall) => [stall.from, stall.from, stall.open ? "still" : span(stall.until - stall.from), "Stalled", "no progress"]),
  ].sort((a, b) => a[1] - b[1]);
  return html`<table class="short" id="coursetable"><thead><tr>${["Seen", "Not before", "For", "What", ""].map((title) => html`<th scope="col" key=${title}>${title || html`<span class="unseen">Value</span>`}</th>`)}</tr></thead>
    <tbody>${lines.map(([from, at, lasted, name, value], i) => html`<tr key=${i}><td class="at">${when(at, clock)}</td><td class="before">${from < at ? when(from, clock) : ""}</td><td class="lasted">${lasted}</td><td class="name">${name}</td><td class="value">${said(value)}</td></tr>`)}</tbody></table>`;
}

// ---- in small

// soFar are the stretches of a job that has not ended, of what the page knows without asking. Before that nothing is known.
function soFar(row, events) {
  const looks = looksOf(events);
  const at = now();
  const all = stretches(looks, (of) => [of.state, of.phase].filter(Boolean).join(", ") || "no state told", at);
  const before = (from, value, cls) => all.unshift({ from, at: from, until: all[0]?.at ?? at, ends: all[0]?.from ?? at, value, cls });
  if (row.since && !(all[0]?.at <= row.since)) before(row.since, row.state || "no state told", row.cls);
  if (row.start && !(all[0]?.from <= row.start)) before(row.start, "not known", "nothing");
  return all;
}

// Small draws the course of a row, and in an outline until when it may last.
export function Small({ row, events, cycles }) {
  const all = soFar(row, events);
  if (!all.length) return "";
  const from = all[0].from;
  const until = Math.max(endOf(row) ?? 0, now(), from + 1000);
  const x = (ms) => ((ms - from) / (until - from) * 200).toFixed(1);
  const gaps = silences(cycles, from, now(), row.asOf);
  if (silent()) gaps.push({ from: Math.max(from, now() - (Date.now() - known.heard)), until: now() });
  const lasted = (one, name) => `${visible(name)} ${span(one.until - one.at)}`;
  const words = [...all.map((one) => lasted(one, one.value)), ...gaps.map((gap) => `no answer from ${clock(gap.from)} to ${clock(gap.until)}`), row.shape === "stalled" && `no progress since ${clock(row.stuck)}`, endOf(row) && `until about ${short(endOf(row))}`].filter(Boolean).join("; ");
  return html`<svg class="small" viewBox="0 0 200 10" preserveAspectRatio="none" role="img" aria-label="Course: ${words}"><title>${words}</title>
    ${until > now() && html`<rect class="ahead" x=${x(now())} y=".5" width=${200 - x(now())} height="9" />`}
    ${all.map((one, i) => html`<g key=${i} class="bar ${one.cls}"><path d="M${x(one.from)} 10L${x(one.at)} 0H${x(one.until)}L${x(one.ends)} 10z" /></g>`)}
    ${row.shape === "stalled" && html`<rect class="bar stalled" x=${x(Math.max(row.stuck, from))} y="0" width=${x(now()) - x(Math.max(row.stuck, from))} height="10" />`}
    ${gaps.map((gap) => html`<rect key=${gap.from} class="lull" x=${x(gap.from)} y="0" width=${Math.max(2, x(gap.until) - x(gap.from))} height="10" fill="url(#gap)" />`)}</svg>
    <span class="sub">${row.shape === "stalled" ? html`no progress since ${when(row.stuck, short)}` : `${all.length > 3 ? "… " : ""}${all.slice(-3).map((one) => lasted(one, one.value.split(", ").pop())).join(", ")}`}</span>`;
}
