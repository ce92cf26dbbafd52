/** Variables of secrets that lie in Vault, and of how Lastro is let in there. */
import * as z from "zod";
import { providerUrl } from "./config-access.ts";
import { minute, number, optional, type Rule, second, text } from "./config-variable.ts";
import { parseSecretReference, secretReferenceForm } from "./core/secret-reference.ts";

const pathPart = z
  .string()
  .regex(
    /^[\w-]{1,128}(?:\/[\w-]{1,128}){0,8}$/,
    "must be letters, digits, _ and -, parts of it separated by /",
  );
/** It is shown and stands in messages. */
const isBare = (url: string): boolean => {
  if (!URL.canParse(url)) return false;
  const { username, password, search, hash } = new URL(url);
  return username + password + search + hash === "";
};
const vaultAddress = providerUrl.refine(isBare, "must have no user, password, query or fragment");
const headerText = z.string().regex(/^[!-~]{1,256}$/, "must be visible characters without space");
const reference = z.string().transform((given, context) => {
  const parsed = parseSecretReference(given);
  if (parsed !== undefined) return parsed;
  context.addIssue(`must be ${secretReferenceForm}`);
  return z.NEVER;
});

// biome-ignore format: a table
export const vaultVariables = {
  LASTRO_KEY_RING: optional(reference, { description: "Key ring in Vault, in place of LASTRO_KEY_RING_FILE: `vault:<path>#<field>`", defaultText: "none: the file" }),
  LASTRO_VAULT_ADDR: optional(vaultAddress, { description: "Vault, or OpenBao, where secrets written as `vault:<path>#<field>` lie", defaultText: "none" }),
  LASTRO_VAULT_NAMESPACE: optional(headerText, { description: "Namespace of Vault", defaultText: "none" }),
  LASTRO_VAULT_CA_FILE: optional(text, { description: "Root certificates (PEM) that Vault's must lead to", defaultText: "those of Node" }),
  LASTRO_VAULT_TOKEN_FILE: optional(text, { description: "Way in: file with a token, read anew each time", defaultText: "none" }),
  LASTRO_VAULT_ROLE_ID: optional(headerText, { description: "Way in by AppRole: id of the role", defaultText: "none" }),
  LASTRO_VAULT_SECRET_ID_FILE: optional(text, { description: "File with its secret id; it must be good for more than one login", defaultText: "none" }),
  LASTRO_VAULT_JWT_ROLE: optional(headerText, { description: "Way in by a token of Kubernetes, or another JWT: the role", defaultText: "none" }),
  LASTRO_VAULT_JWT_FILE: optional(text, { description: "File with that token", defaultText: "/var/run/secrets/kubernetes.io/serviceaccount/token" }),
  LASTRO_VAULT_LOGIN_MOUNT: optional(pathPart, { description: "Where the method of the login is mounted", defaultText: "approle, or kubernetes" }),
  LASTRO_VAULT_TIMEOUT_MS: number(100, minute, 5 * second, "ms", "Longest wait for one answer of Vault; an answer is tried for five times"),
};

const Known = z.object({ ...vaultVariables, LASTRO_KEY_RING_FILE: z.string().optional() });
type Values = z.output<typeof Known>;

const ways = ["LASTRO_VAULT_TOKEN_FILE", "LASTRO_VAULT_ROLE_ID", "LASTRO_VAULT_JWT_ROLE"] as const;
const waysIn = (v: Values): number => ways.filter((name) => v[name] !== undefined).length;

export const vaultRules: readonly Rule<Values>[] = [
  {
    about: ["LASTRO_KEY_RING", "LASTRO_VAULT_ADDR"],
    holds: (v) => v.LASTRO_KEY_RING === undefined || v.LASTRO_VAULT_ADDR !== undefined,
    otherwise: "needs LASTRO_VAULT_ADDR",
  },
  {
    about: ["LASTRO_KEY_RING", "LASTRO_KEY_RING_FILE"],
    holds: (v) => v.LASTRO_KEY_RING === undefined || v.LASTRO_KEY_RING_FILE === undefined,
    otherwise: "and LASTRO_KEY_RING_FILE must not be set together: unset one",
  },
  {
    about: ["LASTRO_VAULT_ADDR", ...ways],
    holds: (v) => waysIn(v) === (v.LASTRO_VAULT_ADDR === undefined ? 0 : 1),
    otherwise: `and exactly one way in must be set together: ${ways.join(", ")}`,
  },
  {
    about: ["LASTRO_VAULT_ROLE_ID", "LASTRO_VAULT_SECRET_ID_FILE"],
    holds: (v) => (v.LASTRO_VAULT_ROLE_ID === undefined) === (v.LASTRO_VAULT_SECRET_ID_FILE === undefined),
    otherwise: "and LASTRO_VAULT_SECRET_ID_FILE must be set together",
  },
];

const kubernetesTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";

function loginOf(v: Values) {
  const mount = v.LASTRO_VAULT_LOGIN_MOUNT;
  const { LASTRO_VAULT_ROLE_ID: roleId, LASTRO_VAULT_SECRET_ID_FILE: secretIdFile } = v;
  if (roleId !== undefined && secretIdFile !== undefined)
    return { kind: "approle", mount: mount ?? "approle", roleId, secretIdFile } as const;
  if (v.LASTRO_VAULT_JWT_ROLE !== undefined) {
    const file = v.LASTRO_VAULT_JWT_FILE ?? kubernetesTokenFile;
    return { kind: "jwt", mount: mount ?? "kubernetes", role: v.LASTRO_VAULT_JWT_ROLE, file } as const;
  }
  return { kind: "token", file: v.LASTRO_VAULT_TOKEN_FILE ?? "" } as const;
}

export const vaultShape = (v: Values) => ({
  /** Undefined: no secret lies in Vault. */
  vault:
    v.LASTRO_VAULT_ADDR === undefined
      ? undefined
      : {
          address: v.LASTRO_VAULT_ADDR,
          namespace: v.LASTRO_VAULT_NAMESPACE,
          caFile: v.LASTRO_VAULT_CA_FILE,
          timeoutMs: v.LASTRO_VAULT_TIMEOUT_MS,
          login: loginOf(v),
        },
});
