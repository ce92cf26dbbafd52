/** Messages of the MongoDB wire protocol as far as a server needs them: cut out of a stream, read as commands, answered. */
import type { Socket } from "node:net";
import { BSON } from "mongodb";

const headBytes = 16;
const opcodes = { reply: 1, query: 2004, msg: 2013 } as const;
const checksumBytes = 4;

/** Documents of a list are left as bytes: most are only counted. */
const lists = ["documents", "updates", "deletes"] as const;
const leftAsBytes = { fieldsAsRaw: Object.fromEntries(lists.map((list) => [list, true])) };

export type Document = Readonly<Record<string, unknown>>;
export type Command = {
  readonly requestId: number;
  readonly name: string;
  /** Of `name`, where it is one: the collection. */
  readonly collection: string;
  readonly body: Document;
  readonly items: readonly Uint8Array[];
};

/** Calls with each whole message, in order. */
export function eachMessage(socket: Socket, take: (message: Buffer) => void): void {
  let held: Buffer[] = [];
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    held.push(chunk);
    bytes += chunk.length;
    while (bytes >= 4) {
      if ((held[0]?.length ?? 0) < 4) held = [Buffer.concat(held)];
      const length = held[0]?.readInt32LE(0) ?? 0;
      if (bytes < length) return;
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      take(all.subarray(0, length));
      held = [all.subarray(length)];
      bytes -= length;
    }
  });
}

/** Of an answer: which request it is to. */
export const answeredBy = (message: Buffer): number => message.readInt32LE(8);

export function commandOf(message: Buffer): Command {
  const requestId = message.readInt32LE(4);
  const isQuery = message.readInt32LE(12) === opcodes.query;
  const { body, items } = isQuery ? { body: queryBody(message), items: [] } : sections(message);
  const name = Object.keys(body)[0] ?? "";
  const listed = lists.flatMap((list) => (Array.isArray(body[list]) ? body[list] : []) as Uint8Array[]);
  return { requestId, name, collection: String(body[name]), body, items: [...items, ...listed] };
}

/** The legacy form of the first `hello` of a connection: flags, name, skip, limit, document. */
function queryBody(message: Buffer): Document {
  const afterName = message.indexOf(0, headBytes + 4) + 1;
  return BSON.deserialize(message.subarray(afterName + 8));
}

function sections(message: Buffer): { readonly body: Document; readonly items: readonly Uint8Array[] } {
  let body: Document = {};
  const items: Uint8Array[] = [];
  const end = message.length - (message.readUInt32LE(headBytes) & 1 ? checksumBytes : 0);
  for (let at = headBytes + 4; at < end; ) {
    const kind = message[at];
    const length = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + length);
    if (kind === 0) body = BSON.deserialize(section, leftAsBytes);
    else for (const item of sequence(section)) items.push(item);
    at += 1 + length;
  }
  return { body, items };
}

function* sequence(section: Buffer): Generator<Uint8Array> {
  for (let at = section.indexOf(0, 4) + 1; at < section.length; ) {
    const length = section.readInt32LE(at);
    yield section.subarray(at, at + length);
    at += length;
  }
}

/** In the form in which it was asked. */
export function answerTo(message: Buffer, document: Document): Buffer {
  const isQuery = message.readInt32LE(12) === opcodes.query;
  const body = BSON.serialize(document);
  const between = isQuery ? 20 : 5;
  const answer = Buffer.alloc(headBytes + between + body.length);
  answer.writeInt32LE(answer.length, 0);
  answer.writeInt32LE(message.readInt32LE(4), 8);
  answer.writeInt32LE(isQuery ? opcodes.reply : opcodes.msg, 12);
  if (isQuery) answer.writeInt32LE(1, headBytes + 16);
  answer.set(body, headBytes + between);
  return answer;
}

/** The document of an answer in today's form. */
export const answerOf = (message: Buffer): Document =>
  message.readInt32LE(12) === opcodes.msg ? sections(message).body : {};
