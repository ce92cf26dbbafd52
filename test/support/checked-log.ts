/** A store with a log made by intake and sequencer themselves: several partitions, every outcome, control entries, checkpoints that a witness cosigned. Its database is open to be tampered with. */
import { generateKeyPairSync, hash, sign } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../src/adapters/sqlite/database.ts";
import type { Report, Verification } from "../../src/core/findings.ts";
import type { Kid } from "../../src/core/ids.ts";
import { controlEntry } from "../../src/core/log-entries.ts";
import {
  cosignatureBytes,
  cosignedMessage,
  formatNote,
  formatVerifierKey,
  parseNote,
  verifierKey,
} from "../../src/core/signed-note.ts";
import { noTrust, type Trust } from "../../src/core/trust.ts";
import { checkIndex } from "../../src/indexing/check-index.ts";
import { indexPass } from "../../src/indexing/index-pass.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { checkStore } from "../../src/log/check.ts";
import type { CheckDeps } from "../../src/log/check-pass.ts";
import type { CheckState } from "../../src/log/check-state.ts";
import type { Store } from "../../src/ports/store.ts";
import { checkBodies } from "../../src/query/check-bodies.ts";
import { type Draw, drawFrom } from "./draw.ts";
import { verifyNote } from "./ed25519.ts";
import { auditEvent, batchOf, type Intake, openIntake, stationSettings } from "./intake.ts";
import { type LogWorld, never, openLogWorld } from "./log-world.ts";
import { storeOver } from "./store-over.ts";

export const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

export type CheckedLog = AsyncDisposable & {
  readonly db: DatabaseSync;
  readonly store: Store;
  readonly intake: Intake;
  readonly world: LogWorld;
  /** The latest checkpoint, cosigned. */
  readonly pin: string;
  readonly witness: string;
  /** With the pin and the witness. */
  readonly trust: Trust;
  check(options?: {
    readonly trust?: Trust;
    readonly openBodies?: boolean;
    readonly resume?: CheckState | undefined;
  }): Promise<Verification>;
};

const partitions = 3;
const rounds = 4;

function values(draw: Draw, round: number, partition: number, events: number): (string | undefined)[] {
  return Array.from({ length: events }, (_, at) => {
    const fate = draw(20);
    const name = `${partition}-${round}-${at}`;
    const id = `a-${partition}-${draw(40)}`;
    if (fate === 0) return "{ not json";
    if (fate === 1) return undefined;
    // The one before it again: to the letter, or with other content.
    if (fate === 2 && at > 0) return auditEvent({ id: "twin", eventId: `twin-${partition}-${draw(4)}` });
    if (fate === 3 && at > 0)
      return auditEvent({ id: "twin", eventId: `twin-${partition}-${draw(4)}`, name });
    if (fate === 4) return auditEvent({ id, eventId: name, type: "account.viewed" });
    return auditEvent({ id, eventId: name, name });
  });
}

/** About `events` offsets. */
export async function makeCheckedLog(seed: number, events: number): Promise<CheckedLog> {
  const db = openDatabase(":memory:");
  const store = storeOver(db, 1024 * 1024);
  const draw = drawFrom(seed);
  const intake = await openIntake(store, (bytes) => Uint8Array.from({ length: bytes }, () => draw(256)));
  const world = await openLogWorld({ store });
  const perBatch = Math.ceil(events / (partitions * rounds));
  const marks = Array.from({ length: partitions }, () => 0);
  for (let round = 0; round < rounds; round++) {
    for (let partition = 0; partition < partitions; partition++) {
      const from = marks[partition] ?? 0;
      const batch = batchOf(from, values(draw, round, partition, perBatch), partition);
      const end = await ingestBatch(intake.deps, batch, intake.control);
      if (end.kind !== "done") throw new Error(`intake: ${end.kind}`);
      marks[partition] = batch.to;
    }
    const kids = [Buffer.from(sha256(Buffer.of(round)).subarray(0, 16)).toString("base64url") as Kid];
    const id = `fence-${round}`;
    const data = { act: `act-${round}`, kids };
    const entry = controlEntry({ kind: "fence", id, atMs: world.nowMs, data });
    await store.log.queueControl({ id, entry }, never);
    world.nowMs += 31_000;
    await world.drain();
  }
  const { catalogue } = stationSettings;
  const indexed = { log: store.log, history: store.history, index: store.index, catalogue };
  for (let lag = 1; lag > 0; ) ({ lag } = await indexPass({ ...indexed, keys: intake.deps.dataKeys }, never));
  const cosigned = await cosign(store);
  const trust: Trust = { ...noTrust, pin: cosigned.note, witnesses: { vkeys: [cosigned.vkey], k: 1 } };
  const deps: CheckDeps = {
    log: store.log,
    audit: store.audit,
    crypto: { sha256, verify: verifyNote },
    openBodies: undefined,
  };
  const open = checkBodies({
    ...stationSettings,
    lookup: intake.lookup,
    keys: intake.deps.dataKeys,
    history: store.history,
    textsOf: store.index.texts,
  });
  const aids = {
    openBodies: open,
    checkIndex: (report: Report) => checkIndex(indexed, report, () => undefined, never),
  };
  return {
    db,
    store,
    intake,
    world,
    pin: cosigned.note,
    witness: cosigned.vkey,
    trust,
    check: ({ trust: given = trust, openBodies = false, resume } = {}) =>
      checkStore(
        { ...deps, ...(openBodies && aids) },
        { trust: given, resume, onProgress: () => undefined, onRun: async () => undefined },
        never,
      ),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** A witness cosigns the latest checkpoint, which is published as the witnessed one. */
export async function cosign(store: Store): Promise<{ readonly note: string; readonly vkey: string }> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const key = { name: "witness.test", type: "cosignature/v1", publicKey: raw } as const;
  const latest = await store.log.checkpoint("latest", never);
  const note = latest && parseNote(latest.note);
  if (latest === undefined || note === undefined) throw new Error("nothing was published");
  const timestampS = 1_795_000_000;
  const bytes = cosignatureBytes(timestampS, sign(null, cosignedMessage(timestampS, note.text), privateKey));
  const signatures = [...note.signatures, { name: key.name, id: verifierKey(sha256, key).id, bytes }];
  const cosigned = formatNote({ text: note.text, signatures });
  await store.log.publish("witnessed", { ...latest, note: cosigned, signatures: signatures.length }, never);
  return { note: cosigned, vkey: formatVerifierKey(sha256, key) };
}
