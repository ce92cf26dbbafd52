import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type CryptoKey, exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from "jose";
import * as z from "zod";
import { type AccessRules, parseAccessRules } from "../../src/access/access-rules.ts";
import { authenticator } from "../../src/access/authenticate.ts";
import { oidcVerifier } from "../../src/access/oidc.ts";
import { remembering } from "../../src/access/remembered.ts";
import { viewerTokens, viewerTokenType } from "../../src/access/viewer-tokens.ts";
import type { Caller } from "../../src/core/caller.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { Credentials } from "../../src/ports/authenticate.ts";
import { testViewers } from "../support/grpc-client.ts";
import { silentObserver } from "../support/intake.ts";
import { audience, startIssuer, subject, type TokenIssuer } from "../support/token-issuer.ts";

const nothing: Credentials = {
  authorization: undefined,
  m2mService: undefined,
  certificateNames: undefined,
  certificateUntilMs: undefined,
};
const signal = new AbortController().signal;
const seconds = Math.floor(Date.now() / 1_000);
const lines: string[] = [];
let refusals = 0;
const note = (...line: readonly unknown[]): void => void lines.push(JSON.stringify(line));
const log = { info: note, warn: note, error: note };

let issuer: TokenIssuer;
let billing: GenerateKeyPairResult;
let rules: AccessRules;
beforeAll(async () => {
  issuer = await startIssuer();
  billing = await generateKeyPair("EdDSA", { extractable: true });
  const parsed = parseAccessRules(
    JSON.stringify({
      version: 1,
      services: {
        billing: { keys: [await exportJWK(billing.publicKey)], certificates: ["URI:spiffe://acme/billing"] },
        ledger: { certificates: ["DNS:ledger.internal"] },
      },
      bindings: [
        {
          who: { claim: "/realm_access/roles", value: "audit" },
          roles: ["reader"],
          scope: { tenants: ["acme"] },
        },
        {
          who: { service: "billing" },
          roles: ["producer", "reader"],
          scope: { producer_services: ["billing"] },
        },
      ],
    }),
  );
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  rules = parsed.rules;
});
afterAll(async () => issuer[Symbol.asyncDispose]());

const open = (now: () => number = Date.now) =>
  authenticator({
    rules: () => rules,
    oidc: {
      issuer: issuer.issuer,
      verify: oidcVerifier({ issuer: issuer.issuer, audience: ["other", audience], jwksUrl: undefined }, now),
    },
    audience: [audience],
    viewers: testViewers,
    now,
    observer: {
      callerRefused() {
        refusals += 1;
      },
    },
    log,
  });
