/** `lastro verify` as a script runs it: offline, over bundles and logs in files, each way it can end and each basis it can name. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { evidenceBytesMax } from "../../src/core/evidence.ts";
import { parseRid, type Rid, type Src, srcOf } from "../../src/core/ids.ts";
import { type Evidence, formatEvidence, type Verification } from "../../src/sdk/verify.ts";
import { type CheckedLog, makeCheckedLog } from "../support/checked-log.ts";
import { type Laid, layOut, rangeEvidence, recordEvidence, staticResources } from "../support/evidence.ts";
import { rewrite, rewrittenIndex } from "../support/rewritten.ts";
import { runLastroWith } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(folder.path, name);
function put(name: string, content: string | Uint8Array): string {
  mkdirSync(dirname(file(name)), { recursive: true });
  writeFileSync(file(name), content);
  return file(name);
}
function putLog(name: string, laid: Laid, over: Readonly<Record<string, string>> = {}): string {
  for (const [path, bytes] of staticResources(laid)) put(`${name}/${path}`, over[path] ?? bytes);
  return file(name);
}

/** Nothing listens on port 1. */
const nobody = "127.0.0.1:1";
const rangeEnd = 60;

let log: CheckedLog;
let laid: Laid;
let rid: Rid;
let src: Src;
/** What the log held, and what it held after everything was rewritten. */
let good: Evidence;
let rewritten: Evidence;
let range: Evidence;
let witness: string;

