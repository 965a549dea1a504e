// What follows from the table: found and sorted, grouped, counted. Each is worked out once for each state of the table.

import { known } from "./state.js";
import { now } from "./time.js";
import { parse } from "./search.js";

export const classes = ["active", "stalled", "queued", "held", "failed", "partial", "killed", "succeeded", "unknown"];

// once gives what f gives, and works it out anew where the table has changed, or the arguments.
function once(f) {
  let [version, given, result] = [-1, "", null];
  return (...args) => {
    const name = args.join("\0");
    if (version !== known.version || given !== name) [version, given, result] = [known.version, name, f(...args)];
    return result;
  };
}

// counts are those that the search finds by class: what is stalled runs, too.
export const counts = once(() => {
  const of = Object.fromEntries(classes.map((c) => [c, 0]));
  for (const { shape, cls } of known.rows.values()) for (const name of shape === cls ? [cls] : [cls, shape]) of[name] = (of[name] ?? 0) + 1;
  return of;
});

const heldTooLong = 30 * 60_000;

// attention has what somebody should look at: of a subclient its last run, if that ended badly. It empties itself.
const lookedAt = once(() => {
  const lasts = new Map(); // of those that ended well or badly
  for (const row of known.rows.values()) {
    if (!row.isBad && !(row.ended && row.cls === "succeeded")) continue;
    const last = lasts.get(row.subject);
    if (!last || last.endedAt <= row.endedAt) lasts.set(row.subject, row);
  }
  const [need, again] = [new Map(), { well: 0, badly: 0 }]; // of those that ended badly, and have run again since
  for (const row of known.rows.values()) {
    const last = row.isBad && lasts.get(row.subject);
    if (last && last !== row) again[last.isBad ? "badly" : "well"]++;
  }
  for (const row of lasts.values()) if (row.isBad) need.set(row.key, row);
  for (const row of known.rows.values()) {
    if (row.shape === "stalled" || (!row.ended && row.cls === "held" && now() - row.since > heldTooLong)) need.set(row.key, row);
  }
  return { need, again };
});
const minute = () => Math.floor(now() / 60_000); // what is held grows older
export const attention = () => lookedAt(minute()).need;
export const ranAgain = () => lookedAt(minute()).again;

const severity = { failed: 0, killed: 1, stalled: 2, held: 3, partial: 4 };

// alike has the rows that need somebody by class and reason, the worst and latest first.
const alikeIn = once(() => {
  const groups = new Map();
  for (const row of attention().values()) {
    const key = [row.shape, row.reason || row.code || (row.failedVms ? "machines" : row.key)].join("\n");
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const all = [...groups.values()];
  for (const rows of all) rows.sort((a, b) => (b.since ?? 0) - (a.since ?? 0));
  return all.sort(([a], [b]) => severity[a.shape] - severity[b.shape] || (b.since ?? 0) - (a.since ?? 0));
});

export const alike = () => alikeIn(minute());

const unfinishedBut = once((...old) => [...known.rows.values()].filter((row) => !row.ended)
  .sort((a, b) => old.includes(a.cell) - old.includes(b.cell) || a.rank - b.rank || (a.start ?? a.since ?? Infinity) - (b.start ?? b.since ?? Infinity)));

// unfinished has what has not ended; what of it nobody can ask about comes last.
export const silentCells = () => (known.status?.commcells ?? []).filter(({ up }) => up === false).map(({ name }) => name);
export const unfinished = () => unfinishedBut(...silentCells());

// hours counts what ended in each of the last 24 hours: [{at, good, partial, failed}], the oldest first.
const hoursUntil = once((until) => {
  const bars = Array.from({ length: 24 }, (_, i) => ({ at: (until - 23 + i) * 3600_000, good: 0, partial: 0, failed: 0 }));
  for (const row of known.rows.values()) {
    const bar = row.ended && bars[Math.floor(row.endedAt / 3600_000) - until + 23];
    if (bar) bar[row.cls === "partial" ? "partial" : row.isBad ? "failed" : "good"]++;
  }
  return bars;
});
export const hours = () => hoursUntil(Math.floor(now() / 3600_000));

// ---- the list of jobs

const took = (row) => (row.start ? (row.ended ? row.endedAt : now()) - row.start : -1);
const values = {
  job: (row) => row.id, client: (row) => row.client.toLowerCase(), operation: (row) => row.operation + row.level, reason: (row) => row.reason.toLowerCase(),
  since: (row) => -(row.ended ? row.endedAt : row.since ?? row.start ?? 0), done: (row) => row.percent ?? -1, size: (row) => row.size ?? -1, took,
};

const byRank = (a, b) => a.rank - b.rank || (a.ended ? b.endedAt - a.endedAt : 0) || b.id - a.id || (a.key < b.key ? -1 : 1);
function by(sort) {
  const value = values[sort.replace("-", "")];
  if (!value) return byRank;
  const turn = sort.startsWith("-") ? -1 : 1;
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    return x < y ? -turn : x > y ? turn : byRank(a, b);
  };
}

const sorted = once((sort) => [...known.rows.values()].sort(by(sort)));
const found = once((query, sort) => sorted(sort).filter(parse(query, attention)));

export const groupings = {
  reason: (row) => row.reason || row.code, client: (row) => row.client, policy: (row) => row.policy,
};

// list has the rows of a query in their order, or between heads ({head, count}) the rows of each group, the largest first.
export const list = once((query, sort, group) => {
  const rows = found(query, sort);
  if (!groupings[group]) return { rows, items: rows };
  const groups = new Map();
  for (const row of rows) {
    const head = groupings[group](row);
    if (!groups.has(head)) groups.set(head, []);
    groups.get(head).push(row);
  }
  const items = [];
  for (const [head, of] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    items.push({ head, count: of.length });
    for (const row of of) items.push(row);
  }
  return { rows, items };
});
