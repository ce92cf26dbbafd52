/** P1 over a change of rules: an offset that has a record is stored, whatever today's rules would make of its event. */
import { expect, test } from "@jest/globals";
import { emptyCatalogue, parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import { srcOf } from "../../src/core/ids.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { allRecords } from "../support/checker.ts";
import { auditEvent, batchOf, type Intake, openIntake, topicId } from "../support/intake.ts";
import { openLogWorld } from "../support/log-world.ts";

const src = srcOf(topicId, 0);
const signal = AbortSignal.timeout(30_000);
const events = ["1", "2", "3"].map((eventId) => auditEvent({ eventId }));
const bad = "{ not json";

/** Intake by other rules; a failure at the dead letters leaves the batch stored and not accounted for. */
function byRules(intake: Intake, rules: object | undefined, lettersAreAway = false): Intake["deps"] {
  const parsed = parseCatalogue(JSON.stringify({ version: 1, events: { "account.*": rules ?? {} } }));
  if (!parsed.ok) throw new Error(parsed.errors.join());
  const { deps } = intake;
  const catalogue = rules === undefined ? emptyCatalogue : parsed.catalogue;
  const away = new LastroError("DEAD_LETTERS_UNAVAILABLE", "away");
  return {
    ...deps,
    stations: { ...deps.stations, catalogue },
    ...(lettersAreAway && { deadLetters: { ...deps.deadLetters, send: () => Promise.reject(away) } }),
  };
}

async function storeUnaccounted(intake: Intake, values: readonly (string | undefined)[]): Promise<void> {
  const deps = byRules(intake, undefined, true);
  await expect(ingestBatch(deps, batchOf(0, values), intake.control)).rejects.toThrow("away");
  expect(await intake.store.records.mark(src, signal)).toBeUndefined();
  intake.deps.heads.clear();
}

/** Outcomes that are rows, and what the log makes of all: a record and an outcome of one offset would halt it. */
async function accountedIn({ store }: Intake): Promise<readonly string[]> {
  const kinds = ["duplicate", "conflict", "rejected", "gap"] as const;
  const outcomes = await store.records.outcomes({ src, from: 0, to: 100, kinds, limit: 100 }, signal);
  // The world ends with the intake, whose store it is.
  const log = await openLogWorld({ store });
  await log.drain();
  expect(await store.log.size(signal)).toBeGreaterThan(0);
  return outcomes.map(({ kind, from, to }) => `${kind} ${from}-${to}`);
}
const refusing = { schemas: { "1.0": { type: "object", required: ["never_there"] } } };

test("R-81 an event that was stored and is refused by now stays stored; only what never was a record is rejected", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, [...events, bad]);
  const end = await ingestBatch(byRules(intake, refusing), batchOf(0, [...events, bad]), intake.control);
  expect(end.kind === "done" && end.report).toMatchObject({
    counts: { stored: 3, rejected: 1, gap: 0 },
    redelivered: 3,
  });
  expect(intake.letters.map(({ source }) => source.offset)).toEqual([3]);
  expect(await accountedIn(intake)).toEqual(["rejected 3-4"]);
});

test("R-81 a record whose event is not delivered any more is no gap", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, [...events, bad]);
  const later = batchOf(0, [undefined, undefined, events[2], bad, undefined]);
  const end = await ingestBatch(intake.deps, later, intake.control);
  expect(end.kind === "done" && end.report.counts).toMatchObject({ stored: 3, rejected: 1, gap: 1 });
  expect(await accountedIn(intake)).toEqual(["rejected 3-4", "gap 4-5"]);
});

test("R-81 an event that was stored and cannot be sealed again for a fault of ours stays stored", async () => {
  await using intake = await openIntake();
  await storeUnaccounted(intake, [events[0], bad]);
  const { stations } = intake.deps;
  const random = (): never => {
    throw new Error("a fault of ours");
  };
  intake.hintsMode = "forgetful";
  const deps = { ...intake.deps, stations: { ...stations, random } };
  await ingestBatch(deps, batchOf(0, [events[0], bad]), intake.control);
  expect(await accountedIn(intake)).toEqual(["rejected 1-2"]);
});

test("R-07 a record that today's catalogue would put into another stream has its predecessor deactivated in its own", async () => {
  await using intake = await openIntake();
  await ingestBatch(intake.deps, batchOf(0, events.slice(0, 1)), intake.control);
  const { deps } = intake;
  const dying: Intake["deps"] = {
    ...deps,
    records: {
      ...deps.records,
      async append({ records }, until) {
        await deps.records.append(
          { records, deactivate: [], ownerships: [], aliases: [], account: undefined },
          until,
        );
        throw new LastroError("STORE_UNAVAILABLE", "power lost");
      },
    },
  };
  const next = batchOf(1, events.slice(1, 2));
  await expect(ingestBatch(dying, next, intake.control)).rejects.toThrow("power lost");
  intake.deps.heads.clear();
  await ingestBatch(byRules(intake, { namespace: "elsewhere" }), next, intake.control);
  const shape = (await allRecords(intake.store)).map(({ stream, version, isActive }) => ({
    stream,
    version,
    isActive,
  }));
  expect(new Set(shape.map(({ stream }) => stream)).size).toBe(1);
  expect(shape.map(({ version, isActive }) => [version, isActive])).toEqual([
    [1, false],
    [2, true],
  ]);
});
