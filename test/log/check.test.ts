/** The operator's check over logs that intake and sequencer made: untouched ones, interrupted checks, rewritten ones. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { findingsMax, type Verification } from "../../src/core/findings.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { controlEntry } from "../../src/core/log-entries.ts";
import { rootOf } from "../../src/core/merkle.ts";
import { formatNote, formatVerifierKey } from "../../src/core/signed-note.ts";
import { noTrust, type Trust } from "../../src/core/trust.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { checkStore } from "../../src/log/check.ts";
import { type CheckState, formatState, parseState } from "../../src/log/check-state.ts";
import { controlKey } from "../../src/ports/log-store.ts";
import { type CheckedLog, cosign, makeCheckedLog, sha256 } from "../support/checked-log.ts";
import { verifyNote } from "../support/ed25519.ts";
import { auditEvent, batchOf } from "../support/intake.ts";
import { testSigner } from "../support/log.ts";
import { never } from "../support/log-world.ts";
import { rewrite } from "../support/rewritten.ts";

test("R-80 an untouched store is intact, on the basis of the kept and cosigned checkpoint, with bodies closed and open", async () => {
  await using log = await makeCheckedLog(1, 330);
  const closed = await log.check();
  expect(closed.findings).toEqual([]);
  expect(closed.verdict).toBe("intact");
  expect(closed.basis.map(({ kind }) => kind)).toEqual(["self", "witnessed", "pinned"]);
  const open = await log.check({ openBodies: true });
  expect(open.findings).toEqual([]);
  expect(open.checked["bodiesOpened"]).toBe(open.checked["records"]);
});

test("R-80 a check that is interrupted between two runs goes on from its state to the same end", async () => {
  await using log = await makeCheckedLog(2, 330);
  log.db.exec("UPDATE records SET event_type = 'x' WHERE id IN (SELECT id FROM records LIMIT 1 OFFSET 20)");
  const states: string[] = [];
  const whole = await checkWith(log, undefined, (state) => states.push(formatState(state())));
  expect(states.length).toBeGreaterThan(5);
  for (const text of [states[0], states[4], states.at(-1)]) {
    const resumed = await checkWith(log, parseState(text ?? ""), () => undefined);
    expect(resumed).toEqual(whole);
  }
  expect(whole).toMatchObject({ verdict: "broken", findings: [{ code: "COLUMN_CHANGED" }] });
});

test("R-80 a check that is interrupted behind an altered coverage entry finds nothing more than one that is not", async () => {
  await using log = await makeCheckedLog(9, 330);
  const { changes } = log.db
    .prepare(
      `UPDATE log_index SET leaf_hash = zeroblob(32)
        WHERE idx = (SELECT idx FROM log_index WHERE entry LIKE '%"t":"coverage"%' ORDER BY idx LIMIT 1 OFFSET 3)`,
    )
    .run();
  expect(changes).toBe(1);
  const states: string[] = [];
  const whole = await checkWith(log, undefined, (state) => states.push(formatState(state())));
  expect(states.length).toBeGreaterThan(10);
  for (const text of states) expect(await checkWith(log, parseState(text), () => undefined)).toEqual(whole);
  expect(whole).toMatchObject({ verdict: "broken", counts: { LEAF_CHANGED: 1 } });
});

describe("R-80 a check goes on only from what answers the question that is asked", () => {
  let log: CheckedLog;
  let states: readonly (CheckState | undefined)[];
  beforeAll(async () => {
    log = await makeCheckedLog(10, 330);
    // What is kept lies so far below the end that the walk goes by it.
    const from = (await log.store.records.mark(batchOf(0, [], 0).src, never)) ?? 0;
    const events = Array.from({ length: 300 }, (_, n) => auditEvent({ eventId: `new-${n}` }));
    await ingestBatch(log.intake.deps, batchOf(from, events, 0), log.intake.control);
    await log.world.drain();
    await cosign(log.store);
    const texts: string[] = [];
    await checkWith(log, undefined, (state) => texts.push(formatState(state())));
    states = texts.map(parseState);
  }, 60_000);
  afterAll(async () => {
    await log[Symbol.asyncDispose]();
  });
  const pinned = (): Trust => ({ ...noTrust, pin: log.pin });
  const refused = (detail: string) => ({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(`${detail}.*remove the file to begin anew`),
  });

  test("not where bodies were left closed and are to be opened, nor the other way round", async () => {
    const check = { openBodies: true, trust: noTrust, resume: states[4] };
    await expect(log.check(check)).rejects.toMatchObject(refused("without --open-bodies"));
    const resume = states[4] && { ...states[4], opensBodies: true };
    await expect(log.check({ trust: noTrust, resume })).rejects.toMatchObject(refused("with --open-bodies"));
  });
  test("not in another log", async () => {
    await using other = await makeCheckedLog(11, 60);
    await expect(other.check({ trust: noTrust, resume: states[0] })).rejects.toMatchObject(
      refused("of the log .*, and the store holds "),
    );
  });
  test("not where it went by a tree that is now to be compared with", async () => {
    const size = log.pin.split("\n")[1];
    await expect(log.check({ trust: pinned(), resume: states.at(-1) })).rejects.toMatchObject(
      refused(`tree of size ${size} `),
    );
    const intact = { verdict: "intact", basis: [{ kind: "self" }, { kind: "pinned" }] };
    expect(await log.check({ trust: pinned(), resume: states[0] })).toMatchObject(intact);
  });
});

test("R-80 a check that goes on from its state counts what it found and could not list", async () => {
  await using log = await makeCheckedLog(6, 1_500);
  log.db.exec("UPDATE records SET event_type = 'x'");
  // Behind more findings than are listed, and of another code than they are.
  log.db.exec(
    `UPDATE records SET body = zeroblob(length(body)) WHERE position =
      (SELECT key FROM log_index JOIN records ON key = position ORDER BY idx LIMIT 1 OFFSET ${findingsMax + 50})`,
  );
  const states: string[] = [];
  const whole = await checkWith(log, undefined, (state) => states.push(formatState(state())));
  const resumed = await checkWith(log, parseState(states.at(-1) ?? ""), () => undefined);
  expect(whole).toMatchObject({ verdict: "broken", counts: { BODY_CHANGED: 1 } });
  expect(new Set(whole.findings.map(({ code }) => code))).toEqual(new Set(["COLUMN_CHANGED"]));
  expect(resumed).toEqual(whole);
});

test("R-80 what is accounted for and not yet logged leaves a check incomplete, and names its offsets", async () => {
  await using log = await makeCheckedLog(3, 60);
  const { intake } = log;
  const from = (await log.store.records.mark(batchOf(0, [], 0).src, never)) ?? 0;
  await ingestBatch(intake.deps, batchOf(from, [auditEvent({ eventId: "new" }), "no"], 0), intake.control);
  expect(await log.check()).toMatchObject({
    verdict: "incomplete",
    findings: [{ code: "TAIL_UNLOGGED", object: { kind: "outcomes", from, to: from + 2 } }],
  });
});

test("R-80 a log that grows and is cosigned while a check reads its checkpoints is intact", async () => {
  await using log = await makeCheckedLog(8, 330);
  const { intake, world } = log;
  const from = (await log.store.records.mark(batchOf(0, [], 0).src, never)) ?? 0;
  let reads = 0;
  const growing: CheckedLog["store"]["log"] = {
    ...log.store.log,
    async checkpoint(name, signal) {
      const read = await log.store.log.checkpoint(name, signal);
      if (reads++ > 0) return read;
      await ingestBatch(intake.deps, batchOf(from, [auditEvent({ eventId: "new" })], 0), intake.control);
      await world.drain();
      await cosign(log.store);
      return read;
    },
  };
  const result = await checkWith(
    { ...log, store: { ...log.store, log: growing } },
    undefined,
    () => undefined,
  );
  expect(result).toMatchObject({ verdict: "intact", findings: [] });
  expect((await log.check({ trust: noTrust })).checked).toEqual(result.checked);
});

describe("R-21 a store that was rewritten and signed anew with the real key", () => {
  let log: CheckedLog;
  beforeAll(async () => {
    log = await makeCheckedLog(4, 330);
    await rewrite(log);
  }, 60_000);
  afterAll(async () => {
    await log[Symbol.asyncDispose]();
  });

  test("passes on basis self, which says no more than that", async () => {
    const result = await log.check({ trust: noTrust });
    expect(result).toMatchObject({ verdict: "intact", basis: [{ kind: "self" }], findings: [] });
  });
  test("fails against a checkpoint that was kept", async () => {
    const result = await log.check({ trust: { ...noTrust, pin: log.pin } });
    expect(result).toMatchObject({ verdict: "broken", findings: [{ code: "TREE_REWRITTEN" }] });
  });
  test("fails against a checkpoint that an anchor gave back", async () => {
    const result = await log.check({ trust: { ...noTrust, anchored: [{ note: log.pin }] } });
    expect(result).toMatchObject({ verdict: "broken", findings: [{ code: "TREE_REWRITTEN" }] });
  });
  test("is not confirmed where a witness is asked for, and broken where what it cosigned is still there", async () => {
    const trust = { ...noTrust, witnesses: log.trust.witnesses };
    const without = await log.check({ trust });
    expect(without).toMatchObject({ verdict: "incomplete", basis: [{ kind: "self" }] });
    const size = Number(log.pin.split("\n")[1]);
    const root = Buffer.from(log.pin.split("\n")[2] ?? "", "base64");
    log.db.prepare("INSERT INTO log_checkpoints VALUES ('witnessed', ?, ?, ?, 2)").run(size, root, log.pin);
    expect(await log.check({ trust })).toMatchObject({ verdict: "broken" });
  });
});

const checkWith = (
  { store }: CheckedLog,
  resume: CheckState | undefined,
  onRun: (state: () => CheckState) => void,
  trust: Trust = noTrust,
): Promise<Verification> =>
  checkStore(
    { log: store.log, audit: store.audit, crypto: { sha256, verify: verifyNote }, openBodies: undefined },
    { trust, resume, onProgress: () => undefined, onRun: async (state) => onRun(state) },
    never,
  );

test("R-21 what a stranger laid into the store under a key of his own leaves a check incomplete for who kept a checkpoint below it", async () => {
  await using log = await makeCheckedLog(12, 330);
  const head = await log.store.log.head(never);
  if (head === undefined) throw new Error("no head");
  const [name = ""] = log.pin.split("\n");
  const stranger = testSigner(name, "ed25519", "stranger");
  const data = { vkey: formatVerifierKey(sha256, stranger.key) };
  const entry = controlEntry({ kind: "key", id: "key.stranger", atMs: log.world.nowMs, data });
  const row = { index: head.size, key: controlKey("key.stranger"), leafHash: leafHash(sha256, entry), entry };
  await log.store.log.append([row], never);
  const size = head.size + 1;
  const leaves = await log.store.log.rows(0, size, never);
  const root = rootOf(
    sha256,
    leaves.map((leaf) => leaf.leafHash),
  );
  await log.store.log.moveHead(head, { size, root }, never);
  const text = formatCheckpoint({ origin: name, size, root });
  const note = formatNote({ text, signatures: [stranger.signature(text)] });
  await log.store.log.publish("latest", { size, root, note, signatures: 1 }, never);

  const states: string[] = [];
  const pinned = { ...noTrust, pin: log.pin };
  const whole = await checkWith(log, undefined, (state) => states.push(formatState(state())), pinned);
  expect(whole).toMatchObject({
    verdict: "incomplete",
    findings: [{ code: "KEY_UNKNOWN", object: { kind: "checkpoint", name: "latest", size } }],
  });
  const resumed = await checkWith(log, parseState(states.at(-1) ?? ""), () => undefined, pinned);
  expect(resumed).toEqual(whole);
});
