/** Holds the chain of accounts of each source against the coverage that was logged: nothing before it, nothing missing in it, and what is still to come. */
import type { Report } from "../core/findings.ts";
import type { Src } from "../core/ids.ts";
import type { SourceCover } from "../core/log-walk.ts";
import type { AuditReader } from "../ports/audit-reader.ts";
import { checkDense, readOutcomes, writtenOutcomes } from "./check-outcomes.ts";

const accountsPerRead = 5_000;
const recordsPerRead = 1_000;
const offsetsEnd = Number.MAX_SAFE_INTEGER;

type Chain = { readonly begin: number; readonly mark: number };

/** True when everything that is accounted for is logged. */
export async function checkSources(
  audit: AuditReader,
  covers: ReadonlyMap<Src, SourceCover>,
  report: Report,
  signal: AbortSignal,
): Promise<boolean> {
  let isLogged = true;
  for (const src of new Set([...covers.keys(), ...(await audit.sources(signal))])) {
    const cover = covers.get(src);
    const chain = await readChain(audit, src, report, signal);
    if (cover !== undefined) await checkCovered(audit, src, cover, chain, report, signal);
    const from = cover?.to ?? chain?.begin ?? 0;
    const mark = chain?.mark ?? from;
    if (mark > from) {
      await checkTail(audit, src, from, mark, report, signal);
      isLogged = false;
    }
    const ahead = await audit.records(src, Math.max(mark, from), offsetsEnd, 1, signal);
    if (ahead.length > 0) isLogged = false;
    if (
      chain === undefined &&
      cover === undefined &&
      (await audit.outcomes(src, 0, offsetsEnd, 1, signal)).length > 0
    )
      report({
        code: "ACCOUNTS_BROKEN",
        object: { kind: "outcomes", src, from: 0, to: 1 },
        detail: "it has outcome rows and no account",
      });
  }
  return isLogged;
}

/** Accounts must join without holes. */
async function readChain(
  audit: AuditReader,
  src: Src,
  report: Report,
  signal: AbortSignal,
): Promise<Chain | undefined> {
  let chain: Chain | undefined;
  for (let at = 0; ; ) {
    const page = await audit.accounts(src, at, accountsPerRead, signal);
    for (const { from, to } of page) {
      const [low, high] = [Math.min(from, chain?.mark ?? from), Math.max(from, chain?.mark ?? from)];
      if (low !== high || to <= from) {
        const object = {
          kind: "outcomes",
          src,
          from: Math.min(low, to),
          to: Math.max(high, from + 1),
        } as const;
        report({ code: "ACCOUNTS_BROKEN", object, detail: "two accounts do not join" });
      }
      chain = { begin: chain?.begin ?? from, mark: to };
      at = from + 1;
    }
    if (page.length < accountsPerRead) return chain;
  }
}

async function checkCovered(
  audit: AuditReader,
  src: Src,
  cover: SourceCover,
  chain: Chain | undefined,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const broken = (from: number, to: number, detail: string): void =>
    report({ code: "ACCOUNTS_BROKEN", object: { kind: "outcomes", src, from, to }, detail });
  if (chain === undefined) {
    broken(cover.from, cover.to, "they are logged, and no account is left of them");
    return;
  }
  if (chain.begin !== cover.from)
    broken(
      Math.min(chain.begin, cover.from),
      Math.max(chain.begin, cover.from),
      "accounts begin elsewhere than the log",
    );
  if (chain.mark < cover.to) broken(chain.mark, cover.to, "they are logged, and the mark lies before them");
  for (const { rid } of await audit.records(src, 0, cover.from, recordsPerRead, signal))
    report({
      code: "LOG_UNAUDITED",
      object: { kind: "record", rid },
      detail: "it lies before what was logged first",
    });
  for (const { from, to } of await audit.outcomes(src, 0, cover.from, recordsPerRead, signal))
    report({
      code: "OUTCOMES_CHANGED",
      object: { kind: "outcomes", src, from, to },
      detail: "they lie before what was logged first",
    });
}

/** What is accounted for and not yet logged: each offset has its one outcome there too. */
async function checkTail(
  audit: AuditReader,
  src: Src,
  from: number,
  mark: number,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const object = { kind: "outcomes", src, from, to: mark } as const;
  report({ code: "TAIL_UNLOGGED", object, detail: "they are accounted for and not yet logged" });
  const stored: number[] = [];
  for (let at = from; at < mark; ) {
    const page = await audit.records(src, at, mark, recordsPerRead, signal);
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { offset } of page) stored.push(offset);
    at = last.offset + 1;
  }
  const outcomes = writtenOutcomes(src, await readOutcomes(audit, src, from, mark, signal), report);
  checkDense({ src, from, to: mark }, stored, outcomes, report);
}
