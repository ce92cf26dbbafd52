/** What a check that opens bodies says of records whose keys do not open. */
import { expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { checkBodies } from "../../src/query/check-bodies.ts";
import { damageKey } from "../support/damage-key.ts";
import { openIndexedWorld } from "../support/indexed-world.ts";

const signal = new AbortController().signal;

test("R-80 a data key that does not open is told of each record it closes, and of no other; restored, of the words that the index lacks", async () => {
  await using world = await openIndexedWorld();
  const rows = await world.publishLogged(
    { metadata: { ownership_id: "1" } },
    { payload: { public_id: "b", name: "Ana" }, metadata: { ownership_id: "2" } },
    { payload: { public_id: "c", name: "Rui" }, metadata: { ownership_id: "2" } },
  );
  const check = checkBodies({
    history: world.store.history,
    keys: world.deps.keys,
    lookup: world.deps.lookup,
    catalogue: emptyCatalogue,
    catalogueDigest: "another",
    textsOf: world.store.index.texts,
  });
  const given = rows.map((row) => ({ row }));
  const found = async () =>
    (await check(given, signal)).map(({ code, object }) => [
      code,
      object.kind === "record" ? object.rid : "",
    ]);
  const kid = rows[1]?.kids[0];
  if (kid === undefined) throw new Error("no key");
  const repair = await damageKey(world.store.keys, { class: "s", kid });
  await world.index();
  const closed = rows.slice(1).map(({ rid }) => rid);
  expect(await found()).toEqual(closed.map((rid) => ["BODY_CLOSED", rid]));
  await repair();
  expect(await found()).toEqual(closed.map((rid) => ["INDEX_CHANGED", rid]));
});
