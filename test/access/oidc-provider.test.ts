/** Against an OpenID provider that others wrote, over real HTTP: discovery, keys, and tokens by the client credentials grant. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Provider } from "oidc-provider";
import { oidcVerifier } from "../../src/access/oidc.ts";

const api = "urn:lastro";
const server = createServer((request, response) => handle(request, response));
type Handle = (request: IncomingMessage, response: ServerResponse) => unknown;
let handle: Handle;
let provider: Handle;
let issuer: string;

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  // It warns that its memory is for tests.
  jest.spyOn(console, "warn").mockReturnValue();
  const others = new Provider(issuer, {
    clients: [
      {
        client_id: "jobs",
        client_secret: "secret",
        id_token_signed_response_alg: "ES256",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "ES256", use: "sig" }] },
    ttl: { ClientCredentials: 60 },
    cookies: { keys: ["test"] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, audience) => ({
          scope: "read",
          audience,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  });
  provider = others.callback();
  handle = provider;
});
afterEach(() => {
  handle = provider;
});
afterAll(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

async function token(resource: string): Promise<string> {
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("jobs:secret")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource }),
  });
  const { access_token: text } = (await answer.json()) as { access_token?: string };
  if (text === undefined) throw new Error(`no token: ${answer.status}`);
  return text;
}

const verifier = (jwksUrl?: string) => oidcVerifier({ issuer, audience: [api], jwksUrl }, Date.now);

test("its access tokens are taken, by discovery and by a JWKS address that is set", async () => {
  expect(await verifier()(await token(api))).toMatchObject({ iss: issuer, aud: api, sub: "jobs" });
  expect(await verifier(`${issuer}/jwks`)(await token(api))).toMatchObject({ sub: "jobs" });
});

test("its token for another service is refused", async () => {
  await expect(verifier()(await token("urn:shop"))).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
    message: expect.stringMatching(/aud/),
  });
});

/** From now on its discovery document names this address. */
function namesJwks(url: string): void {
  handle = (request, response) =>
    request.url?.startsWith("/.well-known/")
      ? response.end(JSON.stringify({ issuer, jwks_uri: url }))
      : provider(request, response);
}

test("keys are taken from no address that others on the way can answer from, whatever discovery says", async () => {
  const given = await token(api);
  namesJwks("http://id.example/jwks");
  const verify = verifier();
  await expect(verify(given)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringMatching(/jwks_uri.*LASTRO_OIDC_JWKS_URL/),
  });
  namesJwks(`${issuer}/jwks`);
  expect(await verify(given)).toMatchObject({ sub: "jobs" });
});

test("keys that moved are found without a restart", async () => {
  const given = await token(api);
  namesJwks(`${issuer}/nothing-here`);
  const verify = verifier();
  await expect(verify(given)).rejects.toMatchObject({ code: "KEY_UNAVAILABLE" });
  namesJwks(`${issuer}/jwks`);
  expect(await verify(given)).toMatchObject({ sub: "jobs" });
});

test("while the provider is away its keys that are remembered hold, whatever key another token names", async () => {
  const given = await token(api);
  const verify = verifier();
  await verify(given);
  const { privateKey } = await generateKeyPair("ES256");
  const madeUp = await new SignJWT().setProtectedHeader({ alg: "ES256", kid: "made-up" }).sign(privateKey);
  handle = (_, response) => response.writeHead(503).end();
  // So long after its keys were fetched, one that is not among them is looked for anew.
  const later = Date.now() + 31_000;
  using _clock = jest.spyOn(Date, "now").mockReturnValue(later);
  await expect(verify(madeUp)).rejects.toMatchObject({ code: "KEY_UNAVAILABLE" });
  expect(await verify(given)).toMatchObject({ sub: "jobs" });
});
