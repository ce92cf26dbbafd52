/** `lastro tail`: records as they enter the log of a running service, a line each. */
import type { Command } from "commander";
import { lineText } from "../core/line-text.ts";
import { untilSignal } from "../lib/signals.ts";
import type { TailedRecord, TailStart } from "../sdk/tail.ts";
import { type Cli, newCommand } from "./command.ts";
import { CliFailure } from "./failure.ts";
import { readText } from "./read-text.ts";
import { type AccessOptions, accessAnew, addAccessOptions } from "./server-access.ts";

type Options = AccessOptions & {
  readonly server: string;
  readonly filter: string;
  readonly fromIndex?: string;
  readonly since?: string;
  readonly checkpoint?: string;
  readonly count?: string;
  readonly json?: true;
};

export const tailCommand = (cli: Cli): Command =>
  addAccessOptions(
    newCommand("tail", "Print records as they enter the log; goes on by itself after a break", [
      "tail --filter 'severity >= HIGH'",
      "tail --from-index 0 --json > everything.ndjson",
      "tail --checkpoint kept.txt",
      "tail --server audit.example.org:50051 --tls --token-file token",
    ]),
  )
    .option("--server <host:port>", "gRPC address of the service", "127.0.0.1:50051")
    .option("--filter <filter>", "only records that match (docs/search.md)", "")
    .option("--from-index <index>", "begin at this log index; 0 is the whole log")
    .option("--since <time>", "begin with what was recorded then or later (RFC 3339)")
    .option("--checkpoint <file>", "begin behind the tree of a checkpoint that you kept")
    .option("--count <n>", "end after so many records")
    .option("--json", "the record as JSON; its event is as the producer sent it")
    .action((options: Options) => run(cli, options));

async function run(cli: Cli, options: Options): Promise<void> {
  const countMax = countOf(options.count, "--count") ?? Number.POSITIVE_INFINITY;
  // Loaded here alone: verifying offline needs no client of gRPC.
  const { tailRecords } = await import("../sdk/tail.ts");
  const question = { filter: options.filter, from: startOf(options) };
  let told = 0;
  const tail = tailRecords(options.server, question, untilSignal(), accessAnew(options));
  for await (const { records, alteredRids } of tail) {
    for (const rid of alteredRids)
      cli.err(
        `${lineText(rid)} is in the log and cannot be told: it is gone, or was altered; run lastro check\n`,
      );
    for (const record of records) {
      cli.out(options.json ? jsonLine(record) : textLine(record));
      told += 1;
      if (told >= countMax) return;
    }
  }
}

function countOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0)
    throw new CliFailure("usage", `${option} must be a whole number`);
  return count;
}

function startOf({ fromIndex, since, checkpoint }: Options): TailStart {
  if ([fromIndex, since, checkpoint].filter((given) => given !== undefined).length > 1)
    throw new CliFailure("usage", "name one of --from-index, --since and --checkpoint");
  const index = countOf(fromIndex, "--from-index");
  if (index !== undefined) return { index };
  if (checkpoint !== undefined) return { checkpoint: readText(checkpoint) };
  if (since === undefined) return "now";
  const recordedAtMs = Date.parse(since);
  if (Number.isNaN(recordedAtMs))
    throw new CliFailure("usage", "--since must be a time, 2026-11-30T12:00:00Z");
  return { recordedAtMs };
}

function textLine(record: TailedRecord): string {
  const { index, recordedAt, action, eventType, severity, status, entity, version, ownerId } = record;
  const name = [entity.namespace, entity.type, entity.id].join("/");
  const line = `${index}  ${recordedAt}  ${severity || "-"}  ${status || "-"}  ${action}  ${eventType}  ${name} v${version}  ${ownerId || "-"}`;
  return `${lineText(line)}\n`;
}

/** The event's text goes in as it is: its numbers keep their digits. */
function jsonLine({ event, ...record }: TailedRecord): string {
  const text = JSON.stringify(record);
  return event === "" ? `${text}\n` : `${text.slice(0, -1)},"event":${event.replaceAll(/[\n\r]/g, " ")}}\n`;
}
