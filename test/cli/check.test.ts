/** `lastro check` as an operator runs it: on the file of a SQLite store, each way it can end and each basis it can name. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ridAt } from "../../src/adapters/sqlite/columns.ts";
import { lockStore } from "../../src/adapters/sqlite/lock.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { checkOpened } from "../../src/cli/operator/check.ts";
import { noTrust } from "../../src/core/trust.ts";
import { indexPass } from "../../src/indexing/index-pass.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { checkStore } from "../../src/log/check.ts";
import { type CheckState, formatState } from "../../src/log/check-state.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import type { Verification } from "../../src/sdk/verify.ts";
import { type CheckedLog, makeCheckedLog, sha256 } from "../support/checked-log.ts";
import { verifyNote } from "../support/ed25519.ts";
import { auditEvent, batchOf, nowMs, stationSettings } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import { memoryKeyRing } from "../support/memory-keys.ts";
import { rewrite } from "../support/rewritten.ts";
import { runLastroWith } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(folder.path, name);

/** The store as it is now, as a file that the command may open. */
function copyStore({ db }: CheckedLog, name: string): void {
  mkdirSync(file(name));
  db.exec(`VACUUM INTO '${file(join(name, "lastro.db"))}'`);
}

/** The keys that bodies of the test's intake are sealed with, where the command looks for them. */
function putKeyRing(name: string): void {
  const { key } = memoryKeyRing([1]).current();
  const ring = { v: 1, current: 1, keks: { "1": Buffer.from(key).toString("base64url") } };
  mkdirSync(file(join(name, "keys")));
  writeFileSync(file(join(name, "keys", "keyring.json")), JSON.stringify(ring), { mode: 0o600 });
}

/** A copy of the untouched store with one change to it. */
function changedStore(name: string, sql: string): void {
  mkdirSync(file(name));
  writeFileSync(file(join(name, "lastro.db")), readFileSync(file("good/lastro.db")));
  const db = new DatabaseSync(file(join(name, "lastro.db")));
  const { changes } = db.prepare(sql).run();
  db.close();
  if (changes === 0) throw new Error(`nothing was changed: ${sql}`);
}

const lastroOn = (store: string, ...args: readonly string[]) =>
  runLastroWith({ env: { LASTRO_DATA_DIR: file(store), NODE_COMPILE_CACHE: file("compiled") } }, ...args);
const check = (store: string, ...args: readonly string[]) => lastroOn(store, "check", ...args);
/** Passes of the search index, as the service makes them. */
async function followLog(name: string): Promise<void> {
  await using store = await openSqliteStore({ path: file(join(name, "lastro.db")) });
  const { catalogue } = stationSettings;
  const keys = dataKeys({
    keys: store.keys,
    ring: memoryKeyRing([1]),
    now: () => nowMs,
    random: randomBytes,
  });
  for (let lag = 1; lag > 0; ) ({ lag } = await indexPass({ ...store, catalogue, keys }, never));
}
const jsonOf = ({ out }: { readonly out: string }): Verification => JSON.parse(out);

/** What the command would write if it were interrupted after so many runs. */
async function stateAfter({ store }: CheckedLog, runs: number): Promise<string> {
  const states: string[] = [];
  const onRun = async (state: () => CheckState): Promise<void> => void states.push(formatState(state()));
  await checkStore(
    { log: store.log, audit: store.audit, crypto: { sha256, verify: verifyNote }, openBodies: undefined },
    { trust: noTrust, resume: undefined, onProgress: () => undefined, onRun },
    never,
  );
  const state = states[runs];
  if (state === undefined) throw new Error(`the check has fewer runs than ${runs}`);
  return state;
}

