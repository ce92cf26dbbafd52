/** `npm run demo`: publishes a day to the running service and shows, from gRPC alone, what became of it. Fails when it does not add up. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { untilSignal } from "../lib/signals.ts";
import { type Check, checkReport } from "./checks.ts";
import { connectLastro } from "./client.ts";
import { makeDay } from "./day.ts";
import { DemoFailure, exitCodes } from "./failure.ts";
import { checkIntake, rangesOf, untilAccounted } from "./intake.ts";
import { type Paint, printReport } from "./print.ts";
import { publishDay } from "./publish.ts";
import { askForReport } from "./report.ts";
import { readSettings, type Settings } from "./settings.ts";

const usage = `npm run demo [-- --json]
Publishes 2,000 events to the running service (npm start) and prints what became of them.
--json   one JSON document instead of tables
LASTRO_KAFKA_BROKERS, LASTRO_KAFKA_TOPIC and LASTRO_GRPC_ADDRESS say where the service is.
`;

async function demo(settings: Settings, json: boolean, signal: AbortSignal): Promise<number> {
  using lastro = connectLastro(settings.grpcAddress, Date.now);
  await checkIntake(lastro.ask);
  const day = makeDay(randomBytes(4).toString("hex"), Date.now());
  const all = day.messages.length;
  const places = await publishDay(day.messages, {
    ...settings,
    onSent: (sent) => progress(`published ${sent} of ${all}`),
  });
  const srcOf = await untilAccounted(
    lastro.ask,
    places,
    (accounted) => progress(`published ${all}, accounted ${accounted}`),
    signal,
  );
  progressDone();
  const report = await askForReport(lastro.ask, day.hero, rangesOf(places), srcOf);
  const checks = checkReport(day, places, srcOf, report);
  const { run, promised, hero } = day;
  process.stdout.write(
    json
      ? `${JSON.stringify({ run, topic: settings.topic, published: all, promised, account: hero.entity, ...report, checks }, null, 2)}\n`
      : printReport(day, settings.topic, report, checks, paint),
  );
  return verdict(checks);
}

/** styleText knows NO_COLOR and whether a terminal reads along. */
const paint: Paint = (style, text) => styleText(style, text, { stream: process.stdout });

function verdict(checks: readonly Check[]): number {
  const wrong = checks.filter(({ agrees }) => !agrees);
  if (wrong.length === 0) return exitCodes.ok;
  const lines = wrong.map(
    ({ what, promised, found }) =>
      `  ${what}: promised ${JSON.stringify(promised)}, found ${JSON.stringify(found)}`,
  );
  process.stderr.write(`It does not add up:\n${lines.join("\n")}\n`);
  return exitCodes.failed;
}

let shown = "";
function progress(text: string): void {
  if (text === shown) return;
  shown = text;
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}

function progressDone(): void {
  if (process.stderr.isTTY) process.stderr.write("\n");
}

/** The launcher's note of what it found or started, if it left one. */
function launcherNote(): string | undefined {
  try {
    return readFileSync(join(process.env["LASTRO_DATA_DIR"] || "data", "running.json"), "utf8");
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const settings = readSettings(process.env, launcherNote());
  if (!settings.ok) throw new DemoFailure(exitCodes.usage, settings.errors.join("\n"));
  const { values } = readArguments();
  if (!values.help) return demo(settings.settings, values.json, untilSignal());
  process.stdout.write(usage);
  return exitCodes.ok;
}

function readArguments() {
  try {
    return parseArgs({
      options: { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
    });
  } catch {
    throw new DemoFailure(exitCodes.usage, usage);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  progressDone();
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof DemoFailure ? error.exitCode : exitCodes.failed;
}
