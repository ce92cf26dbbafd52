/** Contract suite of the audit reader: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { auditBytesMax } from "../../src/ports/audit-reader.ts";
import type { Store } from "../../src/ports/store.ts";
import { makeScene, secondMs, startMs } from "../support/records.ts";

const signal = new AbortController().signal;

export function auditReaderContract(name: string, open: () => Promise<Store>): void {
  describe(`the audit reader on ${name}`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store[Symbol.asyncDispose]();
    });

    test("gives a source's records of a range by ascending offset, page by page, as they were appended", async () => {
      const scene = makeScene();
      const records = [0, 1, 2, 5, 300].map((offset, at) => scene.record({ offset, version: at + 1 }));
      await store.records.append(scene.batch({ records }), signal);
      const first = await store.audit.records(scene.src, 1, 300, 2, signal);
      const second = await store.audit.records(scene.src, 3, 300, 2, signal);
      expect(first.map(({ offset, entry, rid }) => ({ offset, entry, rid }))).toEqual(
        [1, 2].map((at) => ({ offset: at, entry: records[at]?.entry, rid: scene.rid(at) })),
      );
      expect(second.map(({ offset }) => offset)).toEqual([5]);
      expect(first[0]?.row).toEqual({ ...records[1], leafHash: expect.anything(), body: expect.anything() });
      expect(Buffer.from(first[0]?.row?.body ?? [])).toEqual(Buffer.from(records[1]?.body ?? []));
      expect(await store.audit.records(scene.src, 301, 400, 2, signal)).toEqual([]);
    });

    test("ends a page of records early rather than hold more than its bytes", async () => {
      const scene = makeScene();
      const body = new Uint8Array(auditBytesMax / 2 + 1).fill(7);
      const records = [0, 1, 2].map((offset) => scene.record({ offset, body }));
      for (const record of records) await store.records.append(scene.batch({ records: [record] }), signal);
      const page = await store.audit.records(scene.src, 0, 100, 100, signal);
      expect(page.map(({ offset }) => offset)).toEqual([0, 1]);
      expect((await store.audit.records(scene.src, 2, 100, 100, signal)).length).toBe(1);
    });

    test("gives accounts and outcome rows in order, those of the last step among them", async () => {
      const scene = makeScene();
      const later = startMs + 100 * secondMs;
      await store.records.account(scene.step(0, 4, [scene.duplicate(1), scene.gap(2, 4)]), signal);
      await store.records.account(scene.step(4, 6, [scene.rejected(5)], later), signal);
      await store.records.account(scene.step(6, 9, [scene.conflict(7)], later), signal);
      const accounts = await store.audit.accounts(scene.src, 0, 10, signal);
      expect(accounts.map(({ from }) => from)).toEqual([0, ...accounts.slice(0, -1).map(({ to }) => to)]);
      expect(accounts.at(-1)?.to).toBe(9);
      expect(await store.audit.accounts(scene.src, 1, 10, signal)).toEqual(accounts.slice(1));
      const rows = await store.audit.outcomes(scene.src, 1, 8, 10, signal);
      expect(rows).toEqual(
        [scene.duplicate(1), scene.gap(2, 4), scene.rejected(5), scene.conflict(7)].map((row) => ({
          from: row.from,
          to: row.to,
          kind: row.kind,
          row,
        })),
      );
      expect((await store.audit.outcomes(scene.src, 2, 8, 2, signal)).map(({ from }) => from)).toEqual([
        2, 5,
      ]);
    });

    test("names every source that records, accounts or outcomes name", async () => {
      const [recorded, accounted] = [makeScene(0x42), makeScene(0x43)];
      await store.records.append(recorded.batch({ records: [recorded.record({ offset: 3 })] }), signal);
      await store.records.account(accounted.step(0, 1, [accounted.gap(0, 1)]), signal);
      const sources = await store.audit.sources(signal);
      expect(sources).toEqual(sources.toSorted());
      expect(sources).toEqual(expect.arrayContaining([recorded.src, accounted.src]));
    });
  });
}
