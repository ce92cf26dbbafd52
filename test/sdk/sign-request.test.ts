import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { decodeJwt, exportJWK } from "jose";
import { parseAccessRules } from "../../src/access/access-rules.ts";
import { clockToleranceSeconds } from "../../src/access/oidc.ts";
import { verifyServiceToken } from "../../src/access/service-tokens.ts";
import { signRequest } from "../../src/sdk/sign-request.ts";
import { temporaryFolder } from "../support/sqlite.ts";

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

const ofCheckout = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test("R-52 what the documentation has a service write runs in another package, with that file and jose alone", () => {
  const page = readFileSync(ofCheckout("docs/access.md"), "utf8");
  const [, example = ""] = /```ts\n(.*?)```/s.exec(page) ?? [];
  const [, named = ""] = /`(src\/sdk\/[a-z-]+\.ts)`/.exec(page) ?? [];
  using folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  copyFileSync(ofCheckout(named), at("sign-request.ts"));
  mkdirSync(at("node_modules"));
  symlinkSync(ofCheckout("node_modules/jose"), at("node_modules/jose"));
  const pem = pairs.EdDSA().privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const program = [
    `const privateKey = ${JSON.stringify(pem)};`,
    example,
    "console.log(JSON.stringify(headers));",
  ];
  writeFileSync(at("package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(at("service.ts"), program.join("\n"));
  const headers = JSON.parse(execFileSync(process.execPath, [at("service.ts")], { encoding: "utf8" }));
  const told = /^\/\/ (.+)$/m.exec(example)?.[1]?.split(", ");
  expect(Object.keys(headers)).toEqual(told);
  expect(decodeJwt(headers.Authorization.slice("Bearer ".length))).toMatchObject({
    iss: "billing",
    aud: "lastro",
  });
});
