import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { parseCheckpoint } from "../../../src/core/checkpoint.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { leafHash } from "../../../src/core/leaf.ts";
import { rootOf } from "../../../src/core/merkle.ts";
import { parseNote, verifiedSignature } from "../../../src/core/signed-note.ts";
import { decodeEntries, entriesPath, tileHashes, tilePath } from "../../../src/core/tiles.ts";
import type { Store } from "../../../src/ports/store.ts";
import { type LogReads, publishedLog } from "../../../src/query/published-log.ts";
import { startHttpServer } from "../../../src/servers/http/server.ts";
import { type BuiltLog, buildLog } from "../../support/built-log.ts";
import { silentObserver } from "../../support/intake.ts";
import { ed25519, hex, sha256 } from "../../support/log.ts";

/** The example of C2SP tlog-tiles. */
const exampleSize = 70_000;
const immutable = "public, max-age=31536000, immutable";

/** A clock that is a second later each time: nothing is remembered of the checkpoint. */
function laterEachTime(): () => number {
  let nowMs = 0;
  return () => {
    nowMs += 1_000;
    return nowMs;
  };
}

async function serve(log: LogReads, now = laterEachTime()) {
  const logged: string[] = [];
  const note = (code: string, message: string): void => void logged.push(`${code} ${message}`);
  const server = await startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    metrics: (_request, response) => response.end(),
    readiness: async () => ({}),
    observer: silentObserver,
    tiles: {
      published: publishedLog({ log, now }),
      log: { info: note, warn: note, error: note },
    },
  });
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.address.port}/${path}`, init);
  const bytes = async (path: string): Promise<Uint8Array> => {
    const answer = await get(path);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
  return { server, get, bytes, logged };
}
type Served = Awaited<ReturnType<typeof serve>>;

let store: Store;
let built: BuiltLog;
let served: Served;
beforeAll(async () => {
  store = await openSqliteStore({ path: ":memory:" });
  built = buildLog(store.log);
  await built.heartbeats(exampleSize);
  await built.publish();
  // Laid, and not published.
  await built.heartbeats(300);
  served = await serve(store.log);
});
afterAll(async () => {
  await served.server[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

describe("checkpoints", () => {
  test("the checkpoint is the signed note, as text that is not kept by caches", async () => {
    const answer = await served.get("checkpoint");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    const note = parseNote(await answer.text());
    if (note === undefined) throw new Error("no note");
    expect(verifiedSignature(note, built.key, ed25519)).toBeDefined();
    expect(parseCheckpoint(note.text)).toEqual({
      origin: built.key.name,
      size: exampleSize,
      root: built.rootAt(exampleSize),
    });
  });

  test("there is none before one is published, and a witnessed one only once there is one", async () => {
    await using empty = await openSqliteStore({ path: ":memory:" });
    const { server, get } = await serve(empty.log);
    await using _ = server;
    const log = buildLog(empty.log);
    await log.heartbeats(1);
    expect((await get("checkpoint")).status).toBe(404);
    expect((await get("tile/0/000.p/1")).status).toBe(404);
    const { note } = await log.publish();
    expect(await (await get("checkpoint")).text()).toBe(note);
    const missing = await get("checkpoint.witnessed");
    expect([missing.status, missing.headers.get("cache-control")]).toEqual([404, "no-store"]);
    const witnessed = await log.publish("witnessed");
    expect(await (await get("checkpoint.witnessed")).text()).toBe(witnessed.note);
  });

  test("the latest one is never below a witnessed one that was given, however short a time ago it was asked for", async () => {
    await using empty = await openSqliteStore({ path: ":memory:" });
    const { server, get } = await serve(empty.log, () => 0);
    await using _ = server;
    const log = buildLog(empty.log);
    await log.heartbeats(1);
    const first = await log.publish();
    expect(await (await get("checkpoint")).text()).toBe(first.note);
    await log.heartbeats(1);
    const second = await log.publish();
    await log.publish("witnessed");
    expect(await (await get("checkpoint")).text()).toBe(first.note);
    expect((await get("checkpoint.witnessed")).status).toBe(200);
    expect(await (await get("checkpoint")).text()).toBe(second.note);
  });

  test("HEAD tells the same without the body", async () => {
    const answer = await served.get("tile/0/000", { method: "HEAD" });
    expect([answer.status, answer.headers.get("content-length"), await answer.text()]).toEqual([
      200,
      "8192",
      "",
    ]);
  });
});

describe("tiles", () => {
  test("a tree of 70,000 is 273 full tiles and one of 112, a full one and one of 17 above them, and one of 1 on top", async () => {
    const leaves: Uint8Array[] = [];
    for (let n = 0; n < 273; n++) leaves.push(...tileHashes(await served.bytes(tilePath({ level: 0, n }))));
    leaves.push(...tileHashes(await served.bytes("tile/0/273.p/112")));
    expect(rootOf(sha256, leaves)).toEqual(built.rootAt(exampleSize));

    const above = [
      ...tileHashes(await served.bytes("tile/1/000")),
      ...tileHashes(await served.bytes("tile/1/001.p/17")),
    ];
    const tileRoots = Array.from({ length: 273 }, (_, n) =>
      rootOf(sha256, leaves.slice(n * 256, (n + 1) * 256)),
    );
    expect(above.map(hex)).toEqual(tileRoots.map(hex));
    const top = tileHashes(await served.bytes("tile/2/000.p/1"));
    expect(top.map(hex)).toEqual([hex(rootOf(sha256, above.slice(0, 256)))]);
  });

  test.each([
    ["tile/0/000", 256],
    ["tile/0/272", 256],
    ["tile/0/000.p/255", 255],
    ["tile/0/273.p/1", 1],
    ["tile/0/273.p/112", 112],
    ["tile/1/000.p/3", 3],
    ["tile/1/001.p/16", 16],
  ])("%s holds %i hashes, for ever", async (path, width) => {
    const answer = await served.get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(answer.headers.get("cache-control")).toBe(immutable);
    expect((await answer.arrayBuffer()).byteLength).toBe(width * 32);
  });

  test.each([
    ["the last tile is not full", "tile/0/273"],
    ["nor wider than the tree", "tile/0/273.p/113"],
    ["leaves that are laid and not published are not served", "tile/0/273.p/200"],
    ["nor is a tile behind them", "tile/0/274.p/1"],
    ["the tile on top is not wider", "tile/2/000.p/2"],
    ["there is no empty tile above", "tile/3/000.p/1"],
    ["nor at the highest level", "tile/63/000.p/1"],
    ["entries that are not published are not served", "tile/entries/273.p/113"],
    ["nor a full bundle of them", "tile/entries/273"],
  ])("%s", async (_, path) => {
    const answer = await served.get(path);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([404, "no-store"]);
  });

  test.each([
    "tile/0/0", "tile/0/0000", "tile/0/x001", "tile/0/x000/000", "tile/0/001/000", "tile/00/000", "tile/64/000",
    "tile/-1/000", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/",
    "tile/0/000.p", "tile/0/000/", "tile/0//000", "tile/0/000?x=1", "tile/0/%30%30%30", "tile/entries/0",
    "tile/entries/000.p/256", "tile/Entries/000", "tile/", "tile", "tile/0/x999/x999/x999/x999/x999/999",
    "checkpoint/", "checkpoint.other",
  ])("%s is no path of the log", async (path) => {
    expect((await served.get(path)).status).toBe(404);
  }); // biome-ignore format: a table
});

describe("entry bundles", () => {
  test.each([
    [entriesPath(0), tilePath({ level: 0, n: 0 })],
    [entriesPath(272), tilePath({ level: 0, n: 272 })],
    [entriesPath(273, 112), tilePath({ level: 0, n: 273 }, 112)],
    [entriesPath(5, 9), tilePath({ level: 0, n: 5 }, 9)],
  ])("the entries of %s hash to the leaves of %s", async (entries, tile) => {
    const bundle = decodeEntries(await served.bytes(entries)) ?? [];
    const hashes = bundle.map((entry) => leafHash(sha256, new TextDecoder().decode(entry)));
    expect(hashes.map(hex)).toEqual(tileHashes(await served.bytes(tile)).map(hex));
  });

  test("they shrink for who takes gzip, and caches are told", async () => {
    const plain = await served.get("tile/entries/000", { headers: { "accept-encoding": "identity" } });
    const packed = await served.get("tile/entries/000", { headers: { "accept-encoding": "gzip" } });
    expect([plain.headers.get("content-encoding"), packed.headers.get("content-encoding")]).toEqual([
      null,
      "gzip",
    ]);
    expect([plain.headers.get("vary"), packed.headers.get("vary")]).toEqual([
      "accept-encoding",
      "accept-encoding",
    ]);
    expect(Number(packed.headers.get("content-length"))).toBeLessThan(
      Number(plain.headers.get("content-length")) / 2,
    );
    expect(await packed.arrayBuffer()).toEqual(await plain.arrayBuffer());
  });
});

describe("what is stored and cannot be the log is never served", () => {
  const cases: readonly [string, string, string, (log: LogReads) => Partial<LogReads>][] = [
    [
      "an entry that is gone",
      "tile/entries/000",
      "the entry of leaf 7 is gone",
      (log) => ({
        leaves: async (...args) =>
          (await log.leaves(...args)).map((leaf) =>
            leaf.index === 7 ? { ...leaf, stored: undefined } : leaf,
          ),
      }),
    ],
    [
      "an entry of which one character is another",
      "tile/entries/001.p/3",
      "the entry of leaf 258 is not what its leaf commits to",
      (log) => ({
        leaves: async (...args) =>
          (await log.leaves(...args)).map((leaf) =>
            leaf.index === 258 ? { ...leaf, stored: leaf.stored?.replace("heartbeat", "heartbeet") } : leaf,
          ),
      }),
    ],
    [
      "a bundle that lacks a row",
      "tile/entries/000",
      "leaf 9 is gone from the log",
      (log) => ({
        leaves: async (...args) => (await log.leaves(...args)).filter(({ index }) => index !== 9),
      }),
    ],
    [
      "a full tile that is gone",
      "tile/0/003",
      "tile 0/3 is gone or cut",
      () => ({ tile: async () => undefined }),
    ],
    [
      "a full tile that was cut",
      "tile/1/000",
      "tile 1/0 is gone or cut",
      (log) => ({ tile: async (...args) => (await log.tile(...args))?.subarray(0, 32) }),
    ],
    [
      "a partial tile whose leaf is gone",
      "tile/0/273.p/112",
      "tile 0/273 cannot be computed",
      (log) => ({
        rows: async (...args) => (await log.rows(...args)).filter(({ index }) => index !== 69_900),
      }),
    ],
    [
      "a checkpoint beside which another size is stored",
      "checkpoint",
      "the latest checkpoint does not say what is stored beside it",
      (log) => ({
        checkpoint: async (...args) => {
          const found = await log.checkpoint(...args);
          return found && { ...found, size: found.size + 1 };
        },
      }),
    ],
  ];
  test.each(cases)("%s", async (_, path, why, change) => {
    const { server, get, logged } = await serve({ ...store.log, ...change(store.log) });
    await using __ = server;
    const answer = await get(path);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([500, "no-store"]);
    expect(await answer.text()).not.toContain("leaf");
    expect(logged).toEqual([expect.stringContaining(`log_damaged ${why}`)]);
  });
});

describe("limits", () => {
  test("while the store is away the caller is told when to ask again", async () => {
    const away = async (): Promise<never> => {
      throw new LastroError("STORE_UNAVAILABLE", "mongodb://secret did not answer");
    };
    const { server, get } = await serve({ ...store.log, checkpoint: away });
    await using _ = server;
    const answer = await get("checkpoint");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.text()).not.toContain("secret");
  });

  test("no more than 64 requests are answered at once", async () => {
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let waiting = 0;
    const { server, get } = await serve({
      ...store.log,
      async checkpoint(...args) {
        waiting += 1;
        if (waiting === 64) arrived.resolve();
        await release.promise;
        return store.log.checkpoint(...args);
      },
    });
    await using _ = server;
    const held = Array.from({ length: 64 }, () => get("checkpoint"));
    await arrived.promise;
    expect((await get("tile/0/000")).status).toBe(503);
    release.resolve();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(held.map(() => 200));
    expect((await get("tile/0/000")).status).toBe(200);
  });
});
