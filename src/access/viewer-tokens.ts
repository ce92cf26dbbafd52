/** Tokens for embedding: a reader's share of their maker's grants, for at most five minutes. Made and read by whoever has the store's lookup key; who made one is sealed in it. */
import { createHmac } from "node:crypto";
import { CompactEncrypt, compactDecrypt, type JWTPayload, jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import type { Caller, Grant, Role, Scope } from "../core/caller.ts";
import { LastroError } from "../core/errors.ts";
import { isoTime } from "../core/leaf.ts";
import { commonScope } from "../core/scope.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import { clockToleranceSeconds } from "./oidc.ts";
import { expiryOf, lifeOf, tokenFault, unauthenticated } from "./refusal.ts";
import type { Act } from "./telling.ts";

export const viewerTokenType = "lastro-viewer+jwt";
export const viewerLifeMsMax = 5 * 60_000;
const algorithm = "HS256";
const sealing = { alg: "dir", enc: "A256GCM" };
const idBytes = 16;
/** Fits the headers that servers and proxies take. */
const tokenCharactersMax = 8 * 1024;
/** Roles that read records, and so may let others read. */
const readers: ReadonlySet<Role> = new Set(["reader", "auditor", "dpo"]);

export type ViewerTokens = {
  /** Throws PERMISSION_DENIED for makers that read nothing, and for viewers: else a token would outlive its maker's will. */
  make(request: ViewerRequest, maker: Caller): Promise<ViewerToken>;
  /** Throws UNAUTHENTICATED. */
  read(token: string): Promise<Caller>;
};
export type ViewerRequest = {
  readonly scope: Scope;
  readonly lifeMs: number;
};
export type ViewerToken = {
  readonly id: string;
  readonly token: string;
  readonly expiresAtMs: number;
  readonly grants: readonly Grant[];
};

export type ViewerDeps = {
  /** 32 bytes, the same in all processes of a store. */
  readonly key: Uint8Array;
  readonly now: Clock;
  readonly random: Randomness;
};

const names = z.array(z.string()).optional();
const Payload = z.object({
  jti: z.string(),
  /** Whose grants these are, sealed: bearers are not told. */
  by: z.string(),
  scopes: z.array(
    z.strictObject({
      tenants: names,
      producerServices: names,
      entityTypes: names,
      ownershipIds: names,
      fromMs: z.number().optional(),
      toMs: z.number().optional(),
      personal: z.boolean(),
    }),
  ),
});
/** JSON leaves out what is undefined. */
const whole = (scope: z.output<typeof Payload>["scopes"][number]): Scope => ({
  tenants: scope.tenants,
  producerServices: scope.producerServices,
  entityTypes: scope.entityTypes,
  ownershipIds: scope.ownershipIds,
  fromMs: scope.fromMs,
  toMs: scope.toMs,
  personal: scope.personal,
});
/** Whoever made it may have a clock that is ahead; its end is exact. */
function assertOfItsTime(payload: JWTPayload, nowMs: number): void {
  if ((payload.iat ?? 0) > Math.floor(nowMs / 1_000) + clockToleranceSeconds)
    throw unauthenticated("the viewer token is from the future: compare the clocks of Lastro's machines");
  if (lifeOf(payload) * 1_000 > viewerLifeMsMax)
    throw unauthenticated("the viewer token lives longer than one may");
}
const reader = (scope: Scope): Grant => ({ role: "reader", scope });

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

export function viewerTokens({ key, now, random }: ViewerDeps): ViewerTokens {
  const makerKey = createHmac("sha256", key).update("lastro/v1/viewer-maker").digest();
  const seal = (maker: string): Promise<string> =>
    new CompactEncrypt(encoder.encode(maker)).setProtectedHeader(sealing).encrypt(makerKey);
  const opened = async (by: string): Promise<string> =>
    decoder.decode((await compactDecrypt(by, makerKey)).plaintext);
  return {
    async make({ scope, lifeMs }, maker) {
      const lent = maker.kind === "viewer" ? [] : maker.grants.filter(({ role }) => readers.has(role));
      if (lent.length === 0)
        throw new LastroError(
          "PERMISSION_DENIED",
          "a viewer token is made by who may read, and not by a viewer",
        );
      const scopes = lent.map((grant) => commonScope(grant.scope, scope));
      // Whole seconds are what a JWT can say; rounded down, it never lives longer than asked for.
      const issuedAt = Math.floor(now() / 1_000);
      const expiresAt = issuedAt + Math.floor(lifeMs / 1_000);
      const id = Buffer.from(random(idBytes)).toString("hex");
      const token = await new SignJWT({ scopes, by: await seal(maker.id) })
        .setProtectedHeader({ alg: algorithm, typ: viewerTokenType })
        .setJti(id)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(key);
      if (token.length > tokenCharactersMax)
        throw new LastroError(
          "INVALID_ARGUMENT",
          `scope makes a token of more than ${tokenCharactersMax} characters: name less`,
          { field: "scope" },
        );
      return { id, token, expiresAtMs: expiresAt * 1_000, grants: scopes.map(reader) };
    },
    async read(token) {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [algorithm],
        typ: viewerTokenType,
        requiredClaims: ["exp", "iat", "jti"],
        currentDate: new Date(now()),
      }).catch((error: unknown) => {
        throw tokenFault(error) ?? error;
      });
      assertOfItsTime(payload, now());
      const { data } = Payload.safeParse(payload);
      if (data === undefined)
        throw unauthenticated("the viewer token is of another version of Lastro: make a new one");
      const grants = data.scopes.map(whole).map(reader);
      const lentBy = await opened(data.by);
      return { id: `viewer:${data.jti}`, kind: "viewer", lentBy, grants, untilMs: expiryOf(payload) };
    },
  };
}

/** Named in one event. */
const tenantsMax = 20;

/** What the making of a token is told as; owners, who are persons, are counted. */
export function lending({ id, expiresAtMs, grants }: ViewerToken): Act {
  const bounds = (name: "tenants" | "ownershipIds"): readonly string[] | undefined => {
    const lists = grants.map(({ scope }) => scope[name]);
    return lists.every((list) => list !== undefined) ? [...new Set(lists.flat())] : undefined;
  };
  const [tenants, owners] = [bounds("tenants"), bounds("ownershipIds")];
  return {
    type: "viewer_token.shared",
    id,
    detail: {
      expires_at: isoTime(expiresAtMs),
      personal: grants.some(({ scope }) => scope.personal),
      ...(tenants && { tenants: tenants.slice(0, tenantsMax) }),
      ...(owners && { owners: owners.length }),
    },
  };
}