let log: CheckedLog;
let state: string;
let rid: string;
beforeAll(async () => {
  log = await makeCheckedLog(11, 330);
  writeFileSync(file("kept.txt"), log.pin);
  copyStore(log, "good");
  putKeyRing("good");
  state = await stateAfter(log, 5);
  const row = log.db.prepare("SELECT position FROM records WHERE id = 20").get();
  rid = ridAt(row?.["position"] as Uint8Array);
  const { src } = batchOf(0, []);
  const from = (await log.store.records.mark(src, never)) ?? 0;
  await ingestBatch(log.intake.deps, batchOf(from, [auditEvent({ eventId: "new" })]), log.intake.control);
  copyStore(log, "unlogged");
  await log.world.drain();
  await rewrite(log);
  copyStore(log, "rewritten");
}, 120_000);
afterAll(async () => {
  await log[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const stronger = (basis: string): readonly string[] => {
  if (basis === "witnessed") return ["--witness", log.witness];
  return [basis === "pinned" ? "--pin" : "--anchored", file("kept.txt")];
};
const bases = ["pinned", "witnessed", "anchored"] as const;

test("a file is checked whatever has become of the certificates towards Kafka", async () => {
  const upstream = { LASTRO_UPSTREAM_CERT_FILE: "/nowhere.pem", LASTRO_UPSTREAM_KEY_FILE: "/nowhere.key" };
  const env = { LASTRO_DATA_DIR: file("good"), NODE_COMPILE_CACHE: file("compiled"), ...upstream };
  expect(await runLastroWith({ env }, "check")).toMatchObject({ code: 0, err: "" });
});

describe("R-80 a check of an untouched store", () => {
  test("says what was checked, intact and its basis, and ends with 0", async () => {
    const { code, out, err } = await check("good");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^checked: \d+ leaves, \d+ records, .*\nintact \(basis: self\)\n$/);
  });
  test("names each basis that holds, and opens bodies where the key ring is", async () => {
    const ended = await check("good", ...bases.flatMap(stronger), "--open-bodies", "--json");
    expect(ended).toMatchObject({ code: 0, err: "" });
    const { verdict, basis, findings, checked } = jsonOf(ended);
    expect({ verdict, findings }).toEqual({ verdict: "intact", findings: [] });
    expect(basis.map(({ kind }) => kind)).toEqual(["self", "witnessed", "pinned", "anchored"]);
    expect(checked["bodiesOpened"]).toBe(checked["records"]);
    expect(checked["indexed"]).toBe(checked["leaves"]);
  });
  test("changes not a byte of it", async () => {
    const before = readFileSync(file("good/lastro.db"));
    expect((await check("good", "--open-bodies")).code).toBe(0);
    expect(readFileSync(file("good/lastro.db")).equals(before)).toBe(true);
  });
  test("goes on from the state of one that was interrupted, to the same end, and removes it", async () => {
    writeFileSync(file("state.json"), state);
    const [whole, resumed] = [
      await check("good", "--json"),
      await check("good", "--state", file("state.json"), "--json"),
    ];
    expect(resumed).toEqual({ ...whole, code: 0 });
    expect(existsSync(file("state.json"))).toBe(false);
  });
});

describe("R-21 a check of a store that was changed", () => {
  test("ends with 4 and names the record", async () => {
    changedStore("column", "UPDATE records SET event_type = 'x' WHERE id = 20");
    const text = await check("column");
    expect(text.code).toBe(4);
    expect(text.out).toContain(`COLUMN_CHANGED  record ${rid}: columns differ from its entry: event_type\n`);
    expect(text.out).toMatch(/\nbroken \(basis: self\)\n$/);
    const json = await check("column", "--pin", file("kept.txt"), "--json");
    expect(json.code).toBe(4);
    expect(jsonOf(json)).toMatchObject({
      verdict: "broken",
      findings: [{ code: "COLUMN_CHANGED", object: { kind: "record", rid } }],
    });
  });
  test("ends with 7 where a search aid alone differs, and does not see it with bodies closed", async () => {
    changedStore("aid", "UPDATE records SET trace_id = 'another' WHERE id = 20");
    putKeyRing("aid");
    const open = await check("aid", "--open-bodies", "--json");
    expect(open.code).toBe(7);
    expect(jsonOf(open)).toMatchObject({
      verdict: "intact",
      findings: [{ code: "PROJECTION_CHANGED", object: { kind: "record", rid } }],
    });
    expect((await check("aid")).code).toBe(0);
  });
  test("ends with 7 where the search index alone differs; reindex has it made anew", async () => {
    changedStore("index", "DELETE FROM terms WHERE record = 20");
    putKeyRing("index");
    const changed = await check("index", "--open-bodies", "--json");
    expect(changed.code).toBe(7);
    expect(jsonOf(changed)).toMatchObject({
      verdict: "intact",
      findings: [{ code: "INDEX_CHANGED", object: { kind: "record", rid } }],
    });
    const { code, out, err } = await lastroOn("index", "reindex");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("made anew");
    expect(jsonOf(await check("index", "--open-bodies", "--json")).checked["indexed"]).toBe(0);
    await followLog("index");
    const mended = await check("index", "--open-bodies", "--json");
    expect(mended.code).toBe(0);
    expect(jsonOf(mended).checked).toEqual(jsonOf(changed).checked);
  });
  test("ends with 6 where something is not logged yet, or nothing was published", async () => {
    const tail = await check("unlogged", "--json");
    expect(tail.code).toBe(6);
    expect(jsonOf(tail)).toMatchObject({ verdict: "incomplete", findings: [{ code: "TAIL_UNLOGGED" }] });
    await (await openSqliteStore({ path: file("empty/lastro.db") }))[Symbol.asyncDispose]();
    const empty = await check("empty");
    expect(empty.code).toBe(6);
    expect(empty.out).toContain("INPUT_MISSING  checkpoint latest: nothing was published yet\n");
  });
});

describe("R-21 a check of a store that was rewritten and signed anew with the real key", () => {
  test("passes on basis self, which says no more than that", async () => {
    const ended = await check("rewritten", "--json");
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }], findings: [] });
  });
  test.each([
    ["pinned", 4, "TREE_REWRITTEN"],
    ["witnessed", 6, "WITNESSES_MISSING"],
    ["anchored", 4, "TREE_REWRITTEN"],
  ])("does not pass on basis %s, and keeps no checkpoint of it", async (basis, code, finding) => {
    const ended = await check("rewritten", ...stronger(basis), "--json");
    expect(ended.code).toBe(code);
    expect(jsonOf(ended).findings.map((one) => one.code)).toContain(finding);
    expect(jsonOf(ended).basis).toEqual([{ kind: "self" }]);
    expect(readFileSync(file("kept.txt"), "utf8")).toBe(log.pin);
  });
});

