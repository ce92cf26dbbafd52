/** Logs laid leaf by leaf and signed by whom the test says: rotations of the key, and what a stranger lays behind what was genuine. */
import { hash } from "node:crypto";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { type B64, type Kid, type Rid, ridOf, type Src, type StreamAlias } from "../../src/core/ids.ts";
import { leafHash, recordEntry } from "../../src/core/leaf.ts";
import { announcementOf, controlEntry, coverageEntry } from "../../src/core/log-entries.ts";
import { treeRoot } from "../../src/core/merkle.ts";
import { formatNote, formatVerifierKey, keyIdText } from "../../src/core/signed-note.ts";
import { controlKey, coverageKey, type LogLeaf } from "../../src/ports/log-store.ts";
import type { Laid } from "./evidence.ts";
import { sha256, type TestSigner, treeOf } from "./log.ts";
import { b64Of, startMs } from "./records.ts";

export const origin = "log.test/0123456789abcdef";
const src = "AAAAAAAAAAAAAAAAAAAAAQ.0" as Src;
const atMs = startMs;

/** Key and text of a leaf. */
export type Laying = readonly (readonly [key: string, text: string])[];

const control = (entry: Parameters<typeof controlEntry>[0]): Laying => [
  [controlKey(entry.id), controlEntry(entry)],
];
export const vkeyOf = ({ key }: TestSigner): string => formatVerifierKey(sha256, key);

export const genesis = (signer: TestSigner): Laying =>
  control({ kind: "genesis", id: "genesis", atMs, data: { origin, vkey: vkeyOf(signer) } });
export const announced = (signer: TestSigner): Laying =>
  control({
    kind: "key",
    id: announcementOf(keyIdText(signer.key.id)),
    atMs,
    data: { vkey: vkeyOf(signer) },
  });
export const retired = ({ key }: TestSigner): Laying => {
  const id = keyIdText(key.id);
  return control({ kind: "retire", id: `retire.${id}`, atMs, data: { key: id } });
};

export const ridAt = (offset: number): Rid => ridOf(src, offset);
/** The record of that offset and the entry that covers it, behind `first` leaves. */
export function recorded(offset: number, first: number): Laying {
  const rid = ridAt(offset);
  const part = { c: "p", k: b64Of("k", 16) as Kid, h: b64Of("h") as B64, m: b64Of("m") as B64 } as const;
  const entry = recordEntry({
    rid, recordedAtMs: atMs, tenant: "t", producerService: "p", eventType: "account.updated", action: "update", kind: "change",
    alias: b64Of(rid, 16) as StreamAlias, version: 1, parts: [part],
  }); // biome-ignore format: lines of fields
  const counts = { stored: 1, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  const list = hash("sha256", "", "base64url") as B64;
  const range = { src, from: offset, to: offset + 1, first, n: 1 };
  return [
    [rid, entry ?? ""],
    [coverageKey(src, offset), coverageEntry({ atMs, ...range, counts, list })],
  ];
}

/** The whole of it under a checkpoint of these signers. */
export async function signedBy(laying: Laying, ...signers: readonly TestSigner[]): Promise<Laid> {
  const leaves = laying.map(
    ([key, text], index): LogLeaf => ({
      index,
      key: key as LogLeaf["key"],
      leafHash: leafHash(sha256, text),
      entry: text,
      stored: text,
    }),
  );
  const { read } = treeOf(leaves.map((leaf) => leaf.leafHash));
  const root = await treeRoot(sha256, leaves.length, read);
  const text = formatCheckpoint({ origin, size: leaves.length, root });
  return {
    leaves,
    read,
    note: formatNote({ text, signatures: signers.map((signer) => signer.signature(text)) }),
  };
}
