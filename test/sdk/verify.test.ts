/** The verifier that anyone may run, over bundles and logs that the service's own parts made: good ones, and each kind of lie. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseRid, type Rid, srcOf } from "../../src/core/ids.ts";
import {
  type Evidence,
  formatEvidence,
  httpLogReader,
  logReaderOf,
  noTrust,
  parseEvidence,
  type Trust,
  type Verification,
  verifyBundle,
  verifyLog,
} from "../../src/sdk/verify.ts";
import { type CheckedLog, makeCheckedLog } from "../support/checked-log.ts";
import { type Laid, layOut, rangeEvidence, recordEvidence, staticResources } from "../support/evidence.ts";

let log: CheckedLog;
let laid: Laid;
let rid: Rid;
beforeAll(async () => {
  log = await makeCheckedLog(7, 330);
  laid = await layOut(log.store);
  rid = laid.leaves.find(({ key }) => parseRid(key)?.partition === 1)?.key as Rid;
}, 120_000);
afterAll(async () => {
  await log[Symbol.asyncDispose]();
});

const codes = ({ findings }: Verification): readonly string[] => findings.map(({ code }) => code);
const copy = (evidence: Evidence): Evidence => {
  const parsed = parseEvidence(formatEvidence(evidence));
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.evidence;
};
const witnessed = (): Trust => ({ ...noTrust, witnesses: log.trust.witnesses });
const record = (evidence: Evidence, trust: Trust = noTrust) =>
  verifyBundle({ kind: "record", rid }, evidence, trust);
const src = () => {
  const position = parseRid(rid);
  if (position === undefined) throw new Error("no rid");
  return srcOf(position.topicId, position.partition);
};

test("R-80 a bundle says offline that a record is in the log, on the basis that its verifier holds", async () => {
  const evidence = copy(await recordEvidence(laid, log.store, rid));
  expect(record(evidence)).toMatchObject({
    verdict: "intact",
    basis: [{ kind: "self" }],
    findings: [],
    checked: { records: 1, bodies: 1 },
  });
  const cosigned = { ...evidence, checkpoint: log.pin };
  expect(record(cosigned, witnessed())).toMatchObject({
    verdict: "intact",
    basis: [{ kind: "self" }, { kind: "witnessed", k: 1 }],
  });
  expect(record(evidence, { ...noTrust, pin: log.pin }).basis).toContainEqual({
    kind: "pinned",
    size: laid.leaves.length,
  });
  expect(record(evidence, { ...noTrust, anchored: [{ note: log.pin }] }).basis).toContainEqual({
    kind: "anchored",
    size: laid.leaves.length,
  });
});

test("R-80 a checkpoint of an earlier size is reached by a consistency proof, and only by a true one", async () => {
  const earlier = log.world.notes.at(1) ?? "";
  const evidence = copy(await recordEvidence(laid, log.store, rid, earlier));
  const trust = { ...noTrust, pin: earlier };
  expect(record(evidence, trust)).toMatchObject({ verdict: "intact" });
  expect(codes(record({ ...evidence, consistency: [] }, trust))).toEqual(["PIN_UNREACHED"]);
  const forged = evidence.consistency.map((proof) => ({
    ...proof,
    path: proof.path.map((hash) => hash.toReversed()),
  }));
  expect(record({ ...evidence, consistency: forged }, trust)).toMatchObject({ verdict: "broken" });
});

test("R-21 a changed entry, path, body, checkpoint or cosignature in a bundle is broken and named", async () => {
  const evidence = await recordEvidence(laid, log.store, rid);
  const [given] = evidence.entries;
  if (given === undefined) throw new Error("no entry");
  const changed = (over: Partial<typeof given>): Evidence => ({
    ...evidence,
    entries: [{ ...given, ...over }],
  });
  const lies: readonly (readonly [string, Evidence, Trust])[] = [
    ["INCLUSION_INVALID", changed({ entry: given.entry.replace('"act":"', '"act":"x') }), noTrust],
    ["INCLUSION_INVALID", changed({ index: given.index + 1 }), noTrust],
    ["INCLUSION_INVALID", changed({ path: given.path.slice(1) }), noTrust],
    [
      "BODY_CHANGED",
      changed({ body: given.body?.map((byte, at) => (at === 60 ? byte ^ 1 : byte)) }),
      noTrust,
    ],
    ["BODY_MISSING", changed({ body: new Uint8Array(0) }), noTrust],
    [
      "SIGNATURE_INVALID",
      {
        ...evidence,
        checkpoint: evidence.checkpoint.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`),
      },
      noTrust,
    ],
    [
      "COSIGNATURE_INVALID",
      {
        ...evidence,
        checkpoint: log.pin.replace(
          /(witness\.test \S{60})(\S)/,
          (_, head, digit) => `${head}${digit === "A" ? "B" : "A"}`,
        ),
      },
      witnessed(),
    ],
  ];
  for (const [code, lie, trust] of lies) {
    const result = record(lie, trust);
    expect([code, result.verdict, codes(result).includes(code)]).toEqual([code, "broken", true]);
  }
  expect(codes(record(evidence, witnessed()))).toEqual(["WITNESSES_MISSING"]);
  expect(codes(record({ ...evidence, entries: [] }))).toEqual(["INPUT_MISSING"]);
});

test("R-80 no entry, body or list of a bundle is passed over: an index given twice, a body that nothing commits to and a list without its coverage entry are named", async () => {
  const evidence = await recordEvidence(laid, log.store, rid);
  const [given] = evidence.entries;
  if (given === undefined) throw new Error("no entry");
  const forged = { ...given, body: given.body?.map((byte, at) => (at === 60 ? byte ^ 1 : byte)) };
  const doubled = record({ ...evidence, entries: [given, forged] });
  expect(doubled).toMatchObject({
    verdict: "broken",
    findings: [{ code: "INPUT_INVALID", object: { kind: "record", rid } }],
  });
  const scope = { kind: "range", src: src(), from: 0, to: 100 } as const;
  const range = await rangeEvidence(laid, log.store, src(), 0, 100);
  const [list] = range.outcomes;
  const coverage = range.entries.find(({ index }) => index === list?.index);
  if (list === undefined || coverage === undefined) throw new Error("no coverage entry with a list");
  const withBody = range.entries.map((entry) =>
    entry === coverage ? { ...entry, body: given.body } : entry,
  );
  expect(verifyBundle(scope, { ...range, entries: withBody }, noTrust)).toMatchObject({
    verdict: "broken",
    findings: [{ code: "INPUT_INVALID", object: { kind: "leaves", from: list.index } }],
  });
  const alone = record({ ...evidence, outcomes: [{ ...list, list: "{}" }] });
  expect(alone).toMatchObject({
    verdict: "incomplete",
    findings: [{ code: "INPUT_MISSING", object: { kind: "leaves", from: list.index } }],
  });
});

test("R-80 a bundle proves that each offset of a range has one outcome; one that holds something back is incomplete", async () => {
  const scope = { kind: "range", src: src(), from: 0, to: 100 } as const;
  const evidence = copy(await rangeEvidence(laid, log.store, src(), 0, 100));
  const whole = verifyBundle(scope, evidence, noTrust);
  expect(whole).toMatchObject({ verdict: "intact", findings: [] });
  expect(whole.checked["lists"]).toBeGreaterThan(1);
  const held = { ...evidence, entries: evidence.entries.filter((_, at) => at !== 3) };
  expect(verifyBundle(scope, held, noTrust)).toMatchObject({ verdict: "incomplete" });
  const doctored = {
    ...evidence,
    outcomes: evidence.outcomes.map(({ index, list }) => ({
      index,
      list: list.replace("SCHEMA", "EMPTY").replace('"gap"', '"dup"').replace("duplicate", "conflict"),
    })),
  };
  expect(codes(verifyBundle(scope, doctored, noTrust))).toContain("OUTCOMES_CHANGED");
});

test("R-80 a whole log is verified from its static resources, and a changed entry, tile or checkpoint is named", async () => {
  const verify = (resources: ReadonlyMap<string, Uint8Array>, trust: Trust = noTrust) =>
    verifyLog(
      logReaderOf(async (path) => resources.get(path)),
      { trust, entries: "lastro" },
    );
  const good = staticResources(laid);
  expect(await verify(good)).toMatchObject({ verdict: "intact", findings: [] });
  expect((await verify(good, { ...noTrust, pin: log.world.notes[1] })).basis).toContainEqual(
    expect.objectContaining({ kind: "pinned" }),
  );
  const flip = (path: string, at: number) =>
    new Map(good).set(
      path,
      (good.get(path) ?? new Uint8Array()).map((byte, i) => (i === at ? byte ^ 1 : byte)),
    );
  const partial = [...good.keys()].find((path) => path.startsWith("tile/0/001.p/")) ?? "";
  expect(await verify(flip("tile/0/000", 40))).toMatchObject({
    verdict: "broken",
    findings: [{ code: "TILE_CHANGED", object: { kind: "tile", level: 0, n: 0 } }],
  });
  expect(await verify(flip(partial, 40))).toMatchObject({
    verdict: "broken",
    findings: [{ code: "TILE_CHANGED", object: { kind: "tile", level: 0, n: 1 } }],
  });
  const entry = await verify(flip("tile/entries/000", 5_000));
  expect(entry.verdict).toBe("broken");
  expect(codes(entry)).toContain("ENTRY_CHANGED");
  expect((await verify(flip("checkpoint", 25))).verdict).toBe("broken");
  const away = new Map(good);
  away.delete("tile/entries/000");
  expect((await verify(away)).verdict).toBe("incomplete");
});

test.each([
  ["the first", 0],
  ["the last", 1],
])("R-80 a log that serves no leaves of %s stretch is incomplete, and they are named", async (_, n) => {
  const without = new Map(staticResources(laid));
  const gone = [...without.keys()].filter((path) => new RegExp(`^tile/(0|entries)/00${n}`).test(path));
  expect(gone).toHaveLength(2);
  for (const path of gone) without.delete(path);
  const reader = logReaderOf(async (path) => without.get(path));
  const { vkeys } = await recordEvidence(laid, log.store, rid);
  const result = await verifyLog(reader, { trust: { ...noTrust, vkeys }, entries: "lastro" });
  const leaves = { kind: "leaves", from: n * 256, to: n === 0 ? 256 : laid.leaves.length };
  expect(result).toMatchObject({
    verdict: "incomplete",
    counts: { INPUT_MISSING: 2 },
    findings: expect.arrayContaining([
      expect.objectContaining({ code: "INPUT_MISSING", object: leaves }),
      expect.objectContaining({ code: "INPUT_MISSING", object: { kind: "tile", level: 0, n } }),
    ]),
  });
});

/** Earlier at the first read of a checkpoint, whichever it is; all of it, cosigned, from then on. */
const growing = (good: ReadonlyMap<string, Uint8Array>) => {
  const before = Buffer.from(log.world.notes[1] ?? "");
  const after = new Map(good).set("checkpoint.witnessed", Buffer.from(log.pin));
  let reads = 0;
  return async (path: string): Promise<Uint8Array | undefined> => {
    if (path.startsWith("checkpoint") && reads++ === 0) return before;
    return after.get(path);
  };
};

