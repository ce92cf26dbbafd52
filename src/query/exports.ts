/** Exports as long-running operations: begun, gone on with after a crash, told of, cancelled, read, removed. Each belongs to its caller; to others it is not there. */
import { createHash } from "node:crypto";
import type { Act } from "../access/telling.ts";
import { isTransient, LastroError } from "../core/errors.ts";
import { type ExportFormat, formatsVersion } from "../core/export-formats.ts";
import { fieldsOf } from "../core/filter-holds.ts";
import { sleep } from "../lib/backoff.ts";
import { repeat } from "../lib/upkeep.ts";
import type { ExportFiles } from "../ports/export-files.ts";
import type { Log } from "../ports/log.ts";
import type { StoreState } from "../ports/store-state.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";
import {
  type ExportJob,
  isExportName,
  type KeptExport,
  keptExport,
  noSuchExport,
  wordsBy,
} from "./export-job.ts";
import { requireRights, rightsTo } from "./lasting.ts";
import { permit } from "./permit.ts";
import { requireSize, requireTree, requireTreeOf } from "./prove.ts";
import type { PublishedLog, SignedTree } from "./published-log.ts";
import { runExport } from "./run-export.ts";
import { reachedFilter } from "./search-records.ts";
import { requireOn, requireTextOn } from "./switched-on.ts";

export type ExportLimits = {
  /** That run at once in this process. */
  readonly runningMax: number;
  /** Of all callers, running or ended. */
  readonly keptMax: number;
  readonly bytesMax: number;
  /** Of an evidence bundle, which its verifier reads whole. */
  readonly evidenceBytesMax: number;
  /** From its beginning until its files are removed. */
  readonly keptMs: number;
};

export type ExportsDeps = {
  readonly query: QueryDeps;
  readonly state: Pick<StoreState, "jobs" | "job" | "putJob" | "removeJob">;
  readonly files: ExportFiles;
  readonly limits: ExportLimits;
  readonly log: Log;
  /** Between two looks through the folder; absent: so long. */
  readonly wait?: typeof sleep;
};

export type ExportRequest = {
  readonly filter: string;
  readonly format: ExportFormat;
  /** Undefined: the latest published one. */
  readonly treeSize: number | undefined;
};
export type ExportBytes = { readonly data: Uint8Array; readonly nextOffset: number };