beforeAll(async () => {
  log = await makeCheckedLog(11, 330);
  laid = await layOut(log.store);
  rid = laid.leaves[rewrittenIndex]?.key as Rid;
  const position = parseRid(rid);
  if (position === undefined) throw new Error(`no record lies at index ${rewrittenIndex}`);
  src = srcOf(position.topicId, position.partition);
  good = await recordEvidence(laid, log.store, rid);
  range = await rangeEvidence(laid, log.store, src, 0, rangeEnd);
  witness = log.witness;
  put("record.json", formatEvidence(good));
  put("cosigned.json", formatEvidence({ ...good, checkpoint: log.pin }));
  put("range.json", formatEvidence(range));
  put("kept.txt", log.pin);
  putLog("log", laid);
  putLog("cosigned-log", laid, { checkpoint: log.pin });
  await rewrite(log);
  const after = await layOut(log.store);
  rewritten = await recordEvidence(after, log.store, rid);
  put("rewritten.json", formatEvidence(rewritten));
  putLog("rewritten-log", after);
}, 120_000);
afterAll(async () => {
  await log[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Compiled once for all of them. */
const env = { NODE_COMPILE_CACHE: file("compiled") };
const runWith = (input: string, ...args: readonly string[]) => runLastroWith({ env, input }, ...args);
const run = (...args: readonly string[]) => runWith("", ...args);
const verifyRecord = (bundle: string, ...args: readonly string[]) =>
  run("verify", "record", rid, "--bundle", file(bundle), ...args);
const verifyRange = (bundle: string, ...args: readonly string[]) =>
  run("verify", "range", src, "0", `${rangeEnd}`, "--bundle", file(bundle), ...args);
const verifyLog = (...args: readonly string[]) => run("verify", "log", ...args);
const jsonOf = ({ out }: { readonly out: string }): Verification => JSON.parse(out);
/** Names of options and files that ask for more than basis `self`. */
const stronger = (): readonly (readonly [string, readonly string[]])[] => [
  ["pinned", ["--pin", file("kept.txt")]],
  ["witnessed", ["--witness", witness]],
  ["anchored", ["--anchored", file("kept.txt")]],
];

describe("R-80 verify record", () => {
  test("of a good bundle prints what was checked, intact and its basis, and ends with 0", async () => {
    expect(await verifyRecord("record.json")).toEqual({
      code: 0,
      out: "checked: 1 records, 0 coverages, 1 bodies, 0 lists\nintact (basis: self)\n",
      err: "",
    });
  });
  test("reads the bundle from standard input", async () => {
    const ended = await runWith(
      formatEvidence(good),
      "verify", "record", rid, "--bundle", "-", "--json",
    ); // biome-ignore format: a command line
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }], findings: [] });
  });
  test("names each basis that holds", async () => {
    const size = laid.leaves.length;
    const options = stronger().flatMap(([, args]) => args);
    const ended = await verifyRecord("cosigned.json", ...options, "--json");
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(jsonOf(ended).basis).toEqual([
      { kind: "self" },
      { kind: "witnessed", k: 1 },
      { kind: "pinned", size },
      { kind: "anchored", size },
    ]);
    const { out } = await verifyRecord("cosigned.json", ...options);
    expect(out).toMatch(/intact \(basis: self, witnessed\(1\), pinned, anchored\)\n$/);
  });
  test("of a changed body ends with 4 and names the record", async () => {
    const [entry] = good.entries;
    if (entry === undefined) throw new Error("no entry");
    const body = entry.body?.map((byte, at) => (at === 60 ? byte ^ 1 : byte));
    put("changed.json", formatEvidence({ ...good, entries: [{ ...entry, body }] }));
    const { code, out } = await verifyRecord("changed.json");
    expect(code).toBe(4);
    expect(out).toContain(`BODY_CHANGED  record ${rid}: `);
    expect(out).toMatch(/broken \(basis: self\)\n$/);
    const json = await verifyRecord("changed.json", "--json");
    expect(json.code).toBe(4);
    expect(jsonOf(json)).toMatchObject({
      verdict: "broken",
      findings: [{ code: "BODY_CHANGED", object: { kind: "record", rid } }],
      counts: { BODY_CHANGED: 1 },
    });
  });
  test("of a bundle without its entry, or without the cosignatures asked for, ends with 6", async () => {
    put("empty.json", formatEvidence({ ...good, entries: [] }));
    const empty = await verifyRecord("empty.json", "--json");
    expect(empty.code).toBe(6);
    expect(jsonOf(empty)).toMatchObject({ verdict: "incomplete", findings: [{ code: "INPUT_MISSING" }] });
    const alone = await verifyRecord("record.json", "--witness", witness, "--json");
    expect(alone.code).toBe(6);
    expect(jsonOf(alone)).toMatchObject({ findings: [{ code: "WITNESSES_MISSING" }] });
    expect((await verifyRecord("record.json", "--witness", witness, "--witnesses", "0")).code).toBe(0);
  });
  test("signed by none of the keys that its caller holds ends with 4", async () => {
    const { code, out } = await verifyRecord("record.json", "--vkey", good.vkeys[0] ?? "");
    expect({ code, out }).toMatchObject({ code: 0 });
    const other = await verifyRecord("record.json", "--vkey", witness, "--json");
    expect(other.code).toBe(4);
    expect(jsonOf(other)).toMatchObject({ findings: [{ code: "SIGNATURE_INVALID" }] });
  });
});

describe("R-80 a checkpoint that is kept with --pin", () => {
  test("is the first one that was intact, and is left as it is when something is broken", async () => {
    expect((await verifyRecord("record.json", "--pin", file("first.txt"))).code).toBe(0);
    expect(readFileSync(file("first.txt"), "utf8")).toBe(good.checkpoint);
    expect((await verifyRecord("rewritten.json", "--pin", file("first.txt"))).code).toBe(4);
    expect(readFileSync(file("first.txt"), "utf8")).toBe(good.checkpoint);
  });
  test("gives way to a newer one that leads back to it, and not to one that does not", async () => {
    const earlier = log.world.notes[1] ?? "";
    put("earlier.txt", earlier);
    expect((await verifyRecord("record.json", "--pin", file("earlier.txt"))).code).toBe(6);
    expect(readFileSync(file("earlier.txt"), "utf8")).toBe(earlier);
    const { code } = await verifyLog(file("log"), "--pin", file("earlier.txt"));
    expect(code).toBe(0);
    expect(readFileSync(file("earlier.txt"), "utf8")).toBe(laid.note);
  });
});

