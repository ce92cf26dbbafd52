/** What gRPC says of the day: outcomes, one account's life, its owner, the dead letters. Holds no opinion; checks.ts has. */
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { OutcomeCounts } from "../core/outcome.ts";
import { HistoryService, VersionOrder } from "../gen/lastro/v1/history_pb.ts";
import { OutcomeKind } from "../gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../gen/lastro/v1/ownership_pb.ts";
import { ActionTypeSchema, StreamKind, type Record as WireRecord } from "../gen/lastro/v1/record_pb.ts";
import type { Ask } from "./client.ts";
import type { Hero } from "./day.ts";
import { countOutcomes, type FoundOutcome, listOutcomes, type Range, type SrcOf } from "./intake.ts";

export type Difference = {
  readonly op: string;
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
};
export type Version = {
  readonly rid: string;
  readonly version: number;
  readonly action: string;
  readonly eventType: string;
  readonly actionAt: string;
  readonly actor: string;
  readonly isActive: boolean;
  readonly sealedAndWhole: boolean;
  /** To the version before; none for the first. */
  readonly differences: readonly Difference[];
};
export type DeadLetter = {
  readonly rid: string;
  readonly kind: "rejected" | "conflict";
  readonly reason: string;
  readonly pointer: string;
  readonly sentence: string;
  readonly originalRid: string;
  readonly at: string;
};
export type Report = {
  readonly outcomes: OutcomeCounts;
  readonly history: readonly Version[];
  readonly activities: number;
  readonly state: {
    readonly asOf: string;
    readonly version: number;
    readonly deleted: boolean;
    readonly state: unknown;
  };
  readonly ownership: {
    readonly ownershipId: string;
    readonly firstEventAt: string;
    readonly lastEventAt: string;
    readonly producers: readonly string[];
    readonly records: Readonly<Record<string, number>>;
  };
  readonly deadLetters: readonly DeadLetter[];
  readonly duplicates: readonly { readonly rid: string; readonly originalRid: string }[];
};

export async function askForReport(
  ask: Ask,
  hero: Hero,
  ranges: readonly Range[],
  srcOf: SrcOf,
): Promise<Report> {
  const found = await listOutcomes(ask, ranges, srcOf);
  return {
    outcomes: await countOutcomes(ask, ranges, srcOf),
    ...(await lifeOf(ask, hero)),
    state: await stateThen(ask, hero),
    ownership: await ownershipOf(ask, hero),
    deadLetters: found.flatMap((one) => deadLetterOf(one, srcOf)),
    duplicates: found
      .filter(({ outcome }) => outcome.kind === OutcomeKind.DUPLICATE)
      .map((one) => ({ rid: ridOf(one, srcOf), originalRid: one.outcome.originalRid })),
  };
}

const ridOf = ({ partition, outcome }: FoundOutcome, srcOf: SrcOf): string =>
  `${srcOf.get(partition)}.${outcome.fromOffset}`;

function deadLetterOf(found: FoundOutcome, srcOf: SrcOf): readonly DeadLetter[] {
  const { kind, reason, pointer, sentence, originalRid, deadLetter } = found.outcome;
  if (kind !== OutcomeKind.REJECTED && kind !== OutcomeKind.CONFLICT) return [];
  const at =
    deadLetter === undefined ? "" : `${deadLetter.topic}/${deadLetter.partition}/${deadLetter.offset}`;
  return [
    {
      rid: ridOf(found, srcOf),
      kind: kind === OutcomeKind.CONFLICT ? "conflict" : "rejected",
      reason,
      pointer,
      sentence,
      originalRid,
      at,
    },
  ];
}

async function lifeOf(ask: Ask, { entity }: Hero): Promise<Pick<Report, "history" | "activities">> {
  const records: WireRecord[] = [];
  let pageToken = "";
  do {
    const page = await ask(HistoryService.method.getHistory, {
      entity,
      kinds: [StreamKind.CHANGE, StreamKind.ACTIVITY],
      includeInactive: true,
      order: VersionOrder.OLDEST_FIRST,
      pageToken,
    });
    records.push(...page.records);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const changes = records.filter(({ kind }) => kind === StreamKind.CHANGE);
  const history: Version[] = [];
  for (const record of changes) {
    const version = Number(record.version);
    history.push({
      ...versionOf(record),
      differences: version < 2 ? [] : await differencesTo(ask, entity, version),
    });
  }
  return { history, activities: records.length - changes.length };
}

const timeOf = (record: WireRecord): string =>
  record.actionAt === undefined ? "" : timestampDate(record.actionAt).toISOString();

const versionOf = (record: WireRecord): Omit<Version, "differences"> => ({
  rid: record.rid,
  version: Number(record.version),
  action: ActionTypeSchema.value[record.action]?.localName.toLowerCase() ?? "",
  eventType: record.eventType,
  actionAt: timeOf(record),
  actor: `${record.actor?.ownerRole ?? ""} ${record.actor?.ownerId ?? ""}`,
  isActive: record.isActive,
  sealedAndWhole: wholeOf(record),
});

const wholeOf = ({ check }: WireRecord): boolean =>
  check?.leafHashMatches === true && check.bodyMatches && check.alteredFields.length === 0;

async function differencesTo(
  ask: Ask,
  entity: Hero["entity"],
  version: number,
): Promise<readonly Difference[]> {
  const { differences } = await ask(HistoryService.method.compareVersions, {
    entity,
    fromVersion: BigInt(version - 1),
    toVersion: BigInt(version),
  });
  return differences.map(({ op, path, oldValue, newValue }) => ({
    op,
    path,
    ...(oldValue !== undefined && { before: jsonOf(oldValue) }),
    ...(newValue !== undefined && { after: jsonOf(newValue) }),
  }));
}

const jsonOf = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

async function stateThen(ask: Ask, { entity, momentMs }: Hero): Promise<Report["state"]> {
  const { deleted, state, record } = await ask(HistoryService.method.getState, {
    entity,
    asOf: { case: "actionAt", value: timestampFromMs(momentMs) },
  });
  return {
    asOf: new Date(momentMs).toISOString(),
    version: Number(record?.version ?? 0),
    deleted,
    state: state === undefined ? null : jsonOf(state),
  };
}

async function ownershipOf(
  ask: Ask,
  { entity: { tenant }, ownershipId }: Hero,
): Promise<Report["ownership"]> {
  const { ownership } = await ask(OwnershipService.method.getOwnership, { tenant, ownershipId });
  const records: Record<string, number> = {};
  let pageToken = "";
  do {
    const page = await ask(OwnershipService.method.listOwnedRecords, { tenant, ownershipId, pageToken });
    for (const { eventType } of page.records) records[eventType] = (records[eventType] ?? 0) + 1;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const textOf = (time: Parameters<typeof timestampDate>[0] | undefined): string =>
    time === undefined ? "" : timestampDate(time).toISOString();
  return {
    ownershipId: ownership?.ownershipId ?? "",
    firstEventAt: textOf(ownership?.firstEventAt),
    lastEventAt: textOf(ownership?.lastEventAt),
    producers: [...(ownership?.producers ?? [])].sort(),
    records,
  };
}
