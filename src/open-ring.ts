/** The part of the composition root that opens the key ring: a file, or a secret of Vault. */
import { openKeyRing } from "./adapters/files/key-ring.ts";
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import { jsonIn } from "./core/json.ts";
import { KeyRingText, keyRingBy } from "./core/key-ring.ts";
import { formatSecretReference, type SecretReference } from "./core/secret-reference.ts";
import { openSecrets } from "./load-config.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { KeyRing } from "./ports/key-ring.ts";
import type { SecretSource } from "./ports/secret-source.ts";

type Around = {
  /** Whether a ring is made where none is; never in Vault, which Lastro only reads. */
  readonly create: boolean;
  readonly random: Randomness;
  readonly steadyNow: Clock;
};

/** A token is renewed in the second half of its life; this often it is looked at. */
const keepMs = 5_000;

/** What it is let in by is given back when `opened` is disposed; the ring is not read anew from then on. */
export async function openRing(
  { keys, vault }: Pick<Config, "keys" | "vault">,
  { create, random, steadyNow }: Around,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<KeyRing> {
  const { ringFile, ringSecret } = keys;
  if (ringSecret === undefined) return openKeyRing({ path: ringFile, create, random });
  const source = opened.adopt(await openSecrets({ vault }, { random, steadyNow }), (open) => open.close());
  const ring = await keyRingBy(() => readRing(source, ringSecret, signal));
  // What it says of a failure is said again by the next refresh of the ring.
  const keep = (): void => void source.keep(signal).catch(() => undefined);
  opened.adopt(setInterval(keep, keepMs).unref(), clearInterval);
  return ring;
}

async function readRing(source: SecretSource, reference: SecretReference, signal: AbortSignal) {
  const text = await source.read(reference, signal).catch((error: unknown) => {
    if (!(error instanceof LastroError)) throw error;
    throw new LastroError(
      error.code === "CONFIG_INVALID" ? "KEY_MISSING" : error.code,
      `the key ring of LASTRO_KEY_RING cannot be read: ${error.message}. Lastro makes none there: docs/keys.md has the command`,
      { cause: error },
    );
  });
  const parsed = KeyRingText.safeParse(jsonIn(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const why = `${issue?.path.join(".") || "it"}: ${issue?.message ?? "is invalid"}`;
  throw new LastroError(
    "CONFIG_INVALID",
    `the key ring ${formatSecretReference(reference)} cannot be used: ${why}`,
  );
}
