/** Access tokens of an OpenID provider. Its keys are fetched over HTTP, remembered for minutes, and looked for anew at most every 30 s. */
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import * as z from "zod";
import { LastroError } from "../core/errors.ts";
import { boundedBody } from "../lib/bounded-body.ts";
import { isPrivateEnough } from "../lib/env-values.ts";
import type { Clock } from "../ports/clock.ts";
import { asymmetricAlgorithms } from "./key-algorithms.ts";
import { tokenFault } from "./refusal.ts";

export type OidcSettings = {
  /** As the provider writes it in its tokens. */
  readonly issuer: string;
  /** One of them must be in the token's `aud`. */
  readonly audience: readonly string[];
  /** Undefined: the provider's discovery document tells it. */
  readonly jwksUrl: string | undefined;
};

export const clockToleranceSeconds = 30;
const fetchMsMax = 5_000;
const discoveryBytesMax = 256 * 1024;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

export type VerifyToken = (token: string) => Promise<JWTPayload>;

export function oidcVerifier(settings: OidcSettings, now: Clock): VerifyToken {
  const { issuer, audience } = settings;
  const keys = keysOf(settings);
  return async (token) => {
    try {
      const verified = await jwtVerify(token, await keys.get(), {
        issuer,
        audience: [...audience],
        algorithms: asymmetricAlgorithms,
        requiredClaims: ["exp", "sub"],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(now()),
      });
      return verified.payload;
    } catch (error) {
      const fault = tokenFault(error);
      if (fault === undefined) keys.away();
      throw fault ?? keysAway(error);
    }
  };
}

const keysAway = (cause: unknown): LastroError =>
  cause instanceof LastroError
    ? cause
    : new LastroError("KEY_UNAVAILABLE", "the keys of the OpenID provider cannot be had", { cause });

type Keys = ReturnType<typeof createRemoteJWKSet>;

/** Found once, for all who ask at the same time; what failed is tried again by the next call. */
function keysOf({ issuer, jwksUrl }: OidcSettings) {
  let found: Promise<Keys> | undefined;
  let remembered: Keys | undefined;
  const find = async (): Promise<Keys> => {
    const url = new URL(jwksUrl ?? (await discoveredJwksUrl(issuer)));
    remembered = createRemoteJWKSet(url, { timeoutDuration: fetchMsMax });
    return remembered;
  };
  return {
    get: (): Promise<Keys> => {
      found ??= find().catch((error: unknown) => {
        found = undefined;
        throw error;
      });
      return found;
    },
    /** They may lie elsewhere by now. What is still fresh stays in use: a token that names a made-up key must not take it from all others. */
    away(): void {
      if (!remembered?.fresh) found = undefined;
    },
  };
}

async function discoveredJwksUrl(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(fetchMsMax) });
  if (!answer.ok)
    throw new LastroError("KEY_UNAVAILABLE", `the OpenID provider answered ${answer.status} to discovery`);
  const text = (await boundedBody(answer.body, discoveryBytesMax)).toString("utf8");
  const { issuer: named, jwks_uri: jwksUrl } = Discovery.parse(JSON.parse(text));
  if (named !== issuer)
    throw new LastroError(
      "KEY_UNAVAILABLE",
      "the OpenID provider names another issuer than LASTRO_OIDC_ISSUER",
    );
  if (!isPrivateEnough(jwksUrl))
    throw new LastroError(
      "KEY_UNAVAILABLE",
      "the OpenID provider names a jwks_uri that is neither https nor on loopback: correct it there, or set LASTRO_OIDC_JWKS_URL",
    );
  return jwksUrl;
}
