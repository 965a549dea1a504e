// The relays, which bring events to people and programs: what each does, and which of them lags.

import { known, silent } from "./state.js";
import { card, html, said } from "./parts.js";
import { Readers } from "./events.js";
import { ago, counted, now, number, parse } from "./time.js";

const states = {
  starting: (to) => `starts to deliver to ${to}`,
  standby: (to) => `stands by: another watcher delivers to ${to}`,
  delivering: (to) => `delivers to ${to}`,
  away: (to) => `${to} is away`,
  off: (to) => `is off; to ${to}`,
  stopped: (to) => `cannot start; to ${to}`,
};
const slow = 60_000; // an event may wait so long

const toOf = ({ to, receiver }) => (receiver ? `${to} ${receiver}` : to);
const lags = (relay) => relay.oldest && now() - parse(relay.oldest) > slow;
const waitsOf = ({ pending, oldest }) => `${counted(pending, "event waits", "events wait")}${oldest ? `, the oldest for ${ago(parse(oldest))}` : ""}`;

function lightOf(relay) {
  if (relay.alarm || relay.state === "away" || relay.state === "stopped") return "down";
  if (relay.state !== "delivering") return relay.state === "off" ? "note" : "";
  return lags(relay) || relay.dead ? "note" : "up";
}

// relayTroubles are the relays that somebody should look at: {name, light, says}.
export const relayTroubles = () => (known.status?.relays ?? []).map((relay) => ({ name: relay.name, light: lightOf(relay), says: saysOf(relay) })).filter(({ light, says }) => says && light !== "up" && light !== "");
function saysOf(relay) {
  if (relay.alarm) return "stands still";
  if (relay.state !== "delivering") return { away: "reaches nobody", off: "is off", stopped: "cannot start" }[relay.state] ?? "";
  if (lags(relay)) return `is ${counted(relay.pending, "event")} behind`;
  return relay.dead ? `has ${counted(relay.dead, "dead letter")}` : "";
}

function factsOf(relay) {
  const facts = [relay.pending ? waitsOf(relay) : "nothing waits"];
  if (relay.parked) facts.push(`${counted(relay.parked, "job")} set aside`);
  if (relay.dead) facts.push(counted(relay.dead, "dead letter"));
  if (relay.missed) facts.push(`${number(relay.missed)} missed`);
  const last = known.status.readers?.find(({ name }) => name === `relay-${relay.name}`)?.lastDelivered;
  if (last && relay.pending) facts.push(`the last went out ${ago(parse(last))} ago`);
  if (relay.holder) facts.push(`runs on ${relay.holder}`);
  return facts.join("; ");
}

export function Relays() {
  const { status } = known;
  if (!status) return html`<h1>Relays</h1><p class="empty">Loading…</p>`;
  return html`<h1>Relays</h1><ul id="relays" class="cards wide">${status.relays.map((relay) => {
    const does = relay.alarm ? `stands still; to ${toOf(relay)}` : states[relay.state]?.(toOf(relay)) ?? relay.state;
    return card(relay.name, silent() ? "" : lightOf(relay), said(relay.name), ["what", silent() ? "nothing heard of it" : said(relay.state === "starting" ? does : `${does}, for ${ago(parse(relay.since))}${lags(relay) && relay.state === "delivering" ? "; it is behind" : ""}`)],
      relay.reason && ["reason", said(relay.reason)], ["last", said(factsOf(relay))]);
  })}</ul>${status.relays.length === 0 && html`<p id="norelays" class="empty">No relay runs here. Relays bring events to Slack, mail, webhooks and an audit file; see docs/relays.md.</p>`}<${Readers} />`;
}