test("R-80 a log that grows and is cosigned while its checkpoints are read is intact", async () => {
  const reader = logReaderOf(growing(staticResources(laid)));
  const result = await verifyLog(reader, { trust: noTrust, entries: "lastro" });
  expect(result).toMatchObject({ verdict: "intact", findings: [], checked: { leaves: laid.leaves.length } });
});

test("R-80 a server whose latest checkpoint is behind the witnessed one is asked again, and named when it stays behind", async () => {
  const resources = new Map(staticResources(laid)).set("checkpoint.witnessed", Buffer.from(log.pin));
  const [earlier, latest] = [Buffer.from(log.world.notes[1] ?? ""), resources.get("checkpoint")];
  let behind = 2;
  await using server = createServer((request, response) => {
    const path = request.url?.slice(1) ?? "";
    const bytes = path === "checkpoint" ? (behind-- > 0 ? earlier : latest) : resources.get(path);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const verify = () => verifyLog(httpLogReader(url), { trust: noTrust, entries: "lastro" });
  expect(await verify()).toMatchObject({ verdict: "intact", findings: [] });
  expect(behind).toBe(-1);
  behind = Number.POSITIVE_INFINITY;
  const result = await verify();
  expect([result.verdict, codes(result)]).toEqual(["broken", expect.arrayContaining(["CHECKPOINT_CHANGED"])]);
});
