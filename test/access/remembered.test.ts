import { expect, test } from "@jest/globals";
import { remembering } from "../../src/access/remembered.ts";

test("a token is verified once a minute, never counts longer than it lives, and one that fails is not remembered", async () => {
  let nowMs = 1_000_000;
  const asked: string[] = [];
  const lives: Record<string, number> = { long: nowMs + 3_600_000, short: nowMs + 5_000 };
  const verify = remembering(
    async (token) => {
      asked.push(token);
      const expMs = lives[token] ?? 0;
      if (nowMs >= expMs) throw new Error("expired");
      return { sub: token, exp: expMs / 1_000 };
    },
    () => nowMs,
  );
  for (const token of ["long", "long", "short", "short"]) expect((await verify(token)).sub).toBe(token);
  await expect(verify("bad")).rejects.toThrow();
  await expect(verify("bad")).rejects.toThrow();
  expect(asked).toEqual(["long", "short", "bad", "bad"]);
  nowMs += 5_000;
  await expect(verify("short")).rejects.toThrow("expired");
  await verify("long");
  expect(asked.slice(4)).toEqual(["short"]);
  nowMs += 55_000;
  await verify("long");
  expect(asked.slice(5)).toEqual(["long"]);
});
