import { expect, test } from "@jest/globals";
import type { JsonObject } from "../../src/core/json.ts";
import { replaceAliases } from "../../src/core/owner.ts";

test("names of the actor are replaced and every other member stays as it was, also those that mean something to JavaScript", () => {
  const metadata: JsonObject = JSON.parse(
    '{"user_id":"7","owner_role":"clerk","user_role":"clerk","__proto__":{"owner_ip":"::1"},"constructor":1}',
  );
  const owned = replaceAliases(metadata, "");
  expect(JSON.stringify(owned.ok && owned.metadata)).toBe(
    '{"owner_id":"7","owner_role":"clerk","__proto__":{"owner_ip":"::1"},"constructor":1,"owner_type":"user"}',
  );
  expect(owned.ok && owned.aliased).toEqual({ owner_id: "user_id" });
});
