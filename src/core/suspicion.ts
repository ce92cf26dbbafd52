/** What looks like an attack in what people and services did: a fold over acts in any order. */
import type { Severity } from "./event.ts";
import type { Rid } from "./ids.ts";

export type Act = {
  readonly rid: Rid;
  readonly atMs: number;
  readonly isLogin: boolean;
  readonly failed: boolean;
  readonly severity: Severity;
  /** Undefined where it was erased. */
  readonly userId: string | undefined;
  readonly ip: string | undefined;
};

/** Failed logins from one address. */
export const failuresOfAddressMin = 5;
/** Failed logins of one user. */
export const failuresOfUserMin = 5;
/** Critical acts of one user. */
export const criticalOfUserMin = 10;
/** Addresses one user logs in from. */
export const addressesOfUserMin = 4;
const evidenceMax = 10;

export const suspicionRules = [
  "many_failed_logins",
  "brute_force",
  "many_critical_events",
  "many_addresses",
] as const;
export type SuspicionRule = (typeof suspicionRules)[number];

export type Suspicion = {
  readonly rule: SuspicionRule;
  readonly userId: string | undefined;
  readonly ip: string | undefined;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The earliest acts that make it up. */
  readonly rids: readonly Rid[];
};

/** Latest first. */
export function suspicionsIn(acts: readonly Act[]): readonly Suspicion[] {
  const inTime = acts.toSorted((a, b) => a.atMs - b.atMs || (a.rid < b.rid ? -1 : 1));
  const failures = inTime.filter(({ isLogin, failed }) => isLogin && failed);
  const found: Suspicion[] = [];
  for (const [ip, of] of grouped(failures, (act) => act.ip))
    if (of.length >= failuresOfAddressMin) found.push(suspicion("many_failed_logins", of, { ip }));
  for (const [userId, of] of grouped(inTime, (act) => act.userId)) {
    const broken = bruteForced(of);
    if (broken !== undefined) found.push(suspicion("brute_force", broken, { userId }));
    const critical = of.filter(({ severity }) => severity === "CRITICAL");
    if (critical.length >= criticalOfUserMin)
      found.push(suspicion("many_critical_events", critical, { userId }));
    const logins = of.filter(({ isLogin, failed }) => isLogin && !failed);
    if (new Set(logins.map(({ ip }) => ip)).size >= addressesOfUserMin)
      found.push(suspicion("many_addresses", logins, { userId }));
  }
  return found.sort((a, b) => b.lastMs - a.lastMs);
}

/** Failures one after the other, and what comes of it: the login behind them belongs to it. */
function bruteForced(acts: readonly Act[]): readonly Act[] | undefined {
  let run: Act[] = [];
  for (const act of acts.filter(({ isLogin }) => isLogin)) {
    if (!act.failed && run.length >= failuresOfUserMin) return [...run, act];
    run = act.failed ? [...run, act] : [];
  }
  return run.length >= failuresOfUserMin ? run : undefined;
}

function grouped(acts: readonly Act[], keyOf: (act: Act) => string | undefined): Map<string, Act[]> {
  const known = acts.filter((act) => keyOf(act) !== undefined);
  return Map.groupBy(known, (act) => keyOf(act) ?? "");
}

function suspicion(
  rule: SuspicionRule,
  acts: readonly Act[],
  about: { readonly userId?: string; readonly ip?: string },
): Suspicion {
  const rids = acts.slice(0, evidenceMax).map(({ rid }) => rid);
  const [firstMs, lastMs] = [acts[0]?.atMs ?? 0, acts.at(-1)?.atMs ?? 0];
  return { rule, userId: about.userId, ip: about.ip, count: acts.length, firstMs, lastMs, rids };
}
