/** HashiCorp Vault, or OpenBao: secrets of its key/value engines, version 1 and 2, and of others that answer a read alike. */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { LastroError } from "../../core/errors.ts";
import { formatSecretReference, type SecretReference } from "../../core/secret-reference.ts";
import type { Clock, Randomness } from "../../ports/clock.ts";
import type { SecretSource } from "../../ports/secret-source.ts";
import { type Answer, vaultAsk } from "./ask.ts";
import { type VaultLogin, vaultToken } from "./token.ts";

export type VaultOptions = {
  readonly address: string;
  readonly namespace: string | undefined;
  readonly caFile: string | undefined;
  readonly timeoutMs: number;
  readonly login: VaultLogin;
};

const closeMsMax = 1_000;
const secretCharactersMax = 65_536;

const Fields = z.record(z.string(), z.unknown());
const Version1 = z.object({ data: Fields });
/** As version 1 it would be a secret of these very fields. */
const Version2 = z.object({
  data: z.strictObject({
    data: Fields.nullable(),
    metadata: z.looseObject({ version: z.number(), created_time: z.string() }),
  }),
});

/** Throws CONFIG_INVALID. */
export function openVault(
  { caFile, login, ...server }: VaultOptions,
  { steadyNow, random }: { readonly steadyNow: Clock; readonly random: Randomness },
): SecretSource {
  const ask = vaultAsk({ ...server, ca: readRoots(caFile) }, random);
  const token = vaultToken(login, ask, steadyNow);
  const answerTo = ({ path }: SecretReference, by: string, signal: AbortSignal): Promise<Answer> =>
    ask({ method: "GET", path, token: by }, signal);
  return {
    async read(reference, signal) {
      const by = await token.current(signal);
      const first = await answerTo(reference, by, signal);
      if (first.status !== 403) return textIn(first, reference);
      // It may have been revoked before its time.
      await token.forget(by, signal);
      return textIn(await answerTo(reference, await token.current(signal), signal), reference);
    },
    async keep(signal) {
      await token.current(signal);
    },
    close: () => token.revoke(AbortSignal.timeout(closeMsMax)).catch(() => undefined),
  };
}

function readRoots(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, "utf8");
  } catch (cause) {
    throw new LastroError("CONFIG_INVALID", "LASTRO_VAULT_CA_FILE names a file that cannot be read", {
      cause,
    });
  }
}

function textIn({ status, json }: Answer, reference: SecretReference): string {
  const refuse = (why: string): never => {
    throw new LastroError("CONFIG_INVALID", `${formatSecretReference(reference)} ${why}`);
  };
  if (status === 403) return refuse("is denied: the policy of Lastro's token must allow `read` of that path");
  if (status === 404)
    return refuse(
      "is not there or was deleted; in a key/value engine of version 2, `data` follows the mount: secret/data/…",
    );
  if (status >= 300 && status < 400)
    return refuse("is answered by another node: let LASTRO_VAULT_ADDR name the active one");
  if (status !== 200) return refuse(`cannot be read: Vault answers ${status}`);
  const fields = Version2.safeParse(json).data?.data.data ?? Version1.safeParse(json).data?.data;
  const value =
    fields !== undefined && Object.hasOwn(fields, reference.field) ? fields[reference.field] : undefined;
  if (value === undefined) return refuse("names a field that the secret does not have");
  if (typeof value !== "string" || value === "" || value.length > secretCharactersMax)
    return refuse("is not a text");
  return value.replace(/\r?\n$/, "");
}