describe("R-80 verify range", () => {
  test("of a good bundle ends with 0", async () => {
    const ended = await verifyRange("range.json", "--json");
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }], findings: [] });
    expect(jsonOf(ended).checked["coverages"]).toBeGreaterThan(1);
  });
  test("with a record or the last coverage held back ends with 6", async () => {
    put("held.json", formatEvidence({ ...range, entries: range.entries.slice(1) }));
    const held = await verifyRange("held.json", "--json");
    expect(held.code).toBe(6);
    expect(jsonOf(held)).toMatchObject({ verdict: "incomplete", findings: [{ code: "INPUT_MISSING" }] });
    put("short.json", formatEvidence({ ...range, entries: range.entries.slice(0, -1) }));
    expect((await verifyRange("short.json")).code).toBe(6);
  });
  test("with a doctored list of outcomes ends with 4 and names the offsets", async () => {
    const outcomes = range.outcomes.map(({ index, list }) => ({
      index,
      list: list.replace('"gap"', '"duplicate"'),
    }));
    put("doctored.json", formatEvidence({ ...range, outcomes }));
    const { code, out } = await verifyRange("doctored.json");
    expect(code).toBe(4);
    expect(out).toMatch(/^OUTCOMES_CHANGED {2}offsets \d+ to \d+ of /m);
  });
});

describe("R-80 verify log", () => {
  test("of a whole log in a folder names each basis that holds, and ends with 0", async () => {
    const options = stronger().flatMap(([, args]) => args);
    const ended = await verifyLog(file("cosigned-log"), ...options, "--json");
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(jsonOf(ended).basis.map(({ kind }) => kind)).toEqual(["self", "witnessed", "pinned", "anchored"]);
    expect(jsonOf(ended).checked["leaves"]).toBe(laid.leaves.length);
  });
  test("with --any-entries verifies the tree alone", async () => {
    const vkey = good.vkeys[0] ?? "";
    const ended = await verifyLog(file("log"), "--any-entries", "--vkey", vkey, "--json");
    expect(ended.code).toBe(0);
    expect(jsonOf(ended).checked).toEqual({ leaves: laid.leaves.length });
  });
  test("with a changed tile ends with 4 and names it; where there is no log it ends with 6", async () => {
    const tile = staticResources(laid)
      .get("tile/0/000")
      ?.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
    putLog("changed-log", laid);
    put("changed-log/tile/0/000", tile ?? "");
    const changed = await verifyLog(file("changed-log"));
    expect(changed.code).toBe(4);
    expect(changed.out).toMatch(/^TILE_CHANGED {2}tile 0\/0: /);
    const none = await verifyLog(file("nowhere"));
    expect(none.code).toBe(6);
    expect(none.out).toMatch(/checked: nothing\nincomplete/);
  });
});

describe("R-21 a log that was rewritten and signed anew with the real key", () => {
  test("passes on basis self, which says no more than that", async () => {
    expect(rewritten.entries[0]?.entry).not.toBe(good.entries[0]?.entry);
    const record = await verifyRecord("rewritten.json", "--vkey", good.vkeys[0] ?? "", "--json");
    expect(record.code).toBe(0);
    expect(jsonOf(record)).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }], findings: [] });
    const whole = await verifyLog(file("rewritten-log"), "--json");
    expect(whole.code).toBe(0);
    expect(jsonOf(whole)).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }] });
  });
  test.each([
    ["pinned", 4, "TREE_REWRITTEN"],
    ["witnessed", 6, "WITNESSES_MISSING"],
    ["anchored", 4, "TREE_REWRITTEN"],
  ])("does not pass on basis %s", async (basis, code, finding) => {
    const options = stronger().find(([name]) => name === basis)?.[1] ?? [];
    const runs = [
      await verifyRecord("rewritten.json", ...options, "--json"),
      await verifyLog(file("rewritten-log"), ...options, "--json"),
    ];
    for (const ended of runs) {
      expect(ended.code).toBe(code);
      expect(jsonOf(ended).findings.map((one) => one.code)).toContain(finding);
      expect(jsonOf(ended).basis).toEqual([{ kind: "self" }]);
    }
    expect(readFileSync(file("kept.txt"), "utf8")).toBe(log.pin);
  });
  test("is broken where it is handed over under what the witness cosigned", async () => {
    put("mixed.json", formatEvidence({ ...rewritten, checkpoint: log.pin }));
    const ended = await verifyRecord("mixed.json", "--witness", witness, "--json");
    expect(ended.code).toBe(4);
    expect(jsonOf(ended).findings[0]).toMatchObject({
      code: "INCLUSION_INVALID",
      object: { kind: "record", rid },
    });
  });
});

