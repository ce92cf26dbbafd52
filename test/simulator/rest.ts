/** When everything is done, and what must then hold. */

import { parseRid } from "../../src/core/ids.ts";
import { parseRecordEntry } from "../../src/core/leaf.ts";
import { activates } from "../../src/core/record.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { nowMs } from "../support/intake.ts";
import { checkLogged } from "../support/log-checker.ts";
import { never } from "../support/log-world.ts";
import { valueAt } from "./load.ts";
import { assert } from "./violation.ts";
import { committedSize, type World } from "./world.ts";

/** Everything published has its outcome, and everything accounted for lies under the published checkpoint, or the log has halted. */
export async function isAtRest(world: World): Promise<boolean> {
  const { broker, outcomes, plan, halt } = world;
  if (broker.partitions.some(({ src, events }) => outcomes.mark(src) < events.length)) return false;
  return plan.sequencers === 0 || halt !== undefined || isLogged(world);
}

async function isLogged({ broker, place }: World): Promise<boolean> {
  const { log } = place.store;
  const size = await log.size(never);
  const head = await log.head(never);
  const latest = await log.checkpoint("latest", never);
  if (size === 0 || head?.size !== size || latest?.size !== size) return false;
  for (const { src, events } of broker.partitions) {
    const row = events.length > 0 ? await log.coverage(src, Number.MAX_SAFE_INTEGER, never) : undefined;
    const entry = row?.entry === undefined ? undefined : JSON.parse(row.entry);
    if (events.length > 0 && entry?.to !== events.length) return false;
  }
  return true;
}

export async function checkRest(world: World): Promise<void> {
  checkActive(world);
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

/** Each body opens to the bytes that were published. */
async function checkBodies({ outcomes, place, keys, random, broker }: World): Promise<void> {
  const opener = dataKeys({ keys: place.store.keys, ring: keys.ring, now: () => nowMs, random });
  for (const { rid, body, entry } of outcomes.records()) {
    const parts = parseRecordEntry(entry)?.parts ?? [];
    const kids = parts.map(({ c, k }) => ({ class: c, kid: k }));
    const opened = await opener.forOpening(kids, never);
    const { content } = openBody(body, rid, (_, kid) => opened.get(kid));
    const at = parseRid(rid);
    const partition = broker.partitions[at?.partition ?? -1];
    const sent = partition && valueAt(partition, at?.offset ?? -1);
    assert(
      Buffer.from(content?.value ?? []).toString("utf8") === sent,
      () => `${rid}: the body holds other bytes than were published`,
    );
  }
}
