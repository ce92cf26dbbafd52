/** Fuzz target: replies of time-stamping authorities, and the certificates they are held against. Nothing is thrown but a RangeError, and no change tells another time. */
import { expect, test } from "@jest/globals";
import { readCertificates, verifyTimeStamp } from "../../src/lib/time-stamp.ts";
import { campaignTimeoutMs, fuzz, must, seed, timesOf } from "../support/fuzz.ts";
import { growthOf } from "../support/growth.ts";
import vectors from "../vectors/time-stamp/replies.json" with { type: "json" };

async function refused(act: () => unknown): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

test.each(vectors.valid)("the reply $name verifies, at the time of the authority", async (given) => {
  const stamp = await verifyTimeStamp(
    Buffer.from(given.reply, "base64"),
    Buffer.from(given.text),
    readCertificates(given.roots),
  );
  expect(stamp).toEqual({ atMs: Date.parse(given.at), nonce: BigInt(given.nonce) });
});

test.each(vectors.valid)("the reply $name with another signature is refused for it", async (given) => {
  const reply = Buffer.from(given.reply, "base64");
  reply[reply.length - 1] = (reply.at(-1) ?? 0) ^ 1;
  await expect(
    verifyTimeStamp(reply, Buffer.from(given.text), readCertificates(given.roots)),
  ).rejects.toThrow("its signature does not verify");
});

test.each(vectors.valid)(
  `the reply $name that was mutated is refused, or says the same (seed ${seed})`,
  async (given) => {
    const trusted = readCertificates(given.roots);
    const check = async (input: Buffer): Promise<boolean> =>
      !(await refused(async () => {
        const stamp = await verifyTimeStamp(input, Buffer.from(given.text), trusted);
        const said = [new Date(stamp.atMs).toISOString(), String(stamp.nonce)];
        must(said.join() === [given.at, given.nonce].join(), `it says ${said.join()}`);
      }));
    const corpus = [Buffer.from(given.reply, "base64")];
    const runs = timesOf(300, 0.1);
    const { accepted } = await fuzz({ name: "time stamps", corpus, check, cpuMsMax: 250 }, runs);
    expect(accepted).toBeLessThan(runs / 2);
  },
  campaignTimeoutMs,
);

test.each(vectors.valid)(
  `the roots of the reply $name that were mutated are refused, or read (seed ${seed})`,
  async ({ roots }) => {
    const check = async (input: Buffer): Promise<boolean> =>
      !(await refused(() => readCertificates(input.toString())));
    await fuzz({ name: "certificates", corpus: [Buffer.from(roots)], check }, timesOf(500, 0.1));
  },
  campaignTimeoutMs,
);

test.each([
  ["sequences in one another", (n: number) => Buffer.from("30800000".slice(0, 4).repeat(n / 2), "hex")],
  ["an integer", (n: number) => Buffer.concat([Buffer.from([0x02, 0x83, n >> 16, (n >> 8) & 255, n & 255]), Buffer.alloc(n, 0x7f)])],
  ["an object identifier", (n: number) => Buffer.concat([Buffer.from([0x06, 0x83, n >> 16, (n >> 8) & 255, n & 255]), Buffer.alloc(n, 0x81)])],
  ["noise", (n: number) => Buffer.alloc(n, "0a1b")],
])("a reply that is %s is refused in time that grows with its size alone", async (_, replyOf) => {
  const { text, roots } = vectors.valid[0] ?? { text: "", roots: "" };
  const trusted = readCertificates(roots);
  const verify = (reply: Buffer): Promise<boolean> =>
    refused(() => verifyTimeStamp(reply, Buffer.from(text), trusted));
  expect(await verify(replyOf(4_096))).toBe(true);
  expect(growthOf(4_096, replyOf, (reply) => void verify(reply))).toMatchObject({ linear: true });
}); // biome-ignore format: a table
