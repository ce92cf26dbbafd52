/** A client that opens streams and resets them: on `address`, that many, over a new connection whenever one was closed. Prints how many connections it took. */
import { once } from "node:events";
import { connect, constants } from "node:http2";

const [address = "", wanted = "0"] = process.argv.slice(2);
const headers = {
  ":method": "POST",
  ":path": "/lastro.v1.HistoryService/GetRecord",
  "content-type": "application/grpc",
};
const burst = 100;
let connections = 0;
for (let sent = 0; sent < Number(wanted); ) {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  connections += 1;
  await once(session, "connect");
  while (sent < Number(wanted) && !session.closed && !session.destroyed) {
    for (let i = 0; i < burst && !session.closed && !session.destroyed; i++, sent++) {
      const stream = session.request(headers);
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  session.destroy();
}
process.stdout.write(String(connections));
