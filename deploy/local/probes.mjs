/** Asks a port in its own protocol whether the expected server answers there; a port that only accepts proves nothing. */
import { connect } from "node:net";

const probeMsMax = 1_000;

/**
 * Sends bytes and reads until `enough` decides.
 * @param {string} host @param {number} port @param {Buffer} request
 * @param {(answer: Buffer) => boolean | undefined} enough undefined: more bytes are needed
 * @returns {Promise<boolean>}
 */
function ask(host, port, request, enough) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let answer = Buffer.alloc(0);
    const end = (/** @type {boolean} */ verdict) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(probeMsMax, () => end(false));
    socket.once("error", () => end(false));
    socket.once("end", () => end(false));
    socket.once("connect", () => socket.write(request));
    socket.on("data", (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const verdict = enough(answer);
      if (verdict !== undefined) end(verdict);
    });
  });
}

/** Metadata v1 for no topic: correlation id 7, client "lastro". A broker that serves names at least one broker, itself. */
const metadataRequest = () => {
  const client = Buffer.from("lastro");
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(3, 4);
  request.writeInt16BE(1, 6);
  request.writeInt32BE(7, 8);
  request.writeInt16BE(client.length, 12);
  client.copy(request, 14);
  return request;
};

/** @param {string} host @param {number} port */
export const answersAsKafka = (host, port) =>
  ask(host, port, metadataRequest(), (answer) =>
    answer.length < 12 ? undefined : answer.readInt32BE(4) === 7 && answer.readInt32BE(8) > 0,
  );

/** True only without a password: one that asks for it has to be configured. @param {string} host @param {number} port */
export const answersAsRedis = (host, port) =>
  ask(host, port, Buffer.from("PING\r\n"), (answer) =>
    answer.length < 5 ? undefined : answer.subarray(0, 5).toString() === "+PONG",
  );

/** MongoDB's wire protocol: `{ hello: 1, $db: "admin" }` in an OP_MSG; any OP_MSG that answers request 7 will do.
 * @param {string} host @param {number} port */
export const answersAsMongo = (host, port) => {
  const db = Buffer.from("admin\0");
  const document = Buffer.concat([
    Buffer.from([0, 0, 0, 0, 0x10]),
    Buffer.from("hello\0"),
    Buffer.from([1, 0, 0, 0, 0x02]),
    Buffer.from("$db\0"),
    Buffer.from([db.length, 0, 0, 0]),
    db,
    Buffer.from([0]),
  ]);
  document.writeInt32LE(document.length, 0);
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + document.length, 0);
  head.writeInt32LE(7, 4);
  head.writeInt32LE(2013, 12);
  return ask(host, port, Buffer.concat([head, document]), (answer) =>
    answer.length < 16 ? undefined : answer.readInt32LE(8) === 7 && answer.readInt32LE(12) === 2013,
  );
};

/** Unsealed and active. @param {string} host @param {number} port */
export async function answersAsVault(host, port) {
  try {
    const signal = AbortSignal.timeout(probeMsMax);
    return (await fetch(`http://${host}:${port}/v1/sys/health`, { signal })).status === 200;
  } catch {
    return false;
  }
}
