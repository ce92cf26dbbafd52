/** The part of the composition root that joins what stands before answers and watches them: limits of callers, self-audit, personal access. */
import { callerLimits } from "./access/limits.ts";
import { personalAccesses } from "./access/personal-access.ts";
import { openWatch } from "./access/watch.ts";
import type { Config } from "./config.ts";
import type { Caller } from "./core/caller.ts";
import type { StoreId } from "./core/ids.ts";
import { withDeadline } from "./lib/signals.ts";
import { repeat } from "./lib/upkeep.ts";
import type { Access } from "./open-access.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { EventPublisher } from "./ports/event-publisher.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";
import type { StoreState } from "./ports/store-state.ts";
import type { Guard } from "./query/deps.ts";

type Around = {
  readonly storeId: StoreId;
  readonly state: StoreState;
  readonly publisher: EventPublisher;
  readonly access: Pick<Access, "onRulesChange">;
  readonly observer: Observer;
  readonly log: Log;
  readonly now: Clock;
  /** Does not jump with the machine's clock. */
  readonly steadyNow: Clock;
  readonly random: Randomness;
};

/** What another process approved is known here so much later. */
const refreshMs = 2_000;
const callMsMax = 5_000;

/** Who changed the access file is not known here: it was somebody who may write it. */
const itself: Caller = { id: "service:lastro", kind: "service", grants: [] };

export function openGuard(
  { selfAudit, callers }: Config,
  { storeId: instance, state, publisher, access, observer, log, now, steadyNow, random }: Around,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Guard {
  const watch = opened.use(openWatch({ ...selfAudit, publisher, instance, observer, now, random }));
  const personal = personalAccesses({ state, watch, now, random });
  const refresh = (): Promise<void> => personal.refresh(withDeadline(signal, callMsMax));
  void repeat(refreshMs, signal, refresh, () => undefined);
  access.onRulesChange(({ bindings }) => {
    const act = {
      type: "access_file.config_updated",
      id: "access_file",
      detail: { bindings: bindings.length },
    };
    // In strict mode it may fail; the new grants hold all the same.
    const untold = (): void =>
      log.warn("access_change_untold", "that the access file changed could not be published");
    watch.act(itself, act, withDeadline(signal, callMsMax)).catch(untold);
  });
  return { watch, personal, limits: callerLimits(callers, steadyNow) };
}
