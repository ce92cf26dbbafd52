/** `lastro check`: the operator holds the store against itself and against the log. Opens the store as the service would and changes nothing in it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import type { Trust, VerifyCrypto } from "../../core/trust.ts";
import { verifyEd25519 } from "../../lib/ed25519.ts";
import { sha256 } from "../../lib/sha256.ts";
import { untilSignal } from "../../lib/signals.ts";
import { checkStore } from "../../log/check.ts";
import type { CheckIndex } from "../../log/check-pass.ts";
import { rangeChecker } from "../../log/check-range.ts";
import { type CheckState, formatState, parseState } from "../../log/check-state.ts";
import type { CheckAids, OperatedStore } from "../../open-store.ts";
import type { LogStore } from "../../ports/log-store.ts";
import { type Cli, newCommand } from "../command.ts";
import { CliFailure } from "../failure.ts";
import { type Progress, progressBar } from "../progress.ts";
import { addTrustOptions, keepPin, type TrustOptions, tell, trustOf } from "../verification.ts";
import { operatedStore } from "./operated-store.ts";

type Options = TrustOptions & { readonly state?: string; readonly openBodies?: true };

/** Between two writes of the state file. */
const stateEveryMs = 30_000;
/** Leaves from which on a second thread saves more than its start costs. */
const threadLeavesMin = 20_000;

export function checkCommand(cli: Cli): Command {
  return addTrustOptions(
    newCommand(
      "check",
      "Hold the store against its log: accounts, records, index, tiles, checkpoints (operators)",
      ["check --pin kept.txt", "check --state check.json --open-bodies"],
    )
      .option(
        "--state <file>",
        "where an interrupted check goes on, with the options it began with; removed when it is done",
      )
      .option(
        "--open-bodies",
        "also open sealed bodies and compare search aids and search index: needs the key ring",
      ),
  ).action((options: Options) => check(cli, options));
}

async function check(cli: Cli, options: Options): Promise<void> {
  const stop = untilSignal();
  const trust = await trustOf(options);
  await using opened = await operatedStore(cli, stop);
  await checkOpened(cli, options, trust, opened, stop);
}

export async function checkOpened(
  cli: Cli,
  options: Options,
  trust: Trust,
  opened: Pick<OperatedStore, "store" | "checkAids" | "startThread">,
  stop: AbortSignal,
): Promise<void> {
  // The store's calls are not cut short: the check ends between two runs, where it can go on.
  const { signal } = new AbortController();
  const { store } = opened;
  const aids = options.openBodies === true ? await opened.checkAids(signal) : undefined;
  // What is kept is what was judged: the next read may give another.
  let latest: string | undefined;
  const checkpoint: LogStore["checkpoint"] = async (name, reading) => {
    const published = await store.log.checkpoint(name, reading);
    if (name === "latest") latest = published?.note;
    return published;
  };
  const deps = {
    log: { ...store.log, checkpoint },
    audit: store.audit,
    crypto,
    openBodies: aids?.openBodies,
  };
  const isLarge = (await store.log.size(signal)) >= threadLeavesMin;
  await using thread = isLarge && aids === undefined ? opened.startThread(rangeChecker(deps)) : undefined;
  const bar = progressBar("leaves");
  const resume = readState(options.state);
  let savedAtMs = cli.now();
  const result = await checkStore(
    { ...deps, checkIndex: aids && indexCheck(aids, bar, stop), checkRange: thread?.checkRange },
    {
      trust,
      resume,
      onProgress: bar.update,
      async onRun(state) {
        // The next run is a good place to stop at: what was checked so far is kept.
        const isOver = stop.aborted;
        if (options.state !== undefined && (isOver || cli.now() - savedAtMs >= stateEveryMs)) {
          writeState(options.state, state());
          savedAtMs = cli.now();
        }
        if (isOver) throw interrupted();
      },
    },
    signal,
  ).finally(bar.stop);
  if (options.state !== undefined) rmSync(options.state, { force: true });
  keepPin(options.pin, latest, result);
  tell(cli, result, options.json === true);
}

/** Begins where the check of the log has ended, with a bar of its own. */
const indexCheck =
  (aids: CheckAids, logBar: Progress, stop: AbortSignal): CheckIndex =>
  (report, signal) => {
    logBar.stop();
    const bar = progressBar("indexed entries");
    const onProgress = (entries: number, size: number): void => {
      if (stop.aborted) throw interrupted();
      bar.update(entries, size);
    };
    return aids.checkIndex(report, onProgress, signal).finally(bar.stop);
  };

const interrupted = (): CliFailure => new CliFailure("error", "the check was interrupted");

/** Node's own: a check is bounded by hashing. */
const crypto: VerifyCrypto = { sha256, verify: verifyEd25519 };

function readState(path: string | undefined): CheckState | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new CliFailure("notFound", `${path} cannot be read`, { cause });
  }
  const state = parseState(text);
  if (state === undefined)
    throw new CliFailure("usage", `${path} is no state to go on from; remove it to begin anew`);
  return state;
}

function writeState(path: string, state: CheckState): void {
  writeFileSync(`${path}.new`, formatState(state));
  renameSync(`${path}.new`, path);
}