test("R-21 a check keeps the checkpoint that it judged, whatever stood in its place before or after", async () => {
  await using made = await makeCheckedLog(12, 60);
  const { store } = made;
  const path = file("judged.txt");
  const older = "log.test\n1\n";
  writeFileSync(path, older);
  const genuine = await store.log.checkpoint("latest", never);
  const forged = genuine && { ...genuine, note: genuine.note.replace(/\n\d+\n/, "\n999999\n") };
  let reads = 0;
  const checkpoint: typeof store.log.checkpoint = async (name, signal) =>
    name === "latest" && ++reads === 1 ? forged : store.log.checkpoint(name, signal);
  const unused = (): never => {
    throw new Error("it opens no bodies, and is small");
  };
  const cli = { out: () => undefined, err: () => undefined, env: {}, now: () => nowMs, random: randomBytes };
  const run = () =>
    checkOpened(
      cli,
      { vkey: [], witness: [], anchored: [], pin: path },
      noTrust,
      { store: { ...store, log: { ...store.log, checkpoint } }, checkAids: unused, startThread: unused },
      never,
    );
  await expect(run()).rejects.toMatchObject({ exit: "verificationFailed" });
  expect(readFileSync(path, "utf8")).toBe(older);
  await run();
  expect(readFileSync(path, "utf8")).toBe(genuine?.note);
});

