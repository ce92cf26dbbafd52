/** The part of the composition root that finds the configuration: the environment, files, and secrets that lie in Vault. */
import { readFileSync } from "node:fs";
import { type Config, type ConfigResult, parseConfig } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import type { SecretReference } from "./core/secret-reference.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { SecretSource } from "./ports/secret-source.ts";
import type { Environment } from "./variables-given.ts";

type Around = { readonly steadyNow: Clock; readonly random: Randomness };

const readText = (path: string): string => readFileSync(path, "utf8");

/** Finds every fault at once. Throws SECRETS_UNAVAILABLE while Vault does not answer. */
export async function loadConfig(
  env: Environment,
  around: Around,
  signal: AbortSignal,
): Promise<ConfigResult> {
  const parsed = parseConfig(env, readText);
  if (!parsed.ok || parsed.unread.size === 0) return parsed;
  const source = await openSecrets(parsed.config, around);
  try {
    const read = await readAll(source, parsed.unread, signal);
    return read.errors.length > 0
      ? { ok: false, errors: read.errors }
      : parseConfig(env, readText, read.secrets);
  } finally {
    await source.close();
  }
}

/** Throws CONFIG_INVALID where no Vault is configured. Vault's client is loaded where it is needed. */
export async function openSecrets({ vault }: Pick<Config, "vault">, around: Around): Promise<SecretSource> {
  if (vault === undefined) throw new LastroError("CONFIG_INVALID", "LASTRO_VAULT_ADDR must be set");
  const { openVault } = await import("./adapters/vault/secret-source.ts");
  return openVault(vault, around);
}

async function readAll(
  source: SecretSource,
  references: ReadonlyMap<string, SecretReference>,
  signal: AbortSignal,
): Promise<{ readonly secrets: ReadonlyMap<string, string>; readonly errors: readonly string[] }> {
  const secrets = new Map<string, string>();
  const errors: string[] = [];
  for (const [name, reference] of references) {
    try {
      secrets.set(name, await source.read(reference, signal));
    } catch (error) {
      if (!(error instanceof LastroError)) throw error;
      const message = `${name}: ${error.message}`;
      if (error.code !== "CONFIG_INVALID") throw new LastroError(error.code, message, { cause: error });
      errors.push(message);
    }
  }
  return { secrets, errors };
}
