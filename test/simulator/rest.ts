/** When everything is done, and what must then hold. */

import { parseRid, srcOf } from "../../src/core/ids.ts";
import { parseRecordEntry } from "../../src/core/leaf.ts";
import { activates } from "../../src/core/record.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { rewrapKeys } from "../../src/privacy/rotate.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import { nowMs } from "../support/intake.ts";
import { checkLogged } from "../support/log-checker.ts";
import { never } from "../support/log-world.ts";
import { memoryKeyRing } from "../support/memory-keys.ts";
import { partitionOf, valueAt } from "./topic.ts";
import { assert } from "./violation.ts";
import { committedSize, type World } from "./world.ts";

/** Everything published has its outcome, everything stored too where the topic is no more, and everything accounted for lies under the published checkpoint, or the log has halted. */
export async function isAtRest(world: World): Promise<boolean> {
  const { broker, outcomes, plan, halt } = world;
  if (broker.current().some(({ src, events }) => outcomes.mark(src) < events.length)) return false;
  if (!isAccounted(world)) return false;
  return plan.sequencers === 0 || halt !== undefined || isLogged(world);
}

const isAccounted = ({ outcomes }: World): boolean =>
  outcomes.records().every(({ rid }) => {
    const at = parseRid(rid);
    return at !== undefined && at.offset < outcomes.mark(srcOf(at.topicId, at.partition));
  });

async function isLogged({ broker, place, outcomes }: World): Promise<boolean> {
  const { log } = place.store;
  const size = await log.size(never);
  const head = await log.head(never);
  const latest = await log.checkpoint("latest", never);
  if (size === 0 || head?.size !== size || latest?.size !== size) return false;
  for (const { src } of broker.partitions) {
    const row = await log.coverage(src, Number.MAX_SAFE_INTEGER, never);
    const entry = row?.entry === undefined ? undefined : JSON.parse(row.entry);
    if ((entry?.to ?? 0) !== outcomes.mark(src)) return false;
  }
  return true;
}

export async function checkRest(world: World): Promise<void> {
  checkActive(world);
  await checkAliases(world);
  await rewrapAll(world);
  await checkBodies(world);
  const isRolledBack = committedSize(world) > world.tree.size();
  assert(
    !isRolledBack || world.plan.sequencers === 0 || world.halt !== undefined,
    () => "the store is older than what was signed, and the log goes on",
  );
  if (world.plan.sequencers > 0 && world.halt === undefined) await checkLogged(world.place.store);
}

/** Of each stream of changes the head alone is active, if it activates. */
function checkActive({ outcomes }: World): void {
  const changes = outcomes.records().filter(({ kind }) => kind === "change");
  for (const [stream, rows] of Map.groupBy(changes, (row) => row.stream)) {
    const head = rows.reduce((last, row) => (row.version > last.version ? row : last));
    const active = rows.filter(({ isActive }) => isActive).map(({ version }) => version);
    const due = activates(head.action) ? [head.version] : [];
    assert(`${active}` === `${due}`, () => `${stream}: versions ${active} are active, and should be ${due}`);
  }
}

/** All entities of a world share an id, which each of their streams is known by. */
async function checkAliases({ outcomes, place }: World): Promise<void> {
  const streams = new Set(outcomes.records().map(({ stream }) => stream));
  for (const stream of streams) {
    const related = await place.store.history.relatedStreams(stream, streams.size, never);
    const found = new Set([stream, ...related.map((one) => one.stream)]);
    assert(
      found.size === streams.size && found.isSubsetOf(streams),
      () => `${stream} is known to share an id with ${related.length} of ${streams.size - 1} streams`,
    );
  }
}

/** Once a pass has left nothing, the KEKs before the current one are no longer needed. */
async function rewrapAll({ place, ring, random }: World): Promise<void> {
  const { state, keys } = place.store;
  const opened = await openStoreKeys({ state, ring, random, now: () => nowMs }, never);
  const { left } = await rewrapKeys({ state, keys, ring: opened.ring, random }, never);
  assert(left === 0, () => `${left} data keys lie under an older KEK`);
}

/** Each body opens to the bytes that were published, by the current KEK alone. */
async function checkBodies({ outcomes, place, ring, random, broker }: World): Promise<void> {
  const current = memoryKeyRing([ring.currentEpoch]);
  const opener = dataKeys({ keys: place.store.keys, ring: current, now: () => nowMs, random });
  for (const { rid, body, entry } of outcomes.records()) {
    const parts = parseRecordEntry(entry)?.parts ?? [];
    const kids = parts.map(({ c, k }) => ({ class: c, kid: k }));
    const opened = await opener.forOpening(kids, never);
    const { content } = openBody(body, rid, (_, kid) => opened.get(kid));
    const at = parseRid(rid);
    const sent = valueAt(partitionOf(broker.partitions, at), at?.offset ?? -1);
    assert(
      Buffer.from(content?.value ?? []).toString("utf8") === sent,
      () => `${rid}: the body holds other bytes than were published`,
    );
  }
}
