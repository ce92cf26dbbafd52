/** The token by which Vault lets Lastro in: from a file that others keep fresh, or by a login; renewed before it ends, made anew where that fails. */
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { LastroError } from "../../core/errors.ts";
import { untilAborted } from "../../lib/signals.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Ask } from "./ask.ts";

export type VaultLogin =
  | { readonly kind: "token"; readonly file: string }
  | {
      readonly kind: "approle";
      readonly mount: string;
      readonly roleId: string;
      readonly secretIdFile: string;
    }
  | { readonly kind: "jwt"; readonly mount: string; readonly role: string; readonly file: string };

export type VaultToken = {
  /** Those who want it while it is made or renewed share what comes. */
  current(signal: AbortSignal): Promise<string>;
  /** It was refused, of itself or for one place: it is given back, and the next one is another, if there is another. */
  forget(refused: string, signal: AbortSignal): Promise<void>;
  /** Ends a token that was made for this process, also one that is on its way; there is none afterwards. The signal ends the wait. */
  revoke(signal: AbortSignal): Promise<void>;
};

type Held = {
  readonly token: string;
  readonly ttlMs: number;
  readonly untilMs: number;
  readonly renewable: boolean;
};

const Granted = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.number(), renewable: z.boolean() }),
});
const Looked = z.object({ data: z.object({ ttl: z.number(), renewable: z.boolean().default(false) }) });

const invalid = (why: string): LastroError => new LastroError("CONFIG_INVALID", why);

/** `steadyNow` does not jump with the machine's clock. */
export function vaultToken(login: VaultLogin, ask: Ask, steadyNow: Clock): VaultToken {
  let held: Held | undefined;
  let coming: Promise<Held> | undefined;
  const closed = new AbortController();
  const holding = (token: string, ttlSeconds: number, renewable: boolean): Held => ({
    token,
    ttlMs: ttlSeconds * 1_000,
    untilMs: ttlSeconds === 0 ? Number.POSITIVE_INFINITY : steadyNow() + ttlSeconds * 1_000,
    renewable,
  });

  async function made(signal: AbortSignal): Promise<Held> {
    if (login.kind === "token") return looked(await textOf(login.file, "LASTRO_VAULT_TOKEN_FILE"), signal);
    const { path, body } = await requestOf(login);
    const { status, json } = await ask({ method: "POST", path, body }, signal);
    const granted = Granted.safeParse(json);
    if (status !== 200 || !granted.success)
      throw invalid(
        `Vault does not let Lastro in by ${path} (${status}): check the role and what it asks for`,
      );
    const { client_token: token, lease_duration: ttl, renewable } = granted.data.auth;
    return holding(token, ttl, renewable);
  }

  /** A token whose policies do not let it look itself up may still read: it is used as it is. */
  async function looked(token: string, signal: AbortSignal): Promise<Held> {
    const { json } = await ask({ method: "GET", path: "auth/token/lookup-self", token }, signal);
    const { data } = Looked.safeParse(json);
    return holding(token, data?.data.ttl ?? 0, data?.data.renewable ?? false);
  }

  /** Undefined where Vault does not prolong it. */
  async function renewed({ token, renewable }: Held, signal: AbortSignal): Promise<Held | undefined> {
    if (!renewable) return undefined;
    const { json } = await ask({ method: "POST", path: "auth/token/renew-self", token, body: {} }, signal);
    const { data } = Granted.safeParse(json);
    return data && holding(token, data.auth.lease_duration, data.auth.renewable);
  }

  const isFresh = ({ untilMs, ttlMs }: Held): boolean => untilMs - steadyNow() > ttlMs / 2;

  async function replaced(old: Held, signal: AbortSignal): Promise<Held> {
    const next = await renewed(old, signal);
    // At the end of its longest life a renewal gives ever less.
    if (next !== undefined && (login.kind === "token" || next.ttlMs >= old.ttlMs / 2)) return next;
    return made(signal);
  }

  /** Not cut short by one who asked: a login that was cut short may have made a token all the same. */
  async function another(): Promise<Held> {
    try {
      held = await (held === undefined ? made(closed.signal) : replaced(held, closed.signal));
      return held;
    } finally {
      coming = undefined;
    }
  }

  async function forget(token: string, signal: AbortSignal): Promise<void> {
    if (held?.token !== token) return;
    held = undefined;
    if (login.kind === "token") return;
    await ask({ method: "POST", path: "auth/token/revoke-self", token, body: {} }, signal);
  }

  return {
    forget,
    async current(signal) {
      signal.throwIfAborted();
      if (login.kind === "token" && held?.token !== (await textOf(login.file, "LASTRO_VAULT_TOKEN_FILE")))
        held = undefined;
      if (held !== undefined && isFresh(held)) return held.token;
      coming ??= another();
      return (await untilAborted(coming, signal)).token;
    },
    async revoke(signal) {
      await untilAborted(Promise.allSettled([coming]), signal).catch(() => undefined);
      closed.abort(new LastroError("SECRETS_UNAVAILABLE", "Vault's token was given back"));
      if (held !== undefined) await forget(held.token, signal);
    },
  };
}

async function requestOf(login: Exclude<VaultLogin, { kind: "token" }>) {
  const path = `auth/${login.mount}/login`;
  if (login.kind === "jwt")
    return { path, body: { role: login.role, jwt: await textOf(login.file, "LASTRO_VAULT_JWT_FILE") } };
  const secret = await textOf(login.secretIdFile, "LASTRO_VAULT_SECRET_ID_FILE");
  return { path, body: { role_id: login.roleId, secret_id: secret } };
}

/** Read anew each time: who keeps it fresh replaces it. */
async function textOf(path: string, variable: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new LastroError("CONFIG_INVALID", `${variable} names a file that cannot be read`, { cause });
  });
  const trimmed = text.trim();
  // It becomes a header.
  if (/^[!-~]{1,65536}$/.test(trimmed)) return trimmed;
  throw invalid(`${variable} names a file that holds no token`);
}
