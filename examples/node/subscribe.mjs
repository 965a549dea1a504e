// Takes jobwatch's events through a durable JetStream consumer, which gives what was told while this program
// was away, and again what it did not acknowledge. What it does with an event is to write it into a ledger, each
// once, whatever is killed.
//
//   npm ci
//   node subscribe.mjs nats://127.0.0.1:4222 ledger.jsonl
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { connect, nanos } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";

// An event's id stands in the same line as the effect, so that no crash can come between the two; a database would have
// both in one transaction.
class Ledger {
  constructor(name) {
    this.file = openSync(name, "a+");
    const text = readFileSync(name);
    const whole = text.lastIndexOf("\n") + 1; // a line that a crash has cut short is none: its event comes again
    ftruncateSync(this.file, whole);
    const lines = text.subarray(0, whole).toString().split("\n").filter(Boolean);
    this.ids = new Set(lines.map((line) => JSON.parse(line).id));
  }

  add(event) {
    if (this.ids.has(event.id)) return;
    writeSync(this.file, JSON.stringify(event) + "\n");
    fsyncSync(this.file);
    this.ids.add(event.id);
    const { kind, from, to } = event.data.change;
    console.log(`${event.partitionkey} #${event.sequence} ${kind}: ${JSON.stringify(from)} -> ${JSON.stringify(to)} (${event.data.severity})`);
  }
}

const [url, name] = process.argv.slice(2);
const ledger = new Ledger(name);
const nc = await connect({ servers: url, name: "example-node", maxReconnectAttempts: -1 });
const manager = await jetstreamManager(nc);
await manager.consumers.add("JOBS", {
  durable_name: "example-node",
  ack_policy: "explicit",
  ack_wait: nanos(5000), // longer than handling one takes; then it is given again
  filter_subjects: ["jobs.*.*.*.state.>", "jobs.*.*.*.failure.>"],
  max_ack_pending: 1, // one at a time keeps a job's events in order, also when one is given again
});
const consumer = await jetstream(nc).consumers.get("JOBS", "example-node");
const messages = await consumer.consume();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => messages.stop());

for await (const message of messages) {
  ledger.add(message.json());
  message.ack();
}
await nc.close();
closeSync(ledger.file);