export type Exports = {
  start(request: ExportRequest, caller: Caller, signal: AbortSignal): Promise<KeptExport>;
  get(name: string, caller: Caller, signal: AbortSignal): Promise<KeptExport>;
  list(caller: Caller, signal: AbortSignal): Promise<readonly KeptExport[]>;
  /** One that has ended stays as it is. */
  cancel(name: string, caller: Caller, signal: AbortSignal): Promise<void>;
  remove(name: string, caller: Caller, signal: AbortSignal): Promise<void>;
  read(
    name: string,
    offset: number,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<ExportBytes, void, undefined>;
};

const exported = (format: string): Act => ({ type: "records.exported", id: "export", detail: { format } });

const nameBytes = 16;
const upkeepMs = 30_000;
const retryMs = 5_000;
/** Into an export that runs something is put more often. */
const quietMsMax = 60_000;
const answerBytesMax = 256 * 1024;
/** From the folder of an export to its document in the store, longer than any call takes. */
const beginMsMax = 15 * 60_000;

/** Takes up what a process before this one left; ends with the signal, after which the next one goes on. */
export function openExports(deps: ExportsDeps, signal: AbortSignal): Exports {
  const { query, state, files, limits } = deps;
  /** Those that run here or are about to, with how far they are. */
  const running = new Map<string, ExportJob | undefined>();
  let hasLooked = false;

  async function run(kept: KeptExport): Promise<void> {
    const { name } = kept;
    running.set(name, kept.job);
    try {
      await runUntilEnd(deps, kept, (job) => running.set(name, job), signal);
    } finally {
      running.delete(name);
    }
  }

  async function upkeep(): Promise<void> {
    // In this order: what is listed and does not run here by then had its document before the documents are read.
    const lying = (await files.list()).filter(({ name }) => isExportName(name));
    const mine = new Set(running.keys());
    const jobs = (await state.jobs(signal)).filter(({ name }) => isExportName(name)).map(keptExport);
    const [expired, kept] = [new Set<string>(), new Map<string, KeptExport>()];
    for (const one of jobs)
      if (one.job.expiresAtMs <= query.now()) expired.add(one.name);
      else kept.set(one.name, one);
    const left: string[] = [];
    for (const { name, changedAtMs } of lying) {
      if (mine.has(name) || expired.has(name)) continue;
      const one = kept.get(name);
      const unchangedMs = query.now() - changedAtMs;
      // As it starts, what runs is taken for what the process before this one left.
      const isTaken = hasLooked && unchangedMs <= quietMsMax;
      if (one?.job.state === "running") {
        if (!isTaken) void run(one);
      } else if (isLeft(one?.job, unchangedMs)) left.push(name);
    }
    hasLooked = true;
    const removals = [
      ...[...expired].map((name) => forget(deps, name, signal)),
      ...left.map((name) => files.remove(name)),
    ];
    // One that cannot be removed keeps no other from it.
    const failed = (await Promise.allSettled(removals)).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const exports = left.length;
    const what = "files of exports that are gone, cancelled or failed were removed";
    if (exports > 0) deps.log.info("export_files_removed", what, { exports });
  }
  const noteFault = (cause: unknown): void => {
    const why = cause instanceof LastroError ? cause.message : "the next pass tries again";
    deps.log.warn("exports_not_kept_up", why);
  };
  void repeat(upkeepMs, signal, upkeep, noteFault, deps.wait);

  async function get(name: string, caller: Caller, until: AbortSignal): Promise<KeptExport> {
    const stored = isExportName(name) ? await state.job(name, until) : undefined;
    const kept = stored && keptExport(stored);
    if (kept === undefined || kept.job.caller.id !== caller.id || kept.job.expiresAtMs <= query.now())
      throw noSuchExport();
    const progress = kept.job.state === "running" ? running.get(name) : undefined;
    return progress === undefined ? kept : { ...kept, job: progress };
  }

  /** What other processes begin at the same moment is not known here. */
  async function requireRoom(beginning: readonly string[], until: AbortSignal): Promise<void> {
    const stored = (await state.jobs(until)).map(({ name }) => name).filter(isExportName);
    if (new Set([...stored, ...beginning]).size >= limits.keptMax)
      throw new LastroError("LIMIT_REACHED", `${limits.keptMax} exports are kept already; delete one`);
  }

  return {
    get,
    async start(request, caller, until) {
      if (running.size >= limits.runningMax)
        throw new LastroError("LIMIT_REACHED", `${limits.runningMax} exports run already; try again later`);
      const name = `export-${Buffer.from(query.random(nameBytes)).toString("hex")}`;
      const earlier = [...running.keys()];
      // Taken before anything is waited for: of those that begin together, each counts the ones before it.
      running.set(name, undefined);
      try {
        const kept = { name, job: await newJob(deps, request, caller, until), revision: 1 };
        await query.guard.watch.act(caller, exported(request.format), until);
        await requireRoom(earlier, until);
        await files.create(name);
        await state.putJob(name, JSON.stringify(kept.job), undefined, until);
        void run(kept);
        return kept;
      } catch (error) {
        running.delete(name);
        throw error;
      }
    },
    async list(caller, until) {
      const all = (await state.jobs(until)).filter(({ name }) => isExportName(name)).map(keptExport);
      return all.filter(({ job }) => job.caller.id === caller.id && job.expiresAtMs > query.now());
    },
    async cancel(name, caller, until) {
      for (;;) {
        await get(name, caller, until);
        const stored = await state.job(name, until);
        if (stored === undefined) throw noSuchExport();
        const { job, revision } = keptExport(stored);
        if (job.state !== "running") return;
        const fault = { code: "FAILED_PRECONDITION", message: "the export was cancelled" } as const;
        const cancelled: ExportJob = { ...job, state: "cancelled", endedAtMs: query.now(), parts: [], fault };
        if (await state.putJob(name, JSON.stringify(cancelled), revision, until)) return files.remove(name);
      }
    },
    async remove(name, caller, until) {
      await get(name, caller, until);
      await forget(deps, name, until);
    },
    async *read(name, offset, caller, until) {
      if (!Number.isSafeInteger(offset) || offset < 0) throw invalid("offset", "must not be negative");
      const { job } = await get(name, caller, until);
      if (job.state !== "done")
        throw new LastroError(
          "FAILED_PRECONDITION",
          `the export is ${job.state}; only one that is done is read`,
        );
      if (offset > job.bytes) throw invalid("offset", `is beyond the ${job.bytes} bytes of the export`);
      // To whom it was written may see less by now.
      const began = rightsTo(job.caller, "ExportRecords", job.opened === true);
      requireRights(query, caller, "ExportRecords", began);
      for await (const bytes of bytesFrom(deps, name, job, offset)) {
        requireRights(query, caller, "ExportRecords", began);
        yield bytes;
      }
    },
  };
}

async function newJob(
  { query, limits }: ExportsDeps,
  { filter, format, treeSize }: ExportRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<ExportJob> {
  const access = permit(query, caller, "ExportRecords");
  await requireOn(query, access, "exports");
  const reached = reachedFilter(query, access, filter);
  await requireTextOn(query, access, reached);
  const fields = fieldsOf(reached);
  if (fields.includes("active"))
    throw invalid("filter", "must not ask for `active`, which changes while one exports");
  const asked = treeSize === undefined ? undefined : requireSize(treeSize, 1, "tree_size");
  const latest = await (asked === undefined
    ? requireTree(query.log, "latest", signal)
    : requireTreeOf(query.log, asked, "tree_size", signal));
  const size = asked ?? latest.size;
  const checkpoint = format === "evidence" ? await noteOf(query.log, latest, size, signal) : null;
  const createdAtMs = query.now();
  return {
    caller, filter, format, formatsVersion, createdAtMs,
    ...(fields.includes("text") && { words: wordsBy(query.catalogue) }),
    treeSize: size,
    checkpoint,
    state: "running",
    endedAtMs: null,
    expiresAtMs: createdAtMs + limits.keptMs,
    nextIndex: 0, seen: 0, written: 0, bytes: 0,
    parts: [], alteredRids: [], moreAltered: false, fault: null,
  }; // biome-ignore format: one line for those that begin empty
}

/** The published note of a tree of that size: the one that witnesses cosigned, where both have it. */
async function noteOf(
  log: PublishedLog,
  latest: SignedTree,
  size: number,
  signal: AbortSignal,
): Promise<string> {
  const witnessed = await log.checkpoint("witnessed", signal);
  const tree = [witnessed, latest].find((one) => one?.size === size);
  if (tree !== undefined) return tree.note;
  const sizes = witnessed === undefined ? latest.size : `${latest.size}, ${witnessed.size} (witnessed)`;
  throw invalid("tree_size", `must be ${sizes} or absent: evidence needs the checkpoint of its tree`);
}

/** What passes by itself is waited for; anything else ends the export. */
async function runUntilEnd(
  deps: ExportsDeps,
  begun: KeptExport,
  noteProgress: (job: ExportJob) => void,
  signal: AbortSignal,
): Promise<void> {
  const { query, state, files, limits, log } = deps;
  const { name } = begun;
  for (let kept: KeptExport | undefined = begun; kept?.job.state === "running" && !signal.aborted; ) {
    try {
      const bytesMax = kept.job.format === "evidence" ? limits.evidenceBytesMax : limits.bytesMax;
      await runExport({ query, state, files, bytesMax }, kept, noteProgress, signal);
      return await tidy(deps, name, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof LastroError && isTransient(error)))
        return fail(deps, name, error, signal).catch(() => undefined);
      log.warn("export_waits", `an export waits and goes on by itself: ${error.message}`, { name });
      await sleep(retryMs, signal).catch(() => undefined);
      const stored = await state.job(name, signal).catch(() => undefined);
      kept = stored && keptExport(stored);
    }
  }
}

/** Takes away the parts that were written and not noted. Not before the export is done: another process may be about to note one. */
async function tidy({ state, files }: ExportsDeps, name: string, signal: AbortSignal): Promise<void> {
  const stored = await state.job(name, signal);
  const job = stored && keptExport(stored).job;
  if (job?.state !== "done") return;
  const noted = new Set(job.parts.map((part) => part.name));
  await files.tidy(name, (file) => !file.startsWith("part-") || noted.has(file));
}

async function fail(
  { query, state, files, log }: ExportsDeps,
  name: string,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  const known = error instanceof LastroError;
  if (!known) log.error("export_failed", "an export failed unexpectedly", { name }, error);
  const stored = await state.job(name, signal);
  if (stored === undefined) return;
  const { job, revision } = keptExport(stored);
  if (job.state !== "running") return;
  const fault = known
    ? { code: error.code, message: error.message }
    : ({ code: "INTERNAL", message: "the service failed; its log has the cause" } as const);
  const failed: ExportJob = { ...job, state: "failed", endedAtMs: query.now(), parts: [], fault };
  if (await state.putJob(name, JSON.stringify(failed), revision, signal)) await files.remove(name);
}

/** Whether files lie here for nothing: who ended the export may not have had them. What has no document may be about to get it from a process that shares the folder. */
function isLeft(job: ExportJob | undefined, unchangedMs: number): boolean {
  return job === undefined ? unchangedMs > beginMsMax : job.state === "failed" || job.state === "cancelled";
}

/** The document goes last: while it is there, the files are found. */
async function forget({ state, files }: ExportsDeps, name: string, signal: AbortSignal): Promise<void> {
  await files.remove(name);
  await state.removeJob(name, signal);
}

/** A part is held against what was noted of it before any of it is given. */
async function* bytesFrom(
  { files }: ExportsDeps,
  name: string,
  { parts }: ExportJob,
  offset: number,
): AsyncGenerator<ExportBytes, void, undefined> {
  let begin = 0;
  for (const part of parts) {
    const end = begin + part.bytes;
    if (offset < end) {
      const bytes = await files.part(name, part.name);
      if (bytes === undefined)
        throw new LastroError("FAILED_PRECONDITION", "the export lies with another instance; ask that one");
      if (createHash("sha256").update(bytes).digest("hex") !== part.sha256)
        throw new LastroError("BODY_UNREADABLE", `${part.name} of the export was changed; export again`);
      for (let at = Math.max(0, offset - begin); at < bytes.length; at += answerBytesMax) {
        const data = bytes.subarray(at, at + answerBytesMax);
        yield { data, nextOffset: begin + at + data.length };
      }
    }
    begin = end;
  }
}
