/** Who asks, and what was granted to them. Page tokens are bound to `id`. */

export const roles = ["reader", "auditor", "dpo", "operator", "admin", "producer"] as const;
export type Role = (typeof roles)[number];

/** Where a grant holds. A list that is undefined does not bound; an empty one bounds to nothing. Times are ms since the epoch, of `recorded_at`; `from` inclusive, `to` exclusive. */
export type Scope = {
  readonly tenants: readonly string[] | undefined;
  readonly producerServices: readonly string[] | undefined;
  readonly entityTypes: readonly string[] | undefined;
  readonly ownershipIds: readonly string[] | undefined;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Whether personal fields and bodies are shown; else they are masked. */
  readonly personal: boolean;
};

export type Grant = { readonly role: Role; readonly scope: Scope };

export type Caller = {
  /** Stable over sessions: `anonymous`, `person:<issuer>#<sub>`, `service:<name>`, `viewer:<token id>`. Never shown to other callers. */
  readonly id: string;
  readonly kind: "anonymous" | "person" | "service" | "viewer";
  /** Of a viewer: the id of who made its token. */
  readonly lentBy?: string;
  readonly grants: readonly Grant[];
  /** What is granted now, for calls that last; undefined: as long as the identity holds it stays as it is. */
  readonly grantsNow?: () => readonly Grant[];
  /** When the token or certificate expires that said so, ms since the epoch; undefined: none did. */
  readonly untilMs?: number;
};

/** Under which name a caller's calls are counted. Whoever makes viewer tokens makes as many as they like: all that one caller made count as one. */
export const countedAs = ({ id, lentBy }: Caller): string =>
  lentBy === undefined ? id : `viewers of ${lentBy}`;

/** Bounds nothing, and shows persons. */
export const everywhere: Scope = {
  tenants: undefined,
  producerServices: undefined,
  entityTypes: undefined,
  ownershipIds: undefined,
  fromMs: undefined,
  toMs: undefined,
  personal: true,
};

/** The one caller while LASTRO_AUTH is none, which is accepted on loopback only. */
export const anyone: Caller = {
  id: "anonymous",
  kind: "anonymous",
  grants: roles.map((role) => ({ role, scope: everywhere })),
};
