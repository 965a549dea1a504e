// The jobs: found, sorted, grouped; of however many only those rows are elements that are seen.

import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { known, reachTo } from "./state.js";
import { classes, counts, groupings, list } from "./views.js";
import { about, asOf, coded, done, html, join, jobLink, labels, operationOf, said, shape, since, stateOf, visible, whatOf, when, why } from "./parts.js";
import { classesOf, quoted, unknownField, withClass } from "./search.js";
import { go, here, toJob, turned } from "./route.js";
import { counted, number, short, bytes, span, now } from "./time.js";

const beyond = 8; // rows that are elements above and below what is seen

let selected = ""; // key of a row

const asked = () => {
  const of = here();
  return [of.get("q") ?? "", of.get("sort") ?? "", of.get("group") ?? ""];
};

// ---- counts, above the list

export function Chips({ query, address }) {
  const of = known.loaded ? counts() : fromStatus();
  const on = classesOf(query);
  return html`<nav class="chips" aria-label="Jobs by class: those that have not ended, and those that did lately">${classes.map((cls) => html`
    <a key=${cls} id="chip-${cls}" href=${address(withClass(query, cls))} class="${cls} ${of[cls] ? "" : "none"}" aria-current=${on.includes(cls) ? "true" : null}>${shape(cls)}<b>${of[cls] === undefined ? "…" : number(of[cls])}</b> ${labels[cls]}</a>`)}</nav>`;
}

// fromStatus counts before the table is here.
function fromStatus() {
  const { jobs, jobs24h, stalled } = known.status ?? {};
  if (!jobs) return {};
  const { active, queued, held } = jobs.classes;
  return { active, queued, held, stalled, ...jobs24h };
}

function count(rows, query) {
  const { status, loaded } = known;
  const parts = [];
  if (!loaded) parts.push(status?.jobs ? `loading ${number(status.jobs.all)} jobs…` : "loading…");
  else parts.push(query ? `${number(rows.length)} of ${counted(known.rows.size, "job")} match` : counted(rows.length, "job"));
  if (status?.jobs) {
    const of = status.jobs.classes;
    parts.push(`of all: ${number(of.active)} running, ${number(of.failed + of.killed + of.partial)} failed or incomplete, ${number(status.jobs.all)} in all`);
  }
  return parts.join("; ");
}

// ---- the list

const columns = [["State", ""], ["Client, job", "client"], ["Operation", "operation"], ["Reason", "reason"], ["Done", "done"], ["Size", "size"], ["Since", "since"], ["Runs, took", "took"]];

function Head({ sort }) {
  return html`<thead><tr>${columns.map(([title, by]) => {
    const on = sort.replace("-", "") === by;
    const turn = on && by && !sort.startsWith("-") ? `-${by}` : by;
    return html`<th scope="col" key=${title} class="c-${by || "state"}" aria-sort=${on && by ? (sort.startsWith("-") ? "descending" : "ascending") : null}><a href=${turned({ sort: turn })}>${title}</a></th>`;
  })}</tr></thead>`;
}

function Row({ row, index }) {
  const { span: age, at } = since(row);
  const reason = why(row);
  return html`<tr data-key=${row.key} onClick=${() => { selected = row.key; }} aria-rowindex=${index} class="${row.shape} ${row.asOf ? "old" : ""} ${row.ended ? "ended" : ""} ${row.isBad ? "bad" : ""} ${row.key === selected ? "on" : ""}">
    <td class="state">${shape(row.asOf ? "unknown" : row.shape)}<span class="word">${said(stateOf(row))}</span>${(row.phase || row.asOf || row.shape === "stalled") && html`<span class="sub phase">${join([row.shape === "stalled" && "stalled", row.phase && said(row.phase), asOf(row)])}</span>`}</td>
    <td class="client"><b>${said(row.client || "–")}</b><span class="sub">${jobLink(row.key)} ${said(whatOf(row))}</span></td>
    <td class="operation">${said(operationOf(row))}<span class="sub">${said(row.policy)}</span></td>
    <td class="reason" title=${visible(reason)}><span>${said(reason)} ${row.reason && said(coded(row.code))}</span></td>
    <td class="done">${done(row)}<span class="sub">${about(row)}</span></td>
    <td class="size">${row.size ? bytes(row.size) : ""}</td>
    <td class="since">${age}<span class="sub">${when(at, short)}</span></td>
    <td class="took">${row.start ? span((row.ended ? row.endedAt : now()) - row.start) : ""}</td></tr>`;
}

