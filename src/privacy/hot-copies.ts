/** Copies of records that lie outside the store for a while: sealed, since a row holds searchable copies in the clear, and bound to their record and age. */
import { deserialize, serialize } from "node:v8";
import type { Rid, Uid } from "../core/ids.ts";
import type { RecordRow } from "../core/record.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { HotEntry, HotRecords } from "../ports/hot-records.ts";
import { decrypt, encrypt, nonceBytes, tagBytes } from "./aes-gcm.ts";
import type { LookupKey } from "./lookup-key.ts";

/** To be raised with every change of `RecordRow`: what was sealed under another is a miss. */
const format = 1;

export type HotCopiesDeps = {
  readonly kept: HotRecords;
  readonly lookup: Pick<LookupKey, "hotKey">;
  readonly now: Clock;
  readonly random: Randomness;
  /** No copy is read that is older. */
  readonly ageMsMax: number;
  /** Of copies that this process keeps within that age. */
  readonly bytesMax: number;
};

export type HotCopies = {
  byRid(rid: Rid, signal: AbortSignal): Promise<RecordRow | undefined>;
  byUid(uid: Uid, signal: AbortSignal): Promise<RecordRow | undefined>;
  /** Only rows that the store has durably. */
  keep(rows: readonly RecordRow[], signal: AbortSignal): Promise<void>;
};

type Sealed = { readonly row: RecordRow; readonly keptAtMs: number };

export function hotCopies(deps: HotCopiesDeps): HotCopies {
  const { kept, lookup, now, random, ageMsMax } = deps;
  const hasRoom = roomWithin(deps);

  function sealed(row: RecordRow): Uint8Array {
    const nonce = random(nonceBytes);
    const content: Sealed = { row, keptAtMs: now() };
    const { ciphertext, tag } = encrypt(
      lookup.hotKey(row.rid),
      nonce,
      bindingOf(row.rid),
      serialize(content),
    );
    return Buffer.concat([nonce, ciphertext, tag]);
  }

  function opened(rid: Rid, value: Uint8Array): RecordRow | undefined {
    if (value.length < nonceBytes + tagBytes) return undefined;
    const [nonce, ciphertext, tag] = [
      value.subarray(0, nonceBytes),
      value.subarray(nonceBytes, -tagBytes),
      value.subarray(-tagBytes),
    ];
    const bytes = decrypt(lookup.hotKey(rid), nonce, bindingOf(rid), ciphertext, tag);
    if (bytes === undefined) return undefined;
    const { row, keptAtMs }: Sealed = deserialize(bytes);
    return Math.abs(now() - keptAtMs) < ageMsMax ? row : undefined;
  }

  async function byRid(rid: Rid, signal: AbortSignal): Promise<RecordRow | undefined> {
    const [value] = await kept.find([keyOfRid(rid)], signal);
    return value === undefined ? undefined : opened(rid, value);
  }

  return {
    byRid,
    async byUid(uid, signal) {
      const [rid] = await kept.find([keyOfUid(uid)], signal);
      const row = rid === undefined ? undefined : await byRid(Buffer.from(rid).toString() as Rid, signal);
      return row?.uid === uid ? row : undefined;
    },
    async keep(rows, signal) {
      const entries = rows.flatMap((row): readonly HotEntry[] => {
        const value = sealed(row);
        return hasRoom(value.length)
          ? [
              { key: keyOfRid(row.rid), value },
              { key: keyOfUid(row.uid), value: Buffer.from(row.rid) },
            ]
          : [];
      });
      await kept.keep(entries, signal);
    },
  };
}

const keyOfRid = (rid: Rid): string => `r:${rid}`;
const keyOfUid = (uid: Uid): string => `u:${uid}`;
const bindingOf = (rid: Rid): Uint8Array => Buffer.from(`hot ${format} ${rid}`);

/** What was kept longer ago has gone. */
function roomWithin({ now, ageMsMax, bytesMax }: HotCopiesDeps): (bytes: number) => boolean {
  let [sinceMs, used] = [now(), 0];
  return (bytes) => {
    if (Math.abs(now() - sinceMs) >= ageMsMax) [sinceMs, used] = [now(), 0];
    if (used + bytes > bytesMax) return false;
    used += bytes;
    return true;
  };
}
