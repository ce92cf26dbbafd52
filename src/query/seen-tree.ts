/** Which tree an answer saw, and where its records lie in it. The tree is read before the records: what it holds, the answer saw. */
import type { Rid } from "../core/ids.ts";
import type { LogKey } from "../ports/log-store.ts";
import type { PublishedLog } from "./published-log.ts";

export type LogPlace =
  | { readonly state: "pending"; readonly index: number | undefined }
  | { readonly state: "logged" | "witnessed"; readonly index: number; readonly treeSize: number };

export type SeenTree = {
  /** Of the latest published tree; undefined until there is one. */
  readonly treeSize: number | undefined;
  readonly placeOf: (record: { readonly rid: Rid }) => LogPlace;
};
export type Seen<Answer> = { readonly answer: Answer; readonly seen: SeenTree };

export async function withSeenTree<Answer>(
  { log }: { readonly log: PublishedLog },
  signal: AbortSignal,
  ask: (treeSize: number | undefined) => Promise<Answer>,
  recordsOf: (answer: Answer) => readonly { readonly rid: Rid }[],
): Promise<Seen<Answer>> {
  const witnessed = await log.checkpoint("witnessed", signal);
  const latest = await log.checkpoint("latest", signal, witnessed?.size);
  const answer = await ask(latest?.size);
  const rids = latest === undefined ? [] : recordsOf(answer).map(({ rid }) => rid);
  const indexes = rids.length === 0 ? new Map<Rid, number>() : await log.store.indexes(rids, signal);
  return { answer, seen: seenTree(indexes, latest?.size, witnessed?.size) };
}

export function seenTree(
  indexes: ReadonlyMap<LogKey, number>,
  treeSize: number | undefined,
  witnessedSize = 0,
): SeenTree {
  const placeOf: SeenTree["placeOf"] = ({ rid }) => {
    const index = indexes.get(rid);
    if (index === undefined) return { state: "pending", index };
    if (index < witnessedSize) return { state: "witnessed", index, treeSize: witnessedSize };
    return index < (treeSize ?? 0)
      ? { state: "logged", index, treeSize: treeSize ?? 0 }
      : { state: "pending", index };
  };
  return { treeSize, placeOf };
}