const Group = ({ item, group, index }) => html`<tr class="group" aria-rowindex=${index}><td colspan="8"><b>${number(item.count)} ×</b> ${item.head
  ? html`<a href=${turned({ q: `${asked()[0]} ${group}:${quoted(item.head)}`.trim() })}>${said(item.head)}</a>` : "nothing said"}</td></tr>`;

const rowHeight = () => (matchMedia("(max-width: 760px)").matches ? 132 : 47);

function Table({ items, sort, group }) {
  const box = useRef();
  const [seen, setSeen] = useState({ top: 0, height: 800 });
  const look = () => box.current && setSeen({ top: box.current.scrollTop, height: box.current.clientHeight }); // it may be called once more behind the view's end
  useLayoutEffect(() => {
    reveal(box.current, items.findIndex((item) => item.key === selected && selected)); // where one comes back to it
    look();
  }, []);
  useEffect(() => {
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  }, []);
  const tall = rowHeight();
  const from = Math.max(0, Math.min(Math.floor(seen.top / tall) - beyond, items.length - 1));
  const until = Math.min(items.length, Math.ceil((seen.top + seen.height) / tall) + beyond);
  const space = (rows, key) => html`<tr key=${key} class="space" aria-hidden="true"><td colspan="8" style=${{ height: `${rows * tall}px` }}></td></tr>`;
  return html`<div class="rows" ref=${box} onScroll=${look} tabindex="0" role="region" aria-label="Jobs">
    <table aria-rowcount=${items.length + 1}><caption class="unseen">Running jobs first, then those that wait, of both the longest first; then those that failed or are incomplete, then those that ended well</caption>
    <${Head} sort=${sort} /><tbody id="jobs">${space(from, "above")}
    ${items.slice(from, until).map((item, i) => (item.key ? html`<${Row} key=${item.key} row=${item} index=${from + i + 2} />` : html`<${Group} key=${`group ${item.head}`} item=${item} group=${group} index=${from + i + 2} />`))}
    ${space(items.length - until, "below")}</tbody></table></div>`;
}

export function Jobs() {
  const [query, sort, group] = asked();
  const since = here().get("since") ?? "24h";
  useEffect(() => reachTo(since), [since]);
  const { rows, items } = list(query, sort, group);
  const choose = (name) => (change) => go(turned({ [name]: change.currentTarget.value }), true);
  return html`<h1 class="unseen">Jobs</h1>
    <${Chips} query=${query} address=${(q) => turned({ q })} />
    <section class="sheet list"><header><p id="count" role="status" aria-live="off" title="The list has what has not ended, and what ended within the time chosen">${count(rows, query)}</p>
      <label>by <select id="group" onChange=${choose("group")}>${["", ...Object.keys(groupings)].map((name) => html`<option key=${name} value=${name} selected=${name === group}>${name || "no group"}</option>`)}</select></label>
      <label>ended within <select id="since" onChange=${choose("since")}>${["1h", "8h", "24h", "72h", "168h"].map((of) => html`<option key=${of} value=${of} selected=${of === since}>${parseInt(of, 10) < 72 ? counted(parseInt(of, 10), "hour") : `${parseInt(of, 10) / 24} days`}</option>`)}</select></label>
      <span class="sorts"><label>order <select id="sort" onChange=${choose("sort")}>${columns.map(([title, by]) => html`<option key=${by} value=${by} selected=${by === sort.replace("-", "")}>${by ? title : "running first, the longest"}</option>`)}</select></label>
      <button type="button" id="turn" onClick=${() => go(turned({ sort: !sort ? "since" : sort.startsWith("-") ? sort.slice(1) : `-${sort}` }), true)}>↑↓ <span class="unseen">the other way round</span></button></span>
      <button type="button" id="csv" onClick=${() => save(rows, "csv")}>CSV</button><button type="button" id="json" onClick=${() => save(rows, "json")}>JSON</button></header>
    ${items.length ? html`<${Table} key=${query + sort + group} ...${{ items, sort, group }} />` : html`<p id="nojobs" class="empty">${none(query)}</p>`}</section>`;
}

