/** Who is asking: one of the ways in, chosen by what came. A bearer token decides alone; a client certificate counts where there is none. */
import { decodeProtectedHeader, type JWTPayload } from "jose";
import type { Caller } from "../core/caller.ts";
import { LastroError } from "../core/errors.ts";
import type { JsonValue } from "../core/json.ts";
import type { Authenticate, Credentials } from "../ports/authenticate.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";
import type { AccessRules } from "./access-rules.ts";
import { grantsBy } from "./grants.ts";
import { clockToleranceSeconds, type VerifyToken } from "./oidc.ts";
import { expiryOf, unauthenticated } from "./refusal.ts";
import { verifyServiceToken } from "./service-tokens.ts";
import { type ViewerTokens, viewerTokenType } from "./viewer-tokens.ts";

export type AuthenticateDeps = {
  /** As the access file says now. */
  readonly rules: () => AccessRules;
  /** Undefined without an OpenID provider. */
  readonly oidc: { readonly issuer: string; readonly verify: VerifyToken } | undefined;
  /** One of them services write into `aud`. */
  readonly audience: readonly string[];
  readonly viewers: Pick<ViewerTokens, "read">;
  readonly now: Clock;
  readonly observer: Pick<Observer, "callerRefused">;
  readonly log: Log;
};

/** Less than all metadata of a call may take. */
const tokenCharactersMax = 16 * 1024;
const bearer = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*)$/i;

export function authenticator(deps: AuthenticateDeps): Authenticate {
  const refused = refusalLog(deps);
  return async (credentials) => {
    const { authorization, m2mService: service } = credentials;
    try {
      if (authorization === undefined) return byCertificate(deps, credentials);
      const token = tokenOf(authorization);
      if (service !== undefined) return await byService(deps, service, token);
      return headerOf(token).typ === viewerTokenType
        ? await deps.viewers.read(token)
        : await byProvider(deps, token);
    } catch (error) {
      deps.observer.callerRefused();
      refused(error);
      throw error;
    }
  };
}

function tokenOf(authorization: string): string {
  if (authorization.length > tokenCharactersMax)
    throw unauthenticated(`the token has more than ${tokenCharactersMax} characters`);
  const [, token] = bearer.exec(authorization) ?? [];
  if (token === undefined) throw unauthenticated("authorization must be Bearer and a signed JWT");
  return token;
}

function headerOf(token: string): { readonly typ?: string } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw unauthenticated("the token is no signed JWT");
  }
}

function byCertificate(
  { rules, now }: AuthenticateDeps,
  { certificateNames: names = [], certificateUntilMs: untilMs = 0 }: Credentials,
): Caller {
  if (names.length === 0)
    throw unauthenticated(
      "there is no identity: send authorization: Bearer <token>, or come with a client certificate that has a SAN",
    );
  // By the same clock as at the handshake, and as exactly; what is no time is past.
  if (!(now() < untilMs)) throw unauthenticated("the client certificate has expired; connect with a new one");
  const { serviceOf } = rules();
  const services = new Set(names.flatMap((name) => serviceOf.get(name) ?? []));
  const [service] = services;
  if (service === undefined || services.size > 1)
    throw unauthenticated("the client certificate names no service of the access file, or several");
  return { ...serviceCaller(rules, service), untilMs };
}

async function byService(
  { rules, audience, now }: AuthenticateDeps,
  service: string,
  token: string,
): Promise<Caller> {
  const untilMs = await verifyServiceToken(rules(), { service, token, audience }, now);
  return { ...serviceCaller(rules, service), untilMs };
}

const serviceCaller = (rules: () => AccessRules, name: string): Caller => ({
  id: `service:${name}`,
  kind: "service",
  ...grantsBy(rules, { kind: "service", name }),
});

async function byProvider({ rules, oidc }: AuthenticateDeps, token: string): Promise<Caller> {
  if (oidc === undefined)
    throw unauthenticated("no OpenID provider is known here; a service's own token comes with X-M2M-Service");
  const claims = await oidc.verify(token);
  const known = people.get(claims);
  if (known?.rules === rules()) return known.caller;
  const caller = personOf(oidc.issuer, claims, rules);
  people.set(claims, { rules: rules(), caller });
  return caller;
}

/** By claims that are remembered: looking through a thousand bindings takes longer than all else here. */
const people = new WeakMap<JWTPayload, { readonly rules: AccessRules; readonly caller: Caller }>();

function personOf(issuer: string, claims: JWTPayload, rules: () => AccessRules): Caller {
  const { sub: subject } = claims;
  if (typeof subject !== "string" || subject === "")
    throw unauthenticated("the token's sub is missing or not accepted here");
  return {
    id: `person:${issuer}#${subject}`,
    kind: "person",
    ...grantsBy(rules, { kind: "person", subject, claims: claims as JsonValue }),
    untilMs: expiryOf(claims, clockToleranceSeconds),
  };
}

const linesPerSecondMax = 10;

/** A flood of refusals must not become a flood of lines: those left out are counted in the next. */
function refusalLog({ log, now }: AuthenticateDeps): (error: unknown) => void {
  let second = 0;
  let lines = 0;
  let leftOut = 0;
  return (error) => {
    const why = error instanceof LastroError ? error.message : "the identity could not be checked";
    const current = Math.floor(now() / 1_000);
    if (current !== second) [second, lines] = [current, 0];
    lines += 1;
    if (lines > linesPerSecondMax) {
      leftOut += 1;
      return;
    }
    log.warn("caller_refused", why, { left_out: leftOut });
    leftOut = 0;
  };
}
