/** Personal access: asked for with a reason, approved by a second person, over by itself. It shows more of the records that its holder reaches, and no more records. */
import type { Caller } from "../core/caller.ts";
import { LastroError } from "../core/errors.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { PersonalAccess, StoreState } from "../ports/store-state.ts";
import type { Act } from "./telling.ts";
import type { Watch } from "./watch.ts";

const hourMs = 60 * 60_000;
export const accessMsDefault = hourMs;
export const accessMsMax = 8 * hourMs;
/** What nobody approved is forgotten. */
export const askedMsMax = 24 * hourMs;
/** Kept at once, and of one caller. */
export const requestsMax = 1_000;
export const requestsOfOneMax = 10;
const idBytes = 16;
const attemptsMax = 8;

export const endOf = ({ approval, forMs }: PersonalAccess): number | undefined =>
  approval && approval.atMs + forMs;

const isKept = (access: PersonalAccess, nowMs: number): boolean =>
  nowMs < (endOf(access) ?? access.askedAtMs + askedMsMax);

export type PersonalAccesses = {
  /** As of the last `refresh`, at the latest what this process approved itself. */
  isOpened(caller: Caller): boolean;
  refresh(signal: AbortSignal): Promise<void>;
  ask(caller: Caller, reason: string, forMs: number, signal: AbortSignal): Promise<PersonalAccess>;
  approve(caller: Caller, id: string, signal: AbortSignal): Promise<PersonalAccess>;
  list(signal: AbortSignal): Promise<readonly PersonalAccess[]>;
};

export type PersonalAccessOptions = {
  readonly state: Pick<StoreState, "personalAccess" | "setPersonalAccess">;
  readonly watch: Pick<Watch, "act">;
  readonly now: Clock;
  readonly random: Randomness;
};

export function personalAccesses({ state, watch, now, random }: PersonalAccessOptions): PersonalAccesses {
  let ends: ReadonlyMap<string, number> = new Map();
  let rememberedRevision = 0;
  /** Answers may overtake one another: an older one takes back nothing. */
  const remember = (requests: readonly PersonalAccess[], revision: number): void => {
    if (revision < rememberedRevision) return;
    rememberedRevision = revision;
    const latest = new Map<string, number>();
    for (const access of requests) {
      const end = endOf(access) ?? Number.NEGATIVE_INFINITY;
      if (end > (latest.get(access.callerId) ?? Number.NEGATIVE_INFINITY)) latest.set(access.callerId, end);
    }
    ends = latest;
  };

  /** What `change` makes of what is kept; it may be asked again where another process changed it meanwhile. */
  async function change(
    make: (kept: readonly PersonalAccess[]) => Promise<PersonalAccess>,
    signal: AbortSignal,
  ): Promise<PersonalAccess> {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const { requests, revision } = await state.personalAccess(signal);
      const kept = requests.filter((access) => isKept(access, now()));
      const made = await make(kept);
      const next = [...kept.filter(({ id }) => id !== made.id), made];
      if (!(await state.setPersonalAccess(next, revision, signal))) continue;
      remember(next, revision + 1);
      return made;
    }
    throw new LastroError("VERSION_CONTENTION", "others ask and approve at this moment; try again");
  }

  return {
    isOpened: ({ id }) => now() < (ends.get(id) ?? Number.NEGATIVE_INFINITY),
    async refresh(signal) {
      const { requests, revision } = await state.personalAccess(signal);
      remember(requests, revision);
    },
    async list(signal) {
      const { requests } = await state.personalAccess(signal);
      return requests.filter((access) => isKept(access, now())).toSorted((a, b) => a.askedAtMs - b.askedAtMs);
    },
    async ask(caller, reason, forMs, signal) {
      requirePerson(caller);
      const id = Buffer.from(random(idBytes)).toString("base64url");
      const asked = { id, callerId: caller.id, reason, askedAtMs: now(), forMs, approval: undefined };
      const detail = { reason, for_ms: forMs };
      await watch.act(caller, { type: "personal_access.submitted", id, detail }, signal);
      return change(async (kept) => {
        const own = kept.filter(({ callerId }) => callerId === caller.id);
        if (own.length >= requestsOfOneMax || kept.length >= requestsMax)
          throw new LastroError("FAILED_PRECONDITION", "too much was asked for that has not ended yet");
        return asked;
      }, signal);
    },
    async approve(caller, id, signal) {
      requirePerson(caller);
      let isTold = false;
      return change(async (kept) => {
        const asked = kept.find((access) => access.id === id);
        if (asked === undefined)
          throw new LastroError("NOT_FOUND", "nothing with this id was asked for, or it has ended", {
            field: "id",
          });
        if (asked.callerId === caller.id)
          throw new LastroError("FAILED_PRECONDITION", "a second person has to approve it", { field: "id" });
        if (asked.approval !== undefined)
          throw new LastroError("FAILED_PRECONDITION", "it was approved already", { field: "id" });
        const act: Act = {
          type: "personal_access.approved",
          id,
          detail: { reason: asked.reason, asked_by: asked.callerId },
        };
        if (!isTold) await watch.act(caller, act, signal);
        isTold = true;
        return { ...asked, approval: { callerId: caller.id, atMs: now() } };
      }, signal);
    },
  };
}

function requirePerson({ kind }: Caller): void {
  if (kind !== "person")
    throw new LastroError("FAILED_PRECONDITION", "only a person asks for it or approves it");
}