function none(query) {
  if (!known.loaded) return "Loading…";
  const strange = unknownField(query);
  if (strange && known.rows.size) return `No job has these words, and ${strange}: is no field of the search; ? names them.`;
  if (query && known.rows.size) return "No job has these words. Clear the search to see all of them.";
  return "No job is known yet. Jobs appear as soon as the CommServe lists them; if it has running ones, see that the user of commcells[].auth may view them.";
}

// ---- keys

export function jobKeys(key) {
  const { rows } = list(...asked());
  const at = rows.findIndex((row) => row.key === selected);
  const box = document.querySelector(".rows");
  if (key === "o" && document.querySelector("tr.on")) open(toJob(selected), "_blank", "noopener");
  if (!box || !["j", "k", "Escape"].includes(key)) return;
  const next = rows[key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)];
  selected = key === "Escape" || !next ? "" : next.key;
  if (!selected) document.activeElement?.blur();
  reveal(box, list(...asked()).items.indexOf(next));
  mark(20);
}

// reveal scrolls to the row at a place in the list, if it is not seen.
function reveal(box, place) {
  const tall = rowHeight();
  const head = box.querySelector("thead").offsetHeight;
  if (place < 0) return;
  if (place * tall < box.scrollTop) box.scrollTop = place * tall;
  if ((place + 1) * tall + head > box.scrollTop + box.clientHeight) box.scrollTop = (place + 1) * tall + head - box.clientHeight;
}

// mark gives the selected row the focus, as soon as it is an element.
function mark(tries) {
  document.querySelectorAll("tr.on").forEach((row) => row.classList.remove("on"));
  const row = selected && document.querySelector(`tr[data-key="${CSS.escape(selected)}"]`);
  if (row) {
    row.classList.add("on");
    row.querySelector("a.job").focus({ preventScroll: true });
  } else if (selected && tries) {
    requestAnimationFrame(() => mark(tries - 1));
  }
}

// ---- export

const exported = ["cell", "id", "state", "cls", "ended", "phase", "client", "agent", "backupset", "subclient", "policy", "mediaAgent", "operation", "level", "startedBy",
  "reason", "code", "failures", "failedVms", "vmsFailed", "vmsTotal", "percent", "size"];
const titles = { cell: "commcell", cls: "class", ended: "terminal" };
const iso = (ms) => (ms ? new Date(ms).toISOString() : null);
const plain = (row) => ({ ...Object.fromEntries(exported.map((name) => [titles[name] ?? name, row[name]])), start: iso(row.start), end: iso(row.end), stateSince: iso(row.since), stalledSince: iso(row.stalled) });

// cellOf is a field of CSV. A spreadsheet would take what begins so for a formula.
function cellOf(value) {
  const text = String(value ?? "");
  return `"${(typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function save(rows, form) {
  const all = rows.map(plain);
  const names = Object.keys(plain({}));
  const text = form === "json" ? JSON.stringify(all, null, 1) : [names.join(","), ...all.map((one) => names.map((name) => cellOf(one[name])).join(","))].join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: form === "json" ? "application/json" : "text/csv" }));
  link.download = `jobs.${form}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
