/** Intake that is not believed: each event gets one closed outcome, and what was stored is read back by GetRecord and compared to the byte. */

import { randomBytes } from "node:crypto";
import { anyone } from "../../src/core/caller.ts";
import type { SourceEvent } from "../../src/core/event.ts";
import { ridOf } from "../../src/core/ids.ts";
import { rejectReasons } from "../../src/core/outcome.ts";
import type { Fate, Fates } from "../../src/ingest/fate.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import type { DeadLetter } from "../../src/ports/dead-letters.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { getRecord } from "../../src/query/get-record.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { contentOf, type RecordView } from "../../src/query/record-view.ts";
import { kept, must } from "./fuzz.ts";
import { batchOfEvents, type Intake, openIntake } from "./intake.ts";
import { normalMember } from "./read-json.ts";
import { unguarded } from "./unguarded.ts";

type Sent = Omit<SourceEvent, "offset">;
export type ReadBack = AsyncDisposable & {
  readonly intake: Intake;
  /** Throws, naming the input, unless each is stored as it came or refused with a reason and kept in a dead letter. */
  publish(events: readonly Sent[], deps?: Partial<Intake["deps"]>): Promise<readonly Fate[]>;
};

const signal = new AbortController().signal;
const decoder = new TextDecoder();

export async function openReadBack(): Promise<ReadBack> {
  const intake = await openIntake(undefined, randomBytes);
  let offset = 0;
  return {
    intake,
    async publish(sent, changed = {}) {
      const events = sent.map((event): SourceEvent => ({ ...event, offset: offset++ }));
      const batch = batchOfEvents(events);
      const deps = { ...intake.deps, ...changed };
      intake.letters.length = 0;
      const end = await ingestBatch(deps, batch, intake.control);
      must(end.kind === "done", `the batch ended as ${end.kind}`);
      const letters = new Map(intake.letters.map((letter) => [letter.source.offset, letter]));
      const questions = queryDeps(intake, deps.now);
      for (const event of events) await check(event, end.fates, letters, questions);
      return events.flatMap((event) => end.fates.get(event.offset) ?? []);
    },
    [Symbol.asyncDispose]: () => intake[Symbol.asyncDispose](),
  };
}

const queryDeps = ({ store, deps, lookup }: Intake, now: () => number): QueryDeps => ({
  history: store.history,
  index: store.index,
  log: publishedLog({ log: store.log, now }),
  keys: deps.dataKeys,
  lookup,
  catalogue: deps.stations.catalogue,
  now,
  random: deps.random,
  guard: unguarded,
});

async function check(
  event: SourceEvent,
  fates: Fates,
  letters: ReadonlyMap<number, DeadLetter>,
  questions: QueryDeps,
): Promise<void> {
  const fate = fates.get(event.offset);
  try {
    must(fate !== undefined, "an offset has no outcome");
    if (fate.kind === "stored") {
      const rid = ridOf(batchOfEvents([event]).src, event.offset);
      checkStored(event, await getRecord(questions, { rid }, { ...anyone, id: "anna" }, signal));
      return;
    }
    if (fate.kind === "duplicate") return;
    const letter = letters.get(event.offset);
    must(
      letter !== undefined && sameBytes(letter.event.value, event.value),
      "the dead letter has other bytes",
    );
    if (fate.kind === "conflict") return;
    const { reason } = fate.rejection;
    must(rejectReasons.includes(reason) && reason !== "INTERNAL", `refused as ${reason}`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${why}: ${kept("stored", event.value ?? new Uint8Array())}`, { cause });
  }
}

const sameBytes = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);

/** Stored but different: what must never be. */
function checkStored(event: SourceEvent, view: RecordView): void {
  const { leafHashMatches, bodyMatches, alteredFields } = view.check;
  must(leafHashMatches && bodyMatches, "the record contradicts its entry");
  must(alteredFields.length === 0, `columns say otherwise: ${alteredFields.join()}`);
  const content = contentOf(view);
  must(content !== undefined, "the record has no content");
  must(sameBytes(content.event, event.value), "stored, but other bytes");
  for (const name of ["payload", "metadata"] as const)
    must(
      normalMember(decoder.decode(content[name]), []) === memberOf(event, name),
      `${name} is not what was sent`,
    );
}

/** The member of the envelope as an independent reader finds it: in the value, or in the data of a structured CloudEvent. */
function memberOf(event: SourceEvent, name: string): string | undefined {
  const text = decoder.decode(event.value ?? undefined);
  const isStructured = event.headers.some(
    ([key, value]) => key.toLowerCase() === "content-type" && /cloudevents/i.test(String(value)),
  );
  if (!isStructured) return normalMember(text, [name]);
  const encoded = normalMember(text, ["data_base64"]);
  if (encoded === undefined) return normalMember(text, ["data", name]);
  return normalMember(Buffer.from(JSON.parse(encoded), "base64").toString(), [name]);
}
