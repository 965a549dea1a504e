// Receives events as somebody else's service would: the signature is verified by standardwebhooks, the event is read by
// cloudevents. It prints its port, then what it makes of each event.
import { createServer } from "node:http";
import { HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const verifier = new Webhook(process.argv[2]);

const server = createServer(async (request, response) => {
  let body = "";
  request.setEncoding("utf8");
  for await (const chunk of request) body += chunk;
  try {
    verifier.verify(body, request.headers);
  } catch (e) {
    response.writeHead(401).end(e.message);
    return;
  }
  try {
    const event = HTTP.toEvent({ headers: request.headers, body });
    event.validate();
    console.log(JSON.stringify(event));
    response.writeHead(204).end();
  } catch (e) {
    response.writeHead(422).end(e.message);
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
