/** How long a viewer token holds, by whichever clock. */
import { expect, test } from "@jest/globals";
import { viewerLifeMsMax, viewerTokens } from "../../src/access/viewer-tokens.ts";
import { grant, person } from "../support/callers.ts";

const madeMs = 1_700_000_000_000;
const maker = person("anna", grant("auditor"));
const { scope } = grant("reader");
const at = (seconds: number) =>
  viewerTokens({
    key: Buffer.alloc(32, "viewer"),
    now: () => madeMs + seconds * 1_000,
    random: Buffer.alloc,
  });

test("every process of the store knows a viewer token, with a clock up to 30 s behind its maker's; its end is exact", async () => {
  const { token } = await at(0).make({ scope, lifeMs: viewerLifeMsMax }, maker);
  for (const known of [-30, -1, 0, 299])
    expect(await at(known).read(token)).toMatchObject({ kind: "viewer", untilMs: madeMs + 300_000 });
  await expect(at(-31).read(token)).rejects.toThrow(/from the future/);
  await expect(at(300).read(token)).rejects.toThrow(/expired/);
});

test("a viewer token that lives longer than five minutes is refused, whoever made it", async () => {
  const { token } = await at(0).make({ scope, lifeMs: viewerLifeMsMax + 1_000 }, maker);
  await expect(at(0).read(token)).rejects.toThrow(/longer than/);
});
