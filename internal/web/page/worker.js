// The worker that all tabs of a browser share: it holds the one line, for a browser opens no more than six to a host.

import { hold } from "./hold.js";

const keeps = 500;       // events, for a tab that comes
const ports = new Set();
const recent = [];
const last = {};         // what came last of each kind that replaces what came before

function hand(message) {
  if (message.kind === "event") {
    recent.push(message);
    if (recent.length > keeps) recent.shift();
  } else if (message.kind !== "progress") {
    if (message.kind === "gone") recent.length = 0; // no gap is among them
    last[message.kind === "status" ? "status" : "line"] = { ...message, came: Date.now() };
  }
  for (const port of ports) port.postMessage(message);
}

let holds = false;
self.onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = ({ data }) => { if (data === "bye") ports.delete(port); };
  for (const message of [last.line, last.status, ...recent]) if (message) port.postMessage(message);
  port.postMessage({ kind: "joined" });
  if (!holds) hold(hand);
  holds = true;
};
