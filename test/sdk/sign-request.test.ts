import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { decodeJwt, exportJWK } from "jose";
import { parseAccessRules } from "../../src/access/access-rules.ts";
import { clockToleranceSeconds } from "../../src/access/oidc.ts";
import { verifyServiceToken } from "../../src/access/service-tokens.ts";
import { signRequest } from "../../src/sdk/sign-request.ts";

const pairs = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
};

test.each(Object.entries(pairs))(
  "R-52 a request signed by %s is known as its service's, and by no other name",
  async (algorithm, make) => {
    const { publicKey, privateKey } = make();
    const file = {
      version: 1,
      services: { billing: { keys: [await exportJWK(publicKey)] }, shop: {} },
      bindings: [],
    };
    const parsed = parseAccessRules(JSON.stringify(file));
    if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
    const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const headers = await signRequest({ service: "billing", privateKey: pem, algorithm });
    expect(headers).toEqual({
      Authorization: expect.stringMatching(/^Bearer /),
      "X-M2M-Service": "billing",
      "Content-Type": "application/json",
    });
    const token = headers.Authorization.slice("Bearer ".length);
    const verify = (service: string) =>
      verifyServiceToken(parsed.rules, { service, token, audience: ["lastro"] }, Date.now);
    expect(await verify("billing")).toBe(((decodeJwt(token).exp ?? 0) + clockToleranceSeconds) * 1_000);
    await expect(verify("shop")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  },
);