describe("a check that cannot be made", () => {
  test("of a store that is not there ends with 3, names it and makes none", async () => {
    const { code, out, err } = await check("nowhere");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toContain(file("nowhere/lastro.db"));
    expect(existsSync(file("nowhere"))).toBe(false);
  });
  test("of a file that is empty ends with 3, and leaves it empty", async () => {
    mkdirSync(file("hollow"));
    writeFileSync(file("hollow/lastro.db"), "");
    const { code, out, err } = await check("hollow");
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toContain(file("hollow/lastro.db"));
    expect(readFileSync(file("hollow/lastro.db"))).toHaveLength(0);
  });
  test("of a store of an older release ends with 1, says what to do, and migrates nothing: neither does reindex", async () => {
    mkdirSync(file("older"));
    const path = file("older/lastro.db");
    writeFileSync(path, readFileSync(file("good/lastro.db")));
    const db = new DatabaseSync(path);
    db.exec(`DROP INDEX records_by_ownership; PRAGMA user_version = 3;
      CREATE INDEX records_by_ownership ON records (ownership_id, recorded_at) WHERE ownership_id IS NOT NULL`);
    db.close();
    const before = readFileSync(path);
    for (const command of ["check", "reindex"]) {
      const { code, out, err } = await lastroOn("older", command);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toContain("has schema 3");
      expect(err).toContain("use the release that wrote it");
      expect(readFileSync(path).equals(before)).toBe(true);
    }
    await (await openSqliteStore({ path }))[Symbol.asyncDispose]();
    expect((await check("older")).code).toBe(0);
  });
  test("of a store that does not answer ends with 5", async () => {
    const env = {
      LASTRO_DATA_DIR: file("good"),
      LASTRO_STORE_URL: "mongodb://127.0.0.1:1/none?serverSelectionTimeoutMS=500",
    };
    const { code, out } = await runLastroWith({ env }, "check");
    expect({ code, out }).toEqual({ code: 5, out: "" });
  });
  test("of a store that a service holds ends with 1 and says so", async () => {
    using held = lockStore(file("good/lastro.db"));
    expect(held).toBeDefined();
    for (const command of ["check", "reindex"]) {
      const { code, out, err } = await lastroOn("good", command);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toContain("stop that one");
    }
  });
  test("with bodies opened and no key ring ends with 1 and says where it must be", async () => {
    const { code, out, err } = await check("unlogged", "--open-bodies");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(file("unlogged/keys/keyring.json"));
  });
  test("from a state of one that left bodies closed, or of another store, is a mistake in usage: 2, and the state stays", async () => {
    writeFileSync(file("closed.json"), state);
    const open = await check("good", "--state", file("closed.json"), "--open-bodies");
    expect(open).toMatchObject({ code: 2, out: "" });
    expect(open.err).toContain("it began without --open-bodies");
    expect(readFileSync(file("closed.json"), "utf8")).toBe(state);
    await using other = await makeCheckedLog(13, 60);
    copyStore(other, "other");
    const elsewhere = await check("other", "--state", file("closed.json"));
    expect(elsewhere).toMatchObject({ code: 2, out: "" });
    expect(elsewhere.err).toContain("remove the file to begin anew");
  });
  test("with a state that no check wrote, a setting that is none or an unknown option is a mistake in usage: 2", async () => {
    writeFileSync(file("other.json"), "{}");
    const state = await check("good", "--state", file("other.json"));
    expect(state).toMatchObject({ code: 2, out: "" });
    expect(state.err).toContain("remove it to begin anew");
    const setting = await runLastroWith({ env: { LASTRO_STORE_URL: "postgres://db" } }, "check");
    expect(setting).toMatchObject({ code: 2, out: "" });
    expect(setting.err).toContain("LASTRO_STORE_URL");
    expect((await check("good", "--jsn")).code).toBe(2);
  });
});
