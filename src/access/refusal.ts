/** What is said to those whose identity is not accepted. Nothing of a token is ever in it. */
import { errors, type JWTPayload } from "jose";
import { LastroError } from "../core/errors.ts";

export const unauthenticated = (why: string): LastroError => new LastroError("UNAUTHENTICATED", why);

/** From when on a token that has `exp` is refused, ms since the epoch. */
export const expiryOf = ({ exp = 0 }: JWTPayload, toleranceSeconds = 0): number =>
  (exp + toleranceSeconds) * 1_000;
/** Seconds. */
export const lifeOf = ({ exp = 0, iat = 0 }: JWTPayload): number => exp - iat;

const known = new Set(["aud", "iss", "exp", "iat", "nbf", "sub", "jti", "typ"]);

/** Undefined: not the token's fault. */
export function tokenFault(error: unknown): LastroError | undefined {
  if (error instanceof errors.JWTExpired) return unauthenticated("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    const claim = known.has(error.claim) ? error.claim : "a claim";
    return unauthenticated(`the token's ${claim} is missing or not accepted here`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return unauthenticated("the token's signature does not verify");
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return unauthenticated("the token's algorithm is not accepted");
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return unauthenticated("the token names no key that its issuer publishes");
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid)
    return unauthenticated("the token is no signed JWT");
  return undefined;
}
