/** An OpenID provider as far as tokens go: discovery and keys over real HTTP, and tokens of every kind, honest or not. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";

export type TokenIssuer = AsyncDisposable & {
  readonly issuer: string;
  /** PEM of the key that is published. */
  readonly publicPem: string;
  /** A token as it should be, changed in what is given; a claim that is undefined is left out. */
  token(
    claims?: { readonly [claim: string]: unknown },
    header?: Partial<JWTHeaderParameters>,
    key?: CryptoKey | Uint8Array,
  ): Promise<string>;
  /** How often the keys were asked for. */
  asked(): number;
  /** What is answered to everything from now on in place of the truth. */
  fail(status: number | undefined): void;
};

export const audience = "lastro";
export const subject = "3f0d-anna";

export async function startIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" }] };
  let [asked, failure] = [0, undefined as number | undefined];
  const server = createServer((request, response) => {
    const isKeys = request.url === "/jwks";
    if (isKeys) asked += 1;
    response.statusCode = failure ?? 200;
    response.end(JSON.stringify(isKeys ? jwks : { issuer, jwks_uri: `${issuer}/jwks` }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    publicPem: await exportSPKI(publicKey),
    token(claims = {}, header = {}, key = privateKey) {
      const seconds = Math.floor(Date.now() / 1_000);
      const payload = {
        iss: issuer,
        aud: audience,
        sub: subject,
        iat: seconds,
        exp: seconds + 60,
        ...claims,
      };
      return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "one", ...header }).sign(key);
    },
    asked: () => asked,
    fail: (status) => {
      failure = status;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
