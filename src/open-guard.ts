/** The part of the composition root that joins what stands before answers and watches them: limits of callers, self-audit, personal access. */
import { callerLimits } from "./access/limits.ts";
import { personalAccesses } from "./access/personal-access.ts";
import { openWatch } from "./access/watch.ts";
import type { Config } from "./config.ts";
import type { Caller } from "./core/caller.ts";
import type { StoreId } from "./core/ids.ts";
import type { JsonObject } from "./core/json.ts";
import { withDeadline } from "./lib/signals.ts";
import { repeat } from "./lib/upkeep.ts";
import type { Access } from "./open-access.ts";
import type { OpenSwitches } from "./open-switches.ts";
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
  readonly switches: OpenSwitches;
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

/** Who changed a file is not known here: it was somebody who may write it. */
const itself: Caller = { id: "service:lastro", kind: "service", grants: [] };

export function openGuard(
  { selfAudit, callers }: Config,
  { storeId: instance, state, publisher, access, switches, observer, log, now, steadyNow, random }: Around,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Guard {
  const watch = opened.use(openWatch({ ...selfAudit, publisher, instance, observer, now, random }));
  const personal = personalAccesses({ state, watch, now, random });
  const refresh = (): Promise<void> => personal.refresh(withDeadline(signal, callMsMax));
  void repeat(refreshMs, signal, refresh, () => undefined);
  const tellChange = (what: "access" | "switches", detail: JsonObject): void => {
    // In strict mode it may fail; what the file says holds all the same.
    const untold = (): void =>
      log.warn(`${what}_change_untold`, `that the ${what} file changed could not be published`);
    const id = `${what}_file` as const;
    watch
      .act(itself, { type: `${id}.config_updated`, id, detail }, withDeadline(signal, callMsMax))
      .catch(untold);
  };
  access.onRulesChange(({ bindings }) => tellChange("access", { bindings: bindings.length }));
  switches.onChange(({ off, targeted }) => tellChange("switches", { off, targeted }));
  const { switchedOff } = observer;
  return { watch, personal, limits: callerLimits(callers, steadyNow), switches, switchedOff };
}
