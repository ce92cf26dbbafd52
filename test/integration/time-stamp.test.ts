/** Time stamps against OpenSSL's authority, which is not ours: what it signs we accept, and nothing else. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readCertificates, timeStampRequest, verifyTimeStamp } from "../../src/lib/time-stamp.ts";
import { startAuthority, type TimeStampAuthority } from "../support/time-stamp-authority.ts";

const bytes = Buffer.from("log.test\n7\nAAAA\n\n— log.test BBBB\n");
let authority: TimeStampAuthority;
let reply: Buffer;
let nonce: bigint;

const rootOf = ({ caFile }: TimeStampAuthority) => readCertificates(readFileSync(caFile, "utf8"));

beforeAll(async () => {
  authority = await startAuthority();
  const request = timeStampRequest(bytes, randomBytes(8));
  nonce = request.nonce;
  reply = await authority.reply(request.der);
}, 60_000);
afterAll(async () => authority?.[Symbol.asyncDispose]());

test("a reply to our request verifies under its authority's root, at the time of the authority, with the nonce of the request", async () => {
  const stamp = await verifyTimeStamp(reply, bytes, rootOf(authority));
  expect(Math.abs(Date.now() - stamp.atMs)).toBeLessThan(120_000);
  expect(stamp.nonce).toBe(nonce);
});

describe("a time stamp is refused", () => {
  test("for other bytes", async () => {
    const other = Buffer.concat([bytes, Buffer.from("x")]);
    await expect(verifyTimeStamp(reply, other, rootOf(authority))).rejects.toThrow("it stamps other bytes");
  });

  test("of an authority that is not trusted", async () => {
    await using stranger = await startAuthority();
    await expect(verifyTimeStamp(reply, bytes, rootOf(stranger))).rejects.toThrow(
      /^its signature cannot be verified: Validation of signer's certificate failed/,
    );
  });

  test("whose certificate is for something else, or for more, or may be read so", async () => {
    const { der } = timeStampRequest(bytes, randomBytes(8));
    const trusted = rootOf(authority);
    const good = await authority.replySignedFor("critical,timeStamping", der);
    expect((await verifyTimeStamp(good, bytes, trusted)).atMs).toBeGreaterThan(0);
    for (const usage of ["critical,emailProtection", "critical,timeStamping,serverAuth", "timeStamping"])
      await expect(
        verifyTimeStamp(await authority.replySignedFor(usage, der), bytes, trusted),
      ).rejects.toThrow("its certificate is not for time stamping alone");
  }, 60_000);

  test("whose signature was changed", async () => {
    // It ends with the signature of its only signer.
    const changed = Buffer.from(reply);
    changed[reply.length - 1] = (reply.at(-1) ?? 0) ^ 1;
    await expect(verifyTimeStamp(changed, bytes, rootOf(authority))).rejects.toThrow(
      "its signature does not verify",
    );
  });

  test("when any byte was changed, unless it says the same all the same", async () => {
    const told = await verifyTimeStamp(reply, bytes, rootOf(authority));
    let refused = 0;
    for (let at = 0; at < reply.length; at += 29) {
      const changed = Buffer.from(reply);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const stamp = await verifyTimeStamp(changed, bytes, rootOf(authority)).catch((error: unknown) => {
        if (!(error instanceof RangeError)) throw error;
        refused += 1;
      });
      // What it does not sign, such as the order of certificates, may change; what it says may not.
      if (stamp !== undefined) expect(stamp).toEqual(told);
    }
    expect(refused).toBeGreaterThan(reply.length / 29 / 2);
  });

  test("that is no reply, or a refusal", async () => {
    for (const [answer, why] of [
      [Buffer.from("<html>"), "it is no reply of RFC 3161"],
      [Buffer.alloc(0), "it is no reply of RFC 3161"],
      [await authority.reply(Buffer.from("no query")), "the authority refused, status 2"],
    ] as const)
      await expect(verifyTimeStamp(answer, bytes, rootOf(authority))).rejects.toThrow(why);
  });
});

test("a text without certificates, or with one that cannot be read, is refused", () => {
  expect(() => readCertificates("no certificate")).toThrow("no certificate is in it");
  expect(() => readCertificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).toThrow(
    "a certificate in it cannot be read",
  );
});
