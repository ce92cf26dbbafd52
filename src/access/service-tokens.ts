/** Tokens that a service signs with its own private key, for one audience and a few minutes. `iss` and `sub` are its name. */
import { errors, jwtVerify } from "jose";
import type { Clock } from "../ports/clock.ts";
import type { AccessRules } from "./access-rules.ts";
import { algorithmsOf } from "./key-algorithms.ts";
import { clockToleranceSeconds } from "./oidc.ts";
import { expiryOf, lifeOf, tokenFault, unauthenticated } from "./refusal.ts";

const lifeSecondsMax = 300;

/** Resolves once the token is known to be the service's, with when it expires, ms since the epoch. */
export async function verifyServiceToken(
  { services }: AccessRules,
  {
    service,
    token,
    audience,
  }: { readonly service: string; readonly token: string; readonly audience: readonly string[] },
  now: Clock,
): Promise<number> {
  const keys = services.get(service)?.keys ?? [];
  if (keys.length === 0) throw unauthenticated("X-M2M-Service names no service whose keys are known here");
  for (const key of keys) {
    const algorithms = [...algorithmsOf(key)];
    const expected = {
      algorithms, audience: [...audience], issuer: service, subject: service,
      requiredClaims: ["exp", "iat"],
      clockTolerance: clockToleranceSeconds,
      maxTokenAge: lifeSecondsMax,
      currentDate: new Date(now()),
    }; // biome-ignore format: what is the same in all stands in one line
    const payload = await jwtVerify(token, key, expected).then(
      (verified) => verified.payload,
      (error: unknown) => {
        if (isOfAnotherKey(error)) return undefined;
        throw tokenFault(error) ?? error;
      },
    );
    if (payload === undefined) continue;
    if (lifeOf(payload) > lifeSecondsMax)
      throw unauthenticated(
        `the token lives longer than ${lifeSecondsMax} s, which a service's token may not`,
      );
    return expiryOf(payload, clockToleranceSeconds);
  }
  throw unauthenticated("the token is signed by none of the service's keys");
}

const isOfAnotherKey = (error: unknown): boolean =>
  error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed;
