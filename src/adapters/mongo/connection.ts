/** The connection to a MongoDB database: what its URL may ask for, the concerns and timeouts everything runs under, and what the server is. */
import { type Db, MongoClient, type MongoClientOptions } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Log } from "../../ports/log.ts";
import { storeError } from "./errors.ts";
import { mendWrites } from "./mend-driver.ts";

export type MongoStoreOptions = {
  readonly url: string;
  /** Takes the URL's write concern even if a write may be lost after it was acknowledged. */
  readonly allowUnsafe?: boolean;
  /** For a URL with tls=true: beside what it names itself. */
  readonly tls?: ClientTls;
  readonly connectTimeoutMs?: number;
  readonly serverSelectionTimeoutMs?: number;
  /** A server that wedges is given up after this. Longer than a write may wait for its majority, and a read for its end. */
  readonly socketTimeoutMs?: number;
  readonly poolMax?: number;
  /** The longest a read of history may take on the server. */
  readonly queryMaxMs?: number;
  /** Nothing is prepared: a database without a store is NOT_FOUND, one of an older format FAILED_PRECONDITION. */
  readonly asIs?: boolean;
  /** Told while the server builds indexes: preparing waits for them, however long. */
  readonly lines?: Pick<Log, "info">;
  /** Ends what is being prepared. */
  readonly signal?: AbortSignal;
};

const defaults = {
  connectTimeoutMs: 5_000,
  serverSelectionTimeoutMs: 5_000,
  socketTimeoutMs: 30_000,
  poolMax: 32,
};
/** By which the connection outlasts a read that the server ends. */
const answerMs = 5_000;
const majorityWaitMs = 10_000;
const defaultDatabase = "lastro";

type Server = {
  /** FerretDB 1.x: updates are not atomic, and an ordered insert goes on after an error beyond its first 100 documents. */
  readonly isFerret1: boolean;
  /** A replica set, or shards of them. */
  readonly isReplicated: boolean;
  readonly description: string;
};
type Connection = { readonly client: MongoClient; readonly db: Db; readonly server: Server };

type WriteConcern = NonNullable<MongoClientOptions["writeConcern"]>;

/** The concern to write under. Throws where the URL asks for less than a majority's journals, or for what would stand above Lastro's own. */
export function writeConcernOf(url: string, allowUnsafe: boolean): WriteConcern {
  const asked = parsed(url).options.writeConcern;
  assertNoneAbove(url);
  const { w, journal } = asked ?? {};
  const isSafe =
    (w === undefined || w === "majority" || (typeof w === "number" && w > 1)) && journal !== false;
  if (isSafe) return { w: "majority", journal: true, wtimeoutMS: majorityWaitMs };
  if (!allowUnsafe || asked === undefined) {
    throw new LastroError(
      "STORE_UNSAFE",
      "the MongoDB URL asks for a write concern under which acknowledged events can be lost; remove w, journal and j from it",
    );
  }
  return {
    ...(w !== undefined && { w }),
    ...(journal !== undefined && { journal }),
    wtimeoutMS: majorityWaitMs,
  };
}

/** Options of a URL that the driver puts above those that it is given, or cannot join with them; any others are overruled. */
const standAbove = ["readconcernlevel", "wtimeout", "maxstalenessseconds", "readpreferencetags"];

function assertNoneAbove(url: string): void {
  for (const [name, value] of new URLSearchParams(url.slice(url.indexOf("?") + 1)))
    if (standAbove.includes(name.toLowerCase()) && value !== "majority")
      throw new LastroError(
        "STORE_UNSAFE",
        `the MongoDB URL sets ${name} above what Lastro reads and writes under; remove it`,
      );
}

function parsed(url: string): MongoClient {
  try {
    return new MongoClient(url);
  } catch {
    throw new LastroError(
      "CONFIG_INVALID",
      "LASTRO_STORE_URL is no MongoDB URL: write mongodb://host:port/database",
    );
  }
}

export function databaseOf(url: string): string {
  const [, name] = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^/?]+)/.exec(url) ?? [];
  return name === undefined ? defaultDatabase : decodeURIComponent(name);
}

/** How documents become values: a URL that asked for something else would change what is read. */
const asStored = {
  promoteLongs: true,
  promoteValues: true,
  promoteBuffers: false,
  useBigInt64: false,
  ignoreUndefined: false,
  raw: false,
} as const;

export function clientOptions(options: MongoStoreOptions): MongoClientOptions {
  const { queryMaxMs = 0 } = options;
  const socketTimeoutMs = Math.max(defaults.socketTimeoutMs, queryMaxMs + answerMs);
  const limits = { ...defaults, socketTimeoutMs, ...options };
  return {
    appName: "lastro",
    ...options.tls,
    ...asStored,
    writeConcern: writeConcernOf(options.url, options.allowUnsafe ?? false),
    readConcern: { level: "majority" },
    readPreference: "primary",
    retryWrites: true,
    retryReads: true,
    connectTimeoutMS: limits.connectTimeoutMs,
    serverSelectionTimeoutMS: limits.serverSelectionTimeoutMs,
    socketTimeoutMS: limits.socketTimeoutMs,
    maxPoolSize: limits.poolMax,
    waitQueueTimeoutMS: defaults.socketTimeoutMs,
  };
}

export async function connect(options: MongoStoreOptions): Promise<Connection> {
  mendWrites();
  const client = new MongoClient(options.url, clientOptions(options));
  try {
    await client.connect();
    const db = client.db(databaseOf(options.url));
    return { client, db, server: await serverOf(client, db) };
  } catch (error) {
    await client.close();
    throw storeError("answer", error);
  }
}

async function serverOf(client: MongoClient, db: Db): Promise<Server> {
  const [hello, build] = await Promise.all([db.command({ hello: 1 }), db.command({ buildInfo: 1 })]);
  const isFerret1 = build["ferretdbVersion"] !== undefined;
  const kind = isFerret1 ? "FerretDB 1, MongoDB protocol" : "MongoDB";
  const set = typeof hello["setName"] === "string" ? `, replica set ${hello["setName"]}` : "";
  const hosts = client.options.hosts.map(String).join(",");
  const isReplicated = set !== "" || hello["msg"] === "isdbgrid";
  return {
    isFerret1,
    isReplicated,
    description: `${kind} ${build["version"]}${set}, ${hosts}/${db.databaseName}`,
  };
}
