/** The work of an export: from its log index on, stretch by stretch, part by part. What is noted in the store is durable, so a run that dies is gone on with behind its last part. */
import { createHash } from "node:crypto";
import { LastroError } from "../core/errors.ts";
import { formatsVersion, recordFormats } from "../core/export-formats.ts";
import type { ExportFiles } from "../ports/export-files.ts";
import type { StoreState } from "../ports/store-state.ts";
import type { QueryDeps } from "./deps.ts";
import { evidenceEntry, evidenceFoot, evidenceHead } from "./export-evidence.ts";
import { type ExportJob, type KeptExport, wordsBy } from "./export-job.ts";
import { matchesIn, textOf } from "./export-texts.ts";
import type { Found } from "./log-matches.ts";
import { readStretch } from "./log-records.ts";
import { permit } from "./permit.ts";
import { reachedFilter } from "./search-records.ts";

/** A part closes on either, so that a crash costs no more. */
const partBytesMax = 4 * 1024 * 1024;
const partLeavesMax = 100_000;
const partHashDigits = 16;
/** Altered records that are named. */
const alteredMax = 1_000;

export type ExportRunDeps = {
  readonly query: QueryDeps;
  readonly state: Pick<StoreState, "putJob">;
  readonly files: Pick<ExportFiles, "put">;
  /** Of one export. */
  readonly bytesMax: number;
};

type Writing = {
  readonly head: string;
  readonly between: string;
  readonly foot: string;
  text(found: Found): Promise<string>;
};

async function writingOf(query: QueryDeps, job: ExportJob, signal: AbortSignal): Promise<Writing> {
  if (job.format !== "evidence") {
    const format = recordFormats[job.format];
    return { ...format, text: async (found) => textOf(format, found) };
  }
  const checkpoint = job.checkpoint ?? "";
  return {
    head: await evidenceHead(query, checkpoint, signal),
    between: ",\n",
    foot: evidenceFoot,
    text: (found) => evidenceEntry(query, checkpoint, found, signal),
  };
}

/** Undefined: somebody else changed it meanwhile, a cancellation for example. `noteProgress` hears of what is not durable yet. */
export async function runExport(
  deps: ExportRunDeps,
  kept: KeptExport,
  noteProgress: (job: ExportJob) => void,
  signal: AbortSignal,
): Promise<KeptExport | undefined> {
  const { query } = deps;
  const access = permit(query, kept.job.caller, "ExportRecords");
  const filter = reachedFilter(query, access, kept.job.filter);
  if (kept.job.words !== undefined && kept.job.words !== wordsBy(query.catalogue))
    throw new LastroError(
      "FAILED_PRECONDITION",
      "the catalogue's search changed since the export began, and with it the words of records; export again",
    );
  if (kept.job.parts.length > 0 && (kept.job.formatsVersion ?? 1) !== formatsVersion)
    throw new LastroError(
      "FAILED_PRECONDITION",
      "it was begun by a release that writes records in another way; export again",
    );
  const writing = await writingOf(query, kept.job, signal);
  let durable: KeptExport | undefined = kept;
  let job: ExportJob = query.guard.personal.isOpened(kept.job.caller)
    ? { ...kept.job, opened: true }
    : kept.job;
  let [texts, bytes, records] = [job.parts.length === 0 ? [writing.head] : [], 0, 0];

  /** Everything so far becomes durable. */
  const closePart = async (change: Partial<ExportJob>): Promise<void> => {
    const part = Buffer.from(texts.join(""));
    const isEmpty = part.length === 0 || (records === 0 && change.state === undefined);
    const added = isEmpty ? [] : [await putPart(deps, kept.name, job, part, records)];
    job = { ...job, ...change, parts: [...job.parts, ...added] };
    job = { ...job, bytes: job.parts.reduce((sum, one) => sum + one.bytes, 0) };
    if (job.bytes > deps.bytesMax)
      throw new LastroError(
        "LIMIT_REACHED",
        `the export is larger than ${deps.bytesMax} bytes; narrow its filter`,
      );
    if (durable === undefined) return;
    const { name, revision } = durable;
    const isOurs = await deps.state.putJob(name, JSON.stringify(job), revision, signal);
    durable = isOurs ? { name, job, revision: revision + 1 } : undefined;
    if (!isEmpty) [texts, bytes, records] = [[], 0, 0];
  };

  for (let begin = job.nextIndex; job.nextIndex < job.treeSize && durable !== undefined; ) {
    const stretch = await readStretch(query, job.nextIndex, job.treeSize, signal);
    const { found, alteredRids } = await matchesIn(query, access, filter, stretch, signal);
    for (const one of found) {
      const text = `${job.written === 0 ? "" : writing.between}${await writing.text(one)}`;
      texts.push(text);
      bytes += Buffer.byteLength(text);
      records += 1;
      job = { ...job, written: job.written + 1 };
    }
    const altered = [...job.alteredRids, ...alteredRids];
    job = {
      ...job,
      seen: job.seen + stretch.records.length,
      nextIndex: stretch.to,
      alteredRids: altered.slice(0, alteredMax),
      moreAltered: job.moreAltered || altered.length > alteredMax,
    };
    noteProgress(job);
    if (bytes < partBytesMax && job.nextIndex - begin < partLeavesMax) continue;
    await closePart({});
    begin = job.nextIndex;
  }
  if (durable === undefined) return undefined;
  texts.push(writing.foot);
  const endedAtMs = query.now();
  await closePart({ state: "done", endedAtMs });
  if (durable !== undefined) await putManifest(deps, durable);
  return durable;
}

/** Named by what is in it: where two processes write the same part, and what they read differs, neither spoils the one that is noted. */
async function putPart(
  { files }: ExportRunDeps,
  name: string,
  { parts, format }: ExportJob,
  bytes: Uint8Array,
  records: number,
) {
  const extension = format === "evidence" ? "json" : recordFormats[format].extension;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const number = String(parts.length + 1).padStart(5, "0");
  const part = `part-${number}-${sha256.slice(0, partHashDigits)}.${extension}`;
  await files.put(name, part, bytes);
  return { name: part, bytes: bytes.length, records, sha256 };
}

/** Beside the parts, for who takes the folder. */
async function putManifest({ files }: ExportRunDeps, { name, job }: KeptExport): Promise<void> {
  const { filter, format, treeSize, written, bytes, parts } = job;
  const manifest = { filter, format, tree_size: treeSize, records: written, bytes, parts };
  await files.put(name, "manifest.json", Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`));
}