describe("a verification that cannot be made", () => {
  const someRid = "AAAAAAAAAAAAAAAAAAAAAQ.0.17";
  const someSrc = "AAAAAAAAAAAAAAAAAAAAAQ.0";
  test.each([
    ["no record id", ["record", "17"], /17 is no record id/],
    ["neither bundle nor server", ["record", someRid], /--bundle or --server/],
    ["both", ["record", someRid, "--bundle", "-", "--server", nobody], /--bundle or --server/],
    ["a CA without TLS", ["record", someRid, "--server", nobody, "--ca", "ca.pem"], /need --tls/],
    [
      "half a certificate",
      ["record", someRid, "--server", nobody, "--tls", "--key", "k.pem"],
      /given together/,
    ],
    ["no source partition", ["range", "audit", "0", "1", "--bundle", "-"], /audit is no source partition/],
    ["a range that ends before it begins", ["range", someSrc, "5", "5", "--bundle", "-"], /to a larger one/],
    ["a range that is no number", ["range", someSrc, "a", "5", "--bundle", "-"], /to a larger one/],
    ["more witnesses than are named", ["log", "/nowhere", "--witnesses", "1"], /--witnesses/],
    ["no place of the log", ["log"], /missing required argument/],
    ["an unknown option below verify", ["log", "/nowhere", "--jsn"], /unknown option.*--json/s],
    ["no command below verify", ["record", "--help=x"], /^error: /],
  ] as const)("for %s is a mistake in usage: 2", async (_, args, sentence) => {
    const { code, out, err } = await run("verify", ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(sentence);
  });
  test("for a token that would travel in the clear is a mistake in usage: 2, and it is not sent", async () => {
    const args = ["record", someRid, "--server", "audit.example.org:50051", "--token-file", "-"];
    const { code, out, err } = await runWith("secret", "verify", ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/only by TLS/);
    expect(err).not.toContain("secret");
  });
  test.each([
    ["of two lines", "secret\nsecret"],
    ["with a byte that is not ASCII", "secret\u00e9"],
  ])("for a token %s is a mistake in usage: 2, and it is not told", async (_, token) => {
    const args = ["record", someRid, "--server", "127.0.0.1:1", "--token-file", "-"];
    const { code, out, err } = await runWith(token, "verify", ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toBe("the token is not one word of visible ASCII\n");
  });
  test.each([
    ["a bundle that is not there", ["record", someRid, "--bundle", "/nowhere/b.json"]],
    ["an anchored checkpoint that is not there", ["log", "/nowhere", "--anchored", "/nowhere/a.txt"]],
  ])("for %s ends with 3", async (_, args) => {
    const { code, out, err } = await run("verify", ...args);
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toMatch(/^\/nowhere\/\S+ cannot be read\n$/);
  });
  test("a bundle larger than any that Lastro writes is said to be too large: 1", async () => {
    truncateSync(put("large.json", ""), evidenceBytesMax + 1);
    const { code, out, err } = await verifyRecord("large.json");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(`${file("large.json")} is too large: it has more than ${evidenceBytesMax} bytes\n`);
  });
  test("for a text that is no bundle ends with 1 and says why", async () => {
    const { code, out, err } = await runWith("{}", "verify", "record", someRid, "--bundle", "-");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/is no evidence bundle: /);
  });
  test.each([
    ["a server", ["record", someRid, "--server", nobody]],
    ["a URL", ["log", `http://${nobody}/`]],
  ])("for %s that does not answer ends with 5 and names it", async (_, args) => {
    const { code, out, err } = await run("verify", ...args);
    expect({ code, out }).toEqual({ code: 5, out: "" });
    expect(err).toContain(nobody);
  });
});
