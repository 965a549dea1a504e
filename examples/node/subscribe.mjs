// Takes jobwatch's events through a durable JetStream consumer, which gives what was told while this program
// was away, and again what it did not acknowledge.
//
//   npm install
//   node subscribe.mjs nats://127.0.0.1:4222
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";

const nc = await connect({ servers: process.argv[2] });
const manager = await jetstreamManager(nc);
await manager.consumers.add("JOBS", {
  durable_name: "example-node",
  ack_policy: "explicit",
  filter_subjects: ["jobs.*.*.*.state.>", "jobs.*.*.*.failure.>"],
  max_ack_pending: 1, // one at a time keeps a job's events in order, also when one is given again
});
const consumer = await jetstream(nc).consumers.get("JOBS", "example-node");
const messages = await consumer.consume();
process.on("SIGINT", () => messages.stop());

for await (const message of messages) {
  const { partitionkey, sequence, data } = message.json();
  const { kind, from, to } = data.change;
  console.log(`${partitionkey} #${sequence} ${kind}: ${from ?? "-"} -> ${to} (${data.severity})`);
  message.ack(); // it comes again where this gets lost: the event's id tells
}
await nc.close();
