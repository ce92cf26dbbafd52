/** Has published checkpoints kept by the anchors in the background, for as long as this process extends the log. What goes wrong here raises an alert and stops neither intake nor the log. */
import { LastroError } from "../core/errors.ts";
import { openCheckpoint } from "../core/trust.ts";
import { withDeadline } from "../lib/signals.ts";
import { aborted, repeat } from "../lib/upkeep.ts";
import type { Anchor, AnchoredNote } from "../ports/anchor.ts";
import type { Clock, Sleep } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { Observer } from "../ports/observer.ts";

export type RunAnchorsDeps = {
  readonly log: Pick<LogStore, "checkpoint">;
  readonly anchors: readonly Anchor[];
  /** From one checkpoint that all anchors keep to the next. */
  readonly intervalMs: number;
  /** An anchor that has not answered by then is away. */
  readonly timeoutMs: number;
  readonly now: Clock;
  readonly sleep: Sleep;
  readonly observer: Pick<Observer, "anchorsAsked">;
  readonly lines: Log;
};

type Answer = { readonly kind: "kept" | "differs" } | { readonly kind: "away"; readonly why: string };

const tickMs = 1_000;
/** After a pass in which one did not keep the checkpoint. */
const retryMsMax = 60_000;

/** Anchors each interval, while `isSequencing`; ends with the signal. */
export async function runAnchors(
  deps: RunAnchorsDeps,
  isSequencing: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { intervalMs, now, lines, observer } = deps;
  const anchors = deps.anchors.map((anchor) => ({ name: anchor.name, ask: asking(anchor, deps) }));
  const answers = new Map<string, Answer>();
  let nextMs = 0;
  const tick = async (): Promise<void> => {
    // Who extends the log again asks soon, whatever was kept before: what the anchors do now is not known.
    if (!isSequencing()) nextMs = Math.min(nextMs, now() + retryMsMax);
    else if (now() >= nextMs) await anchorLatest();
  };
  const anchorLatest = async (): Promise<void> => {
    const checkpoint = await latest(deps, signal);
    if (checkpoint === undefined) return;
    nextMs = now() + Math.min(intervalMs, retryMsMax);
    await Promise.all(
      anchors.map(async ({ name, ask }) => {
        const answer = await ask(checkpoint, signal);
        tell(lines, name, answers.get(name), answer);
        answers.set(name, answer);
      }),
    );
    const hasKept = new Map(anchors.map(({ name }) => [name, answers.get(name)?.kind === "kept"]));
    observer.anchorsAsked({ size: checkpoint.size, hasKept });
    if ([...hasKept.values()].every(Boolean)) nextMs = now() + intervalMs;
  };
  const onError = (error: unknown): void =>
    lines.warn("anchors_not_asked", "the anchors could not be asked; tried again by itself", {
      code: error instanceof LastroError ? error.code : "INTERNAL",
    });
  await repeat(Math.min(tickMs, intervalMs), signal, tick, onError, deps.sleep);
}

async function latest({ log }: RunAnchorsDeps, signal: AbortSignal): Promise<AnchoredNote | undefined> {
  const published = await log.checkpoint("latest", signal);
  const opened = published && openCheckpoint(published.note);
  return opened && { ...opened.checkpoint, note: published.note };
}

const late: Answer = { kind: "away", why: "an anchor does not answer in its time" };

/**
 * Whether or not the anchor ends at the signal: a file system that does not answer holds its call for ever. Meanwhile it is not asked again,
 * since each call would take one of the few threads that all files of the process share.
 */
function asking(
  anchor: Anchor,
  { timeoutMs }: RunAnchorsDeps,
): (checkpoint: AnchoredNote, signal: AbortSignal) => Promise<Answer> {
  let isAsked = false;
  const keep = async (checkpoint: AnchoredNote, until: AbortSignal): Promise<Answer> => {
    isAsked = true;
    try {
      return { kind: await anchor.keep(checkpoint, until) };
    } catch (error) {
      return {
        kind: "away",
        why: error instanceof LastroError ? error.message : "an anchor does not answer",
      };
    } finally {
      isAsked = false;
    }
  };
  return async (checkpoint, signal) => {
    if (isAsked) return late;
    const until = withDeadline(signal, timeoutMs);
    return Promise.race([keep(checkpoint, until), aborted(until).then(() => late)]);
  };
}

/** A line when an anchor's answer changes, not at each asking. */
function tell(lines: Log, anchor: string, before: Answer | undefined, answer: Answer): void {
  if (before?.kind === answer.kind) return;
  switch (answer.kind) {
    case "kept":
      lines.info("anchor_keeps", "an anchor keeps checkpoints of the log", { anchor });
      return;
    case "away":
      lines.warn("anchor_away", `${answer.why}; it is asked again by itself`, { anchor });
      return;
    case "differs":
      lines.error(
        "anchor_differs",
        "an anchor keeps another tree of this log and size: one of them was rewritten; see docs/anchors.md",
        { anchor },
      );
  }
}
