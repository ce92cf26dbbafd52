/** The part of the history reader's contract that is about owners and related streams. */
import { describe, expect, test } from "@jest/globals";
import type { Store } from "../../src/ports/store.ts";
import { makeScene, type Scene } from "../support/records.ts";

const signal = new AbortController().signal;

export function ownershipContract(name: string, store: () => Store): void {
  describe(`${name}: related streams and ownerships`, () => {
    const alias = (scene: Scene, entityId: string, candidateId: string, over = {}) => ({
      tenant: scene.tenant,
      namespace: "billing",
      entityType: "account",
      entityId,
      candidateId,
      stream: scene.stream(entityId),
      ...over,
    });

    test("R-10 streams that share a candidate id are related when tenant and entity type are equal", async () => {
      const scene = makeScene();
      const aliases = [
        alias(scene, "a", "a"),
        alias(scene, "a", "shared"),
        alias(scene, "b", "b"),
        alias(scene, "b", "shared"),
        alias(scene, "b", "a"),
        alias(scene, "shared", "shared", { namespace: "crm" }),
        alias(scene, "c", "c"),
        alias(scene, "t", "shared", { tenant: `${scene.tenant}-x` }),
        alias(scene, "i", "shared", { entityType: "invoice" }),
      ];
      for (const _ of ["first", "repeated"]) await store().records.append(scene.batch({ aliases }), signal);
      const related = await store().history.relatedStreams(scene.stream("a"), 10, signal);
      expect([...related].sort((x, y) => x.entityId.localeCompare(y.entityId))).toEqual([
        { tenant: scene.tenant, namespace: "billing", entityType: "account", entityId: "b", stream: scene.stream("b") },
        { tenant: scene.tenant, namespace: "crm", entityType: "account", entityId: "shared", stream: scene.stream("shared") },
      ]); // biome-ignore format: a table
      expect(await store().history.relatedStreams(scene.stream("a"), 1, signal)).toHaveLength(1);
      expect(await store().history.relatedStreams(scene.stream("c"), 10, signal)).toEqual([]);
      expect(await store().history.relatedStreams(scene.stream("none"), 10, signal)).toEqual([]);
    });

    test("R-09 ownerships are listed by key, page by page, of one tenant or of all", async () => {
      const scene = makeScene();
      const names = ["ana", "bia", "caio", "davi", "eva"];
      const other = scene.facts("zoe", { tenant: `${scene.tenant}-x` });
      await store().records.append(
        scene.batch({ ownerships: [...names.map((n) => scene.facts(n)), other] }),
        signal,
      );
      const ascending = names.map(scene.ownership).sort((a, b) => (a < b ? -1 : 1));
      const list = (over: object) =>
        store().history.ownerships({ tenant: scene.tenant, after: undefined, limit: 2, ...over }, signal);
      const first = await list({});
      expect(first.map((d) => d.ownership)).toEqual(ascending.slice(0, 2));
      const rest = await list({ after: ascending[1], limit: 9 });
      expect(rest.map((d) => d.ownership)).toEqual(ascending.slice(2));
      const everyone = await list({ tenant: undefined, limit: 1_000 });
      expect(everyone.map((d) => d.ownership)).toEqual(
        expect.arrayContaining([...ascending, other.ownership]),
      );
      expect(await store().history.ownership(scene.ownership("nobody"), signal)).toBeUndefined();
    });
  });
}
