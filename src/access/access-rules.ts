/** The access file: which services there are, and what is granted to whom. Checked as a whole, all faults at once. */
import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import * as z from "zod";
import { type Grant, roles, type Scope } from "../core/caller.ts";
import { algorithmsOf } from "./key-algorithms.ts";

const nameCharactersMax = 256;
const listMax = 1_000;
const bindingsMax = 1_000;
const servicesMax = 1_000;
const keysMax = 8;

const name = z.string().min(1).max(nameCharactersMax);
const list = z.array(name).max(listMax);
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

function publicKey(given: string | Record<string, unknown>): KeyObject | undefined {
  // Node takes the public half of a private key; here a private key is a mistake to be told.
  const isPrivate = typeof given === "string" ? given.includes("PRIVATE") : "d" in given || "k" in given;
  if (isPrivate) return undefined;
  try {
    return typeof given === "string"
      ? createPublicKey(given)
      : createPublicKey({ key: given as JsonWebKey, format: "jwk" });
  } catch {
    return undefined;
  }
}

const Key = z.union([z.string(), z.record(z.string(), z.unknown())]).transform((given, context) => {
  const key = publicKey(given);
  if (key !== undefined && algorithmsOf(key).length > 0) return key;
  context.addIssue(
    "must be a public key (JWK or PEM): Ed25519, EC P-256, P-384, P-521, or RSA of 2,048 bits or more",
  );
  return z.NEVER;
});

const Service = z.strictObject({
  keys: z.array(Key).max(keysMax).default([]),
  certificates: z.array(z.string().regex(/^(?:URI|DNS|email|IP Address):[^\s",]+$/, "must be a name such as DNS:billing.internal or URI:spiffe://acme/billing")).max(keysMax).default([]),
}); // biome-ignore format: one line a field

const ScopeOfFile = z
  .strictObject({
    tenants: list.optional(),
    producer_services: list.optional(),
    entity_types: list.optional(),
    ownership_ids: list.optional(),
    from: time.optional(),
    to: time.optional(),
    personal: z.boolean().default(false),
  })
  .transform(
    (scope): Scope => ({
      tenants: scope.tenants,
      producerServices: scope.producer_services,
      entityTypes: scope.entity_types,
      ownershipIds: scope.ownership_ids,
      fromMs: scope.from,
      toMs: scope.to,
      personal: scope.personal,
    }),
  );

const Who = z.union(
  [
    z.strictObject({ claim: z.string().regex(/^(?:\/[^/]{1,256}){1,8}$/), value: name }),
    z.strictObject({ subject: name }),
    z.strictObject({ service: name }),
  ],
  "must be one of {claim, value}, {subject}, {service}; a claim is a JSON pointer such as /realm_access/roles",
);

const AccessFile = z
  .strictObject({
    version: z.literal(1),
    services: z
      .record(name, Service)
      .refine((services) => Object.keys(services).length <= servicesMax, `more than ${servicesMax} services`)
      .default({}),
    bindings: z
      .array(z.strictObject({ who: Who, roles: z.array(z.enum(roles)).min(1), scope: ScopeOfFile }))
      .max(bindingsMax),
  })
  .superRefine(({ services, bindings }, context) => {
    for (const [at, { who }] of bindings.entries())
      if ("service" in who && !Object.hasOwn(services, who.service))
        context.addIssue({
          code: "custom",
          path: ["bindings", at, "who", "service"],
          message: "names no service of this file",
        });
    const names = Object.values(services).flatMap(({ certificates }) => certificates);
    for (const twice of names.filter((one, at) => names.indexOf(one) !== at))
      context.addIssue({
        code: "custom",
        path: ["services"],
        message: `two services have the certificate name ${twice}`,
      });
  });

export type Service = { readonly keys: readonly KeyObject[] };
export type Who = z.output<typeof Who>;
export type Binding = { readonly who: Who; readonly grants: readonly Grant[] };
export type AccessRules = {
  readonly services: ReadonlyMap<string, Service>;
  /** By name of a certificate. */
  readonly serviceOf: ReadonlyMap<string, string>;
  readonly bindings: readonly Binding[];
};

export type AccessRulesResult =
  | { readonly ok: true; readonly rules: AccessRules }
  /** One sentence per fault, each with its place. */
  | { readonly ok: false; readonly errors: readonly string[] };

export function parseAccessRules(text: string): AccessRulesResult {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, errors: ["it is no JSON"] };
  }
  const { data, error } = AccessFile.safeParse(json);
  if (data === undefined)
    return {
      ok: false,
      errors: (error?.issues ?? []).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`),
    };
  const services = Object.entries(data.services);
  return {
    ok: true,
    rules: {
      services: new Map(services),
      serviceOf: new Map(
        services.flatMap(([service, { certificates }]) => certificates.map((one) => [one, service])),
      ),
      bindings: data.bindings.map(({ who, roles: granted, scope }) => ({
        who,
        grants: granted.map((role) => ({ role, scope })),
      })),
    },
  };
}
