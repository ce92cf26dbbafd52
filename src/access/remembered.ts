/** Tokens that verified a moment ago are not verified again: a signature costs as much as a small answer. */
import { createHash } from "node:crypto";
import type { JWTPayload } from "jose";
import type { Clock } from "../ports/clock.ts";
import type { VerifyToken } from "./oidc.ts";

/** After this a key that its issuer withdrew no longer counts. */
const memoryMsMax = 60_000;
const tokensMax = 10_000;

/** Never longer than the token itself lives. What is kept is a hash of it and its claims. */
export function remembering(verify: VerifyToken, now: Clock): VerifyToken {
  const known = new Map<string, { readonly claims: JWTPayload; readonly untilMs: number }>();
  return async (token) => {
    const hash = createHash("sha256").update(token).digest("base64");
    const found = known.get(hash);
    if (found !== undefined && now() < found.untilMs) return found.claims;
    const claims = await verify(token);
    if (known.size >= tokensMax) known.clear();
    const untilMs = Math.min((claims.exp ?? 0) * 1_000, now() + memoryMsMax);
    known.set(hash, { claims, untilMs });
    return claims;
  };
}
