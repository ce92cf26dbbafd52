/** `lastro verify`: a record, a range of offsets or a whole log, offline from what was handed over or against a server. Trusts nobody but the caller's own keys and checkpoints. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { parseRid, type Rid, ridOf, type Src } from "../core/ids.ts";
import { openCheckpoint } from "../core/trust.ts";
import {
  type BundleScope,
  type Evidence,
  formatEvidence,
  httpLogReader,
  type LogReader,
  logReaderOf,
  parseEvidence,
  type Trust,
  verifyBundle,
  verifyLog,
} from "../sdk/verify.ts";
import { type Cli, newCommand } from "./command.ts";
import { CliFailure } from "./failure.ts";
import { progressBar } from "./progress.ts";
import { readText } from "./read-text.ts";
import { type AccessOptions, addAccessOptions, serverAccessOf } from "./server-access.ts";
import { addTrustOptions, keepPin, type TrustOptions, tell, trustOf } from "./verification.ts";

type BundleOptions = TrustOptions &
  AccessOptions & {
    readonly bundle?: string;
    readonly server?: string;
    readonly save?: string;
  };
type LogOptions = TrustOptions & { readonly anyEntries?: true };

export function verifyCommand(cli: Cli): Command {
  const verify = newCommand(
    "verify",
    "Verify records, ranges of offsets or the whole log without trusting the server",
    [
      "verify record AAAAAAAAAAAAAAAAAAAAAQ.0.17 --bundle evidence.json --pin kept.txt",
      "verify range AAAAAAAAAAAAAAAAAAAAAQ.0 0 500 --server 127.0.0.1:50051",
      "verify log https://audit.example.org/ --pin kept.txt --witness 'w1.example.org+…'",
    ],
  );
  const record = newCommand(
    "record",
    "Verify that a record is in the log, and its sealed body where it is given",
    ["verify record AAAAAAAAAAAAAAAAAAAAAQ.0.17 --bundle evidence.json"],
  )
    .argument("<rid>", "record id: topic id, partition and offset")
    .action((rid: string, options: BundleOptions) => {
      if (parseRid(rid) === undefined) throw new CliFailure("usage", `${rid} is no record id`);
      return verifyScope(cli, { kind: "record", rid: rid as Rid }, options);
    });
  const range = newCommand("range", "Verify that each offset of a range has its one outcome in the log", [
    "verify range AAAAAAAAAAAAAAAAAAAAAQ.0 0 500 --bundle evidence.json",
  ])
    .argument("<src>", "source partition: topic id and partition")
    .argument("<from>", "first offset")
    .argument("<to>", "offset behind the last")
    .action((src: string, from: string, to: string, options: BundleOptions) =>
      verifyScope(cli, rangeOf(src, Number(from), Number(to)), options),
    );
  for (const command of [record, range])
    addTrustOptions(
      addAccessOptions(command)
        .option("--bundle <file>", "evidence bundle; - for standard input")
        .option("--server <host:port>", "gRPC address to gather the evidence from")
        .option("--save <file>", "write what the server gave as an evidence bundle"),
    );
  const log = addTrustOptions(
    newCommand("log", "Verify a whole log: every entry, tile and root", [
      "verify log https://audit.example.org/",
      "verify log ./copy-of-the-log --any-entries --vkey 'log.example.org+…'",
    ])
      .argument("<where>", "URL or folder that holds checkpoint and tile/…")
      .option("--any-entries", "a log of another program: verify the tree alone"),
  ).action((where: string, options: LogOptions) => verifyWhole(cli, where, options));
  for (const command of [record, range, log]) verify.addCommand(command);
  return verify;
}

function rangeOf(src: string, from: number, to: number): BundleScope {
  if (parseRid(ridOf(src as Src, 0)) === undefined)
    throw new CliFailure("usage", `${src} is no source partition`);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to <= from)
    throw new CliFailure("usage", "a range goes from an offset to a larger one");
  return { kind: "range", src: src as Src, from, to };
}

async function verifyScope(cli: Cli, scope: BundleScope, options: BundleOptions): Promise<void> {
  const trust = await trustOf(options);
  const evidence = await evidenceOf(cli, scope, options, trust);
  const result = verifyBundle(scope, evidence, trust);
  keepPin(options.pin, evidence.checkpoint, result);
  tell(cli, result, options.json === true);
}

async function evidenceOf(
  { now }: Cli,
  scope: BundleScope,
  options: BundleOptions,
  { pin, anchored, witnesses }: Trust,
): Promise<Evidence> {
  const { bundle, server, save } = options;
  if ((bundle === undefined) === (server === undefined))
    throw new CliFailure("usage", "name either --bundle or --server");
  if (server !== undefined) {
    const notes = [...(pin === undefined ? [] : [pin]), ...anchored.map(({ note }) => note)];
    const keptSizes = notes.flatMap((note) => openCheckpoint(note)?.checkpoint.size ?? []);
    // Loaded here alone: verifying offline needs no client of gRPC.
    const { gatherEvidence } = await import("../sdk/gather-evidence.ts");
    const evidence = await gatherEvidence(
      server,
      scope,
      now,
      { keptSizes, witnessed: witnesses.k > 0 },
      serverAccessOf(options),
    );
    if (save !== undefined) await writeFile(save, formatEvidence(evidence));
    return evidence;
  }
  const parsed = parseEvidence(readText(bundle ?? "-"));
  if (!parsed.ok) throw new CliFailure("error", `${bundle} is no evidence bundle: ${parsed.why}`);
  return parsed.evidence;
}

const isUrl = (where: string): boolean => /^https?:\/\//.test(where);

async function verifyWhole(cli: Cli, where: string, options: LogOptions): Promise<void> {
  const trust = await trustOf(options);
  const reader = isUrl(where) ? httpLogReader(where) : folderLogReader(where);
  const bar = progressBar("leaves");
  let latest: string | undefined;
  const checkpoint: LogReader["checkpoint"] = async (name) => {
    const note = await reader.checkpoint(name);
    if (name === "latest") latest = note;
    return note;
  };
  const result = await unlessAway(where, () =>
    verifyLog(
      { ...reader, checkpoint },
      { trust, entries: options.anyEntries ? "any" : "lastro", onProgress: bar.update },
    ),
  ).finally(bar.stop);
  keepPin(options.pin, latest, result);
  tell(cli, result, options.json === true);
}

async function unlessAway<T>(where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliFailure("unavailable", `${where} cannot be read: ${why}`, { cause });
  }
}

function folderLogReader(folder: string): LogReader {
  return logReaderOf(async (path) => {
    try {
      return await readFile(join(folder, path));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR"))
        return undefined;
      throw cause;
    }
  });
}
