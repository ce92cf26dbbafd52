/** `lastro witness`: runs a witness that cosigns checkpoints of the logs it is told to watch, until it is told to stop. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { parseVerifierKey, type VerifierKey } from "../core/signed-note.ts";
import { type HostPort, parseHostPort } from "../lib/env-values.ts";
import { sha256 } from "../lib/sha256.ts";
import { untilSignal } from "../lib/signals.ts";
import { aborted } from "../lib/upkeep.ts";
import { openWitness, startWitness } from "../witness/start.ts";
import { type Cli, newCommand } from "./command.ts";
import { CliFailure } from "./failure.ts";

type Options = {
  readonly name?: string;
  readonly log: readonly string[];
  readonly logsFile?: string;
  readonly listen: string;
  readonly folder: string;
  readonly keyFile?: string;
  readonly printVkey?: true;
  readonly json?: true;
  readonly plain?: true;
};

export function witnessCommand(cli: Cli): Command {
  return newCommand("witness", "Cosign checkpoints of logs that only ever grew (C2SP tlog-witness)", [
    "witness --name witness.example.org/w1 --log 'log.example.org/0123456789abcdef+…'",
    "witness --print-vkey --name witness.example.org/w1",
    "witness --listen 0.0.0.0:8081 --logs-file logs.txt",
  ])
    .addOption(new Option("--name <name>", "name of its key, needed once to make it").env("WITNESS_NAME"))
    .option(
      "--log <vkey...>",
      "verifier key of a log to watch; several in a rotation or for several logs",
      [],
    )
    .addOption(
      new Option("--logs-file <path>", "file of such keys, one a line; # begins a comment").env(
        "WITNESS_LOGS_FILE",
      ),
    )
    .addOption(
      new Option("--listen <host:port>", "where to listen").default("127.0.0.1:8081").env("WITNESS_LISTEN"),
    )
    .addOption(
      new Option("--folder <path>", "where it keeps what it has seen")
        .default("data/witness")
        .env("WITNESS_FOLDER"),
    )
    .addOption(
      new Option("--key-file <path>", "its key (default: witness-key.json in its folder)").env(
        "WITNESS_KEY_FILE",
      ),
    )
    .option("--print-vkey", "print its verifier key, made if there is none yet, and end")
    .addOption(new Option("--json", "print one line of JSON when it runs").conflicts("plain"))
    .option("--plain", "print its verifier key and its URL, one a line, and nothing else")
    .action((options: Options) => (options.printVkey ? printVkey(cli, options) : run(cli, options)));
}

const placeOf = ({ random }: Cli, { folder, keyFile, name }: Options) => ({ folder, keyFile, name, random });

async function printVkey(cli: Cli, options: Options): Promise<void> {
  using witness = await openWitness(placeOf(cli, options));
  const { vkey } = witness.key;
  cli.out(options.json ? `${JSON.stringify({ vkey })}\n` : `${vkey}\n`);
}

async function run(cli: Cli, options: Options): Promise<void> {
  const logs = [...options.log, ...linesOf(options.logsFile)].map(logKey);
  if (logs.length === 0) throw new CliFailure("usage", "it watches no log yet: give --log or --logs-file");
  const stop = untilSignal();
  await using witness = await startWitness({
    ...placeOf(cli, options),
    logs,
    address: addressOf(options.listen),
    now: cli.now,
    onFork: (note) =>
      cli.err(`This log signed two trees of one size. Keep this note, it is the proof:\n${note}\n`),
  });
  const origins = [...new Set(logs.map(({ name }) => name))];
  cli.out(started(options, witness, origins));
  await aborted(stop);
}

function started(
  { json, plain }: Options,
  { vkey, url }: { readonly vkey: string; readonly url: string },
  logs: readonly string[],
): string {
  if (json) return `${JSON.stringify({ vkey, url, logs })}\n`;
  if (plain) return `${vkey}\n${url}\n`;
  const watched = logs.map((origin) => `  ${origin}\n`).join("");
  return `The witness listens on ${url} and watches\n${watched}A log that asks it sets LASTRO_WITNESSES to\n  ${vkey}@${url}\nCtrl-C stops it.\n`;
}

function linesOf(path: string | undefined): readonly string[] {
  if (path === undefined) return [];
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new CliFailure("usage", `${path}, given as --logs-file, cannot be read`, { cause });
  }
  return text
    .split("\n")
    .map((line) => line.replace(/#.*$/, "").trim())
    .filter((line) => line !== "");
}

function logKey(text: string): VerifierKey {
  const key = parseVerifierKey(sha256, text);
  if (key === undefined)
    throw new CliFailure("usage", `${text} is no verifier key (name+hash+base64); was a part of it lost?`);
  if (key.type !== "ed25519") throw new CliFailure("usage", `${text} is the key of a witness, not of a log`);
  return key;
}

function addressOf(listen: string): HostPort {
  const address = parseHostPort(listen);
  if (address !== undefined) return address;
  throw new CliFailure("usage", "--listen must be host:port, for example 127.0.0.1:8081 or [::1]:8081");
}