const bearing = (token: string, m2mService?: string): Credentials => ({
  ...nothing,
  authorization: `Bearer ${token}`,
  m2mService,
});
/** The reason; fails itself for an identity that is accepted. */
const refusal = async (credentials: Credentials, authenticate = open()): Promise<string> => {
  const error = await authenticate(credentials, signal).then(
    (caller) => {
      throw new Error(`accepted as ${caller.id}`);
    },
    (cause: unknown) => cause,
  );
  if (!(error instanceof LastroError)) throw error;
  expect(error.code).toBe("UNAUTHENTICATED");
  return error.message;
};
const everything = {
  tenants: undefined, producerServices: undefined, entityTypes: undefined, ownershipIds: undefined,
  fromMs: undefined, toMs: undefined, personal: false,
}; // biome-ignore format: one thought
const decoded = (part: string): string => Buffer.from(part, "base64url").toString();
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("tokens of an OpenID provider", () => {
  test("R-12 a person is who the token says, and has what is bound to a claim of it", async () => {
    const caller = await open()(
      bearing(await issuer.token({ realm_access: { roles: ["x", "audit"] } })),
      signal,
    );
    expect(caller).toMatchObject({ id: `person:${issuer.issuer}#${subject}`, kind: "person" });
    expect(caller.grants).toMatchObject([{ role: "reader", scope: { tenants: ["acme"], personal: false } }]);
  });

  test("a token that is remembered has what the access file says now, not what it said then", async () => {
    let now = { ...rules, bindings: [] as AccessRules["bindings"] };
    const verify = remembering(
      oidcVerifier({ issuer: issuer.issuer, audience: [audience], jwksUrl: undefined }, Date.now),
      Date.now,
    );
    const oidc = { issuer: issuer.issuer, verify };
    const authenticate = authenticator({
      rules: () => now,
      oidc,
      audience: [audience],
      viewers: testViewers,
      now: Date.now,
      observer: silentObserver,
      log,
    });
    const given = bearing(await issuer.token());
    expect((await authenticate(given, signal)).grants).toEqual([]);
    now = { ...now, bindings: [{ who: { subject }, grants: [{ role: "admin", scope: everything }] }] };
    expect((await authenticate(given, signal)).grants).toHaveLength(1);
    now = { ...now, bindings: [] };
    expect((await authenticate(given, signal)).grants).toEqual([]);
  });

  test("without a binding there is an identity and nothing is granted to it", async () => {
    expect((await open()(bearing(await issuer.token()), signal)).grants).toEqual([]);
  });

  test.each<[string, () => Promise<string> | string, RegExp]>([
    ["alg none", () => `${encoded({ alg: "none" })}.${encoded({ sub: subject, exp: seconds + 60 })}.`, /algorithm/],
    ["HS256 signed with the public key", () => issuer.token({}, { alg: "HS256" }, Buffer.from(issuer.publicPem)), /algorithm/],
    ["kid ../../x", () => issuer.token({}, { kid: "../../x" }), /no key/],
    ["exp past", () => issuer.token({ exp: seconds - 120 }), /expired/],
    ["exp missing", () => issuer.token({ exp: undefined }), /exp/],
    ["sub missing", () => issuer.token({ sub: undefined }), /sub/],
    ["nbf future", () => issuer.token({ nbf: seconds + 120 }), /nbf/],
    ["aud other", () => issuer.token({ aud: "shop" }), /aud/],
    ["iss other", () => issuer.token({ iss: "https://evil.example" }), /iss/],
    ["a key of its own in the header", async () => {
      const { privateKey, publicKey } = await generateKeyPair("RS256");
      return issuer.token({}, { jwk: await exportJWK(publicKey), jku: "http://127.0.0.1:1/evil" }, privateKey);
    }, /signature/],
    ["a changed payload", async () => {
      const [head, , tail] = (await issuer.token()).split(".");
      return `${head}.${encoded({ iss: issuer.issuer, aud: audience, sub: "root", exp: seconds + 60 })}.${tail}`;
    }, /signature/],
    ["1 MB", () => `a.${"b".repeat(1024 * 1024)}.c`, /characters/],
    ["no JWT", () => "a.b.c", /JWT/],
    ["five parts (encrypted)", () => "a.b.c.d.e", /Bearer/],
  ])("row 85: a token with %s is refused, and the log has the reason and not the token", async (_, make, why) => {
    const token = await make();
    lines.length = 0;
    refusals = 0;
    expect(await refusal(bearing(token))).toMatch(why);
    expect([lines.length, refusals]).toEqual([1, 1]);
    expect(lines[0]).toMatch(why);
    for (const part of token.split(".").filter(({ length }) => length > 4)) expect(lines[0]).not.toContain(part);
  }); // biome-ignore format: a table

  test("clocks may differ by 30 s, not by more", async () => {
    const token = await issuer.token({ exp: seconds });
    const at = (offset: number) => open(() => (seconds + offset) * 1_000)(bearing(token), signal);
    expect(await at(29)).toMatchObject({ kind: "person", untilMs: (seconds + 30) * 1_000 });
    await expect(at(31)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("the provider's keys are asked for once for many tokens, and a flood of unknown kids does not reach it", async () => {
    const authenticate = open();
    const before = issuer.asked();
    const good = await issuer.token();
    await Promise.all(Array.from({ length: 50 }, () => authenticate(bearing(good), signal)));
    for (let i = 0; i < 20; i++)
      await refusal(bearing(await issuer.token({}, { kid: `x${i}` })), authenticate);
    expect(issuer.asked() - before).toBe(1);
  });

  test("a provider that fails is told as such, not as a fault of the token, and is asked again", async () => {
    const authenticate = open();
    const token = await issuer.token();
    issuer.fail(500);
    await expect(authenticate(bearing(token), signal)).rejects.toMatchObject({ code: "KEY_UNAVAILABLE" });
    issuer.fail(undefined);
    expect((await authenticate(bearing(token), signal)).kind).toBe("person");
  });
});

describe("tokens of services", () => {
  const sign = (claims: Record<string, unknown> = {}, key: CryptoKey = billing.privateKey): Promise<string> =>
    new SignJWT({ iss: "billing", sub: "billing", aud: audience, iat: seconds, exp: seconds + 60, ...claims })
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(key);

  test("R-52 a service is known by a token signed with its own private key", async () => {
    const caller = await open()(bearing(await sign(), "billing"), signal);
    const untilMs = (seconds + 90) * 1_000;
    expect(caller).toMatchObject({ id: "service:billing", kind: "service", untilMs });
    expect(caller.grants.map(({ role }) => role)).toEqual(["producer", "reader"]);
  });

  test.each<[string, () => Promise<string>, string, RegExp]>([
    ["for another audience", () => sign({ aud: "shop" }), "billing", /aud/],
    ["of another service", () => sign({ iss: "ledger" }), "billing", /iss/],
    ["that lives an hour", () => sign({ exp: seconds + 3_600 }), "billing", /longer than 300 s/],
    ["that never ends", () => sign({ exp: undefined }), "billing", /exp/],
    ["that is an hour old", () => sign({ iat: seconds - 3_600, exp: seconds - 3_300 }), "billing", /expired|iat/],
    ["in the name of a service without keys", () => sign(), "ledger", /no service/],
    ["in the name of nobody", () => sign(), "__proto__", /no service/],
    ["signed by another key", async () => sign({}, (await generateKeyPair("EdDSA")).privateKey), "billing", /none of the service's keys/],
  ])("a token %s is refused", async (_, make, service, why) => {
    expect(await refusal(bearing(await make(), service))).toMatch(why);
  }); // biome-ignore format: a table

  test("a service's token without X-M2M-Service is held for one of the provider, and refused", async () => {
    expect(await refusal(bearing(await sign()))).toMatch(/iss|key/);
  });
});

describe("client certificates", () => {
  const certificateUntilMs = (seconds + 60) * 1_000;
  const showing = (...certificateNames: string[]): Credentials => ({
    ...nothing,
    certificateNames,
    certificateUntilMs,
  });

  test("a service is known by a name of its certificate", async () => {
    expect(await open()(showing("DNS:other", "URI:spiffe://acme/billing"), signal)).toMatchObject({
      id: "service:billing",
      kind: "service",
    });
  });

  test("a certificate counts until it expires, and says so to calls that last", async () => {
    const shown = showing("URI:spiffe://acme/billing");
    const at = (ms: number) => open(() => ms);
    expect((await at(certificateUntilMs - 1)(shown, signal)).untilMs).toBe(certificateUntilMs);
    expect(await refusal(shown, at(certificateUntilMs))).toMatch(/certificate has expired/);
    expect(await refusal({ ...shown, certificateUntilMs: Number.NaN })).toMatch(/has expired/);
  });

  test("row 86: a certificate that names nobody, or two services, identifies nobody", async () => {
    expect(await refusal(showing("URI:spiffe://acme/other"))).toMatch(/names no service/);
    expect(await refusal(showing("URI:spiffe://acme/billing", "DNS:ledger.internal"))).toMatch(/or several/);
    expect(await refusal(showing())).toMatch(/no identity/);
    expect(await refusal(nothing)).toMatch(/no identity/);
  });

  test("a bad token is not made good by a certificate", async () => {
    const both = { ...showing("URI:spiffe://acme/billing"), authorization: "Bearer a.b.c" };
    expect(await refusal(both)).toMatch(/JWT/);
  });
});

describe("viewer tokens", () => {
  const maker: Caller = {
    id: "person:x",
    kind: "person",
    grants: [{ role: "auditor", scope: scopeOf({ tenants: ["acme"] }) }],
  };
  function scopeOf(bounds: { tenants?: string[]; personal?: boolean }) {
    const all = { producerServices: undefined, entityTypes: undefined, ownershipIds: undefined };
    return { tenants: undefined, ...all, fromMs: undefined, toMs: undefined, personal: false, ...bounds };
  }

  test("a token lends what maker and request have in common, to a reader of its own name", async () => {
    const { token } = await testViewers.make({ scope: scopeOf({ personal: true }), lifeMs: 60_000 }, maker);
    const caller = await open()(bearing(token), signal);
    expect(caller).toMatchObject({ id: expect.stringMatching(/^viewer:[0-9a-f]{32}$/), kind: "viewer" });
    expect(caller.grants).toEqual([{ role: "reader", scope: scopeOf({ tenants: ["acme"] }) }]);
  });

  test("a viewer is known with who lent the view, and whoever holds the token does not read who that is", async () => {
    const { id, token } = await testViewers.make({ scope: scopeOf({}), lifeMs: 60_000 }, maker);
    expect(await open()(bearing(token), signal)).toMatchObject({ id: `viewer:${id}`, lentBy: maker.id });
    const [head = "", payload = ""] = token.split(".");
    expect(decoded(head) + decoded(payload)).not.toContain(maker.id);
    const sealed = z.object({ by: z.string() }).parse(JSON.parse(decoded(payload))).by;
    expect(sealed.split(".").map(decoded).join()).not.toContain(maker.id);
  });

  test("a token of a version that did not say who lent it is refused, and says what to do", async () => {
    const old = await new SignJWT({ scopes: [scopeOf({})] })
      .setProtectedHeader({ alg: "HS256", typ: viewerTokenType })
      .setJti("1")
      .setIssuedAt()
      .setExpirationTime("60 s")
      .sign(Buffer.alloc(32, "viewer"));
    expect(await refusal(bearing(old))).toBe(
      "the viewer token is of another version of Lastro: make a new one",
    );
  });

  test("it ends, and neither a viewer nor who may not read makes one", async () => {
    const request = { scope: scopeOf({}), lifeMs: 60_000 };
    const { token, expiresAtMs } = await testViewers.make(request, maker);
    expect((await open()(bearing(token), signal)).untilMs).toBe(expiresAtMs);
    const late = viewerTokens({
      key: Buffer.alloc(32, "viewer"),
      now: () => expiresAtMs + 1,
      random: Buffer.alloc,
    });
    await expect(late.read(token)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const viewer = await open()(bearing(token), signal);
    const operator: Caller = { ...maker, grants: [{ role: "operator", scope: scopeOf({}) }] };
    for (const caller of [viewer, operator, { ...maker, grants: [] }])
      await expect(testViewers.make(request, caller)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("a scope too large for a header is refused when the token is made, not when it is used", async () => {
    const scope = scopeOf({ tenants: Array.from({ length: 1_000 }, (_, i) => `tenant-${i}`) });
    const wide: Caller = { ...maker, grants: [{ role: "reader", scope: scopeOf({}) }] };
    await expect(testViewers.make({ scope, lifeMs: 60_000 }, wide)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "scope",
    });
  });

  test("one made with another store's key is refused, and so is one whose scope was widened", async () => {
    const other = viewerTokens({
      key: Buffer.alloc(32, "other"),
      now: Date.now,
      random: (n) => Buffer.alloc(n),
    });
    const { token } = await other.make({ scope: scopeOf({}), lifeMs: 60_000 }, maker);
    expect(await refusal(bearing(token))).toMatch(/signature/);
    const [head, , tail] = (
      await testViewers.make({ scope: scopeOf({}), lifeMs: 60_000 }, maker)
    ).token.split(".");
    const wide = encoded({
      scopes: [scopeOf({ personal: true })],
      jti: "1",
      iat: seconds,
      exp: seconds + 60,
    });
    expect(await refusal(bearing(`${head}.${wide}.${tail}`))).toMatch(/signature/);
  });
});

test("whatever is put in the place of a token is refused, and nothing but a token changed in no byte is taken", async () => {
  const token = await issuer.token();
  const viewer = await testViewers.make(
    { scope: everything, lifeMs: 60_000 },
    { id: "person:x", kind: "person", grants: [{ role: "reader", scope: everything }] },
  );
  const authenticate = open();
  const changed = fc
    .tuple(
      fc.constantFrom(token, viewer.token),
      fc.nat(),
      fc.string({ minLength: 0, maxLength: 4 }),
      fc.nat({ max: 3 }),
    )
    .map(([text, at, put, cut]) => {
      const from = at % text.length;
      return text.slice(0, from) + put + text.slice(from + cut);
    })
    // The last character of base64url may differ in bits that count for nothing.
    .filter((text) => ![token, viewer.token].some((good) => text.slice(0, -1) === good.slice(0, -1)));
  const anything = fc.oneof(changed, fc.string({ unit: "binary", maxLength: 200 }), fc.base64String());
  const service = fc.option(fc.constantFrom("billing", "ledger", "constructor", ""), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      anything,
      service,
      fc.constantFrom("Bearer ", "bearer ", "Basic ", ""),
      async (text, m2mService, scheme) => {
        const given = { ...nothing, authorization: scheme + text, m2mService };
        expect(await refusal(given, authenticate)).toMatch(/^[\w ,.<>:';()-]+$/);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a flood of refusals does not flood the log, and what is left out is counted", async () => {
  let now = seconds * 1_000;
  const authenticate = open(() => now);
  lines.length = 0;
  for (let i = 0; i < 50; i++) await refusal(nothing, authenticate);
  expect(lines).toHaveLength(10);
  now += 1_000;
  await refusal(nothing, authenticate);
  expect(lines.at(-1)).toContain('"left_out":40');
});

test("keys too weak to sign with, and private ones, are no keys of a service", async () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey;
  const given = [
    weak.export({ format: "pem", type: "spki" }),
    await exportJWK(billing.privateKey),
    { kty: "oct", k: "AAAA" },
    "x",
  ];
  for (const key of given) {
    const parsed = parseAccessRules(
      JSON.stringify({ version: 1, services: { a: { keys: [key] } }, bindings: [] }),
    );
    expect(parsed).toMatchObject({
      ok: false,
      errors: [expect.stringMatching(/^services\.a\.keys\.0: must be a public key/)],
    });
  }
});
