/** Stands before a real server and passes everything on as it is, counting inserts when the server acknowledges them. */
import { connect } from "node:net";
import { answeredBy, answerOf, commandOf, eachMessage } from "./wire-message.ts";
import { listening, type OnInserted, type WireServer } from "./wire-stub.ts";

/** `address`: host:port of the server. */
export function startWireCounter(address: string, onInserted: OnInserted): Promise<WireServer> {
  const [host = "", port] = address.split(":");
  return listening((client) => {
    const server = connect({ host, port: Number(port), noDelay: true });
    const inserts = new Map<number, string>();
    eachMessage(client, (message) => {
      const { requestId, name, collection } = commandOf(message);
      if (name === "insert") inserts.set(requestId, collection);
      server.write(message);
    });
    eachMessage(server, (message) => {
      client.write(message);
      const collection = inserts.get(answeredBy(message));
      if (collection === undefined) return;
      inserts.delete(answeredBy(message));
      onInserted(collection, Number(answerOf(message)["n"] ?? 0));
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy()).on("error", () => client.destroy());
  });
}
