/** Answers of a MongoDB server that its stand-in never gives: a link between the two reads each command and may answer it otherwise. */
import { MongoClient } from "mongodb";
import {
  answeredBy,
  answerOf,
  answerTo,
  type Command,
  commandOf,
  type Document,
  eachMessage,
} from "../bench/wire-message.ts";
import type { Between } from "./link.ts";
import { mongoUrl } from "./servers.ts";

export type Forgery = {
  /** Whether the server hears the command: then what it answers is changed, else it does nothing. */
  readonly isDone: boolean;
  readonly answer: Document;
};
export type Forge = (command: Command) => Forgery | undefined;

/** What a command on a collection has in its bytes (BSON: string, name, length, value). */
export const commandOn = (command: "insert" | "update", collection: string): Buffer =>
  Buffer.from(`\x02${command}\0${String.fromCharCode(collection.length + 1)}\0\0\0${collection}\0`, "latin1");

export const insertOfRecords = commandOn("insert", "records");

const failure = (code: number, codeName: string): Document => ({ ok: 0, code, codeName, errmsg: codeName });

/** A member that is told to do what only the primary may. */
export const notPrimary: Forgery = { isDone: false, answer: failure(10_107, "NotWritablePrimary") };
/** A primary that does it and steps down before it could say so. */
export const steppedDown: Forgery = { isDone: true, answer: failure(189, "PrimarySteppedDown") };
/** A primary that does it and hears of no majority in time: nobody knows whether it lasts. */
export const majorityLate: Forgery = {
  isDone: true,
  answer: {
    writeConcernError: {
      code: 64,
      codeName: "WriteConcernTimeout",
      errmsg: "waiting for replication timed out",
      errInfo: { wtimeout: true },
    },
  },
};

const writes: ReadonlySet<string> = new Set(["insert", "update", "delete", "findAndModify"]);
/** Turns are for the stand-in alone, and each that nobody knows to be taken costs all of them six seconds. */
export const isWrite = ({ name, collection }: Command): boolean => writes.has(name) && collection !== "turns";

/** For `openLink`. */
export const forgedAnswers =
  (forge: Forge): Between =>
  (client, server, pass) => {
    const asked = new Map<number, { readonly message: Buffer; readonly forgery: Forgery }>();
    eachMessage(client, (message) => {
      const command = commandOf(message);
      const forgery = forge(command);
      if (forgery?.isDone === false) return pass.replies(answerTo(message, forgery.answer));
      if (forgery !== undefined) asked.set(command.requestId, { message, forgery });
      pass.requests(message);
    });
    eachMessage(server, (answer) => {
      const forged = asked.get(answeredBy(answer));
      if (forged === undefined) return pass.replies(answer);
      asked.delete(answeredBy(answer));
      pass.replies(answerTo(forged.message, { ...answerOf(answer), ...forged.forgery.answer }));
    });
  };

/** Where writes go: of a replica set the primary of now. */
export async function primaryPort(): Promise<number> {
  const client = await MongoClient.connect(mongoUrl());
  try {
    const { primary } = await client.db("admin").command({ hello: 1 });
    return Number(new URL(typeof primary === "string" ? `mongodb://${primary}` : mongoUrl()).port);
  } finally {
    await client.close();
  }
}
