// The search: words, "phrases", -not these, field:word with * for anything, class:failed,killed.

const text = (name) => (row, has) => has(row[name].toLowerCase());
const some = (...names) => (row, has) => names.some((name) => has(row[name].toLowerCase()));

const fields = {
  state: text("state"), phase: text("phase"), client: text("client"), agent: text("agent"), backupset: text("backupset"), subclient: text("subclient"), policy: text("policy"),
  ma: text("mediaAgent"), level: text("level"), by: text("startedBy"), code: text("code"), op: text("operation"),
  reason: some("reason", "failedVms"), vm: text("failedVms"), cell: (row, has) => has(row.cell.toLowerCase()),
  job: (row, has) => has(row.key.toLowerCase()),
};
export const fieldNames = ["class", "is", ...Object.keys(fields)];
export const unknownField = (query) => [...query.matchAll(pieces)].map(([, , field]) => field?.toLowerCase()).find((field) => field && !fieldNames.includes(field));

const is = {
  running: (row) => !row.ended && row.cls === "active",
  waiting: (row) => !row.ended && row.cls !== "active",
  unfinished: (row) => !row.ended,
  ended: (row) => row.ended,
  bad: (row) => row.isBad,
  stalled: (row) => row.shape === "stalled",
};

const pieces = /(-)?(?:([a-z]+):)?(?:"([^"]*)"?|([^\s"]+))/giu;
const plain = (words) => words.replace(/[.+?^${}()|[\]\\]/g, "\\$&");

function matcher(words) {
  const wanted = words.toLowerCase();
  if (!wanted.includes("*")) return (text) => text.includes(wanted);
  const pattern = new RegExp(`^${plain(wanted).replace(/\*+/g, ".*")}$`, "s");
  return (text) => pattern.test(text);
}

function term(field, words, attention) {
  if (field === "class") {
    const wanted = words.toLowerCase().split(",");
    return (row) => wanted.includes(row.shape) || wanted.includes(row.cls);
  }
  if (field === "is" && words === "attention") return (row) => attention().has(row.key);
  if (field === "is" && is[words]) return is[words];
  if (field && fields[field]) {
    const has = matcher(words);
    return (row) => fields[field](row, has);
  }
  const has = matcher((field ? `${field}:` : "") + words);
  return words.includes("*") ? (row) => row.text.split("\n").some(has) : (row) => has(row.text);
}

// parse makes a query a predicate; attention gives the keys of the jobs that need somebody.
export function parse(query, attention) {
  const terms = [...query.matchAll(pieces)].map(([, not, field, phrase, word]) => {
    const holds = term(field?.toLowerCase(), phrase ?? word, attention);
    return not ? (row) => !holds(row) : holds;
  });
  return (row) => terms.every((holds) => holds(row));
}

// classOf gives the classes that a query asks for, and withClass the query for others.
const classTerm = /(^|\s)class:(\S+)/i;
export const classesOf = (query) => query.match(classTerm)?.[2].toLowerCase().split(",") ?? [];
export function withClass(query, cls) {
  const classes = classesOf(query);
  const wanted = classes.includes(cls) ? classes.filter((c) => c !== cls) : [...classes, cls];
  const rest = query.replace(classTerm, " ").trim();
  return [wanted.length ? `class:${wanted.join(",")}` : "", rest].filter(Boolean).join(" ");
}
export const quoted = (words) => `"${words.replaceAll('"', "*")}"`;
