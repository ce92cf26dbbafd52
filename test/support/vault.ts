/** A real Vault (OpenBao unless another is on the PATH) with what tests want of it. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startVault } from "../../deploy/local/servers.mjs";
import { openVault, type VaultOptions } from "../../src/adapters/vault/secret-source.ts";
import type { SecretSource } from "../../src/ports/secret-source.ts";

type Json = Readonly<Record<string, unknown>>;
export type TestVault = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly rootToken: string;
  /** As root, within a namespace if one is given; throws unless it succeeds. */
  ask(method: "GET" | "POST" | "DELETE", path: string, body?: Json, namespace?: string): Promise<Json>;
  /** A file with that text. */
  tokenFile(name: string, token: string): string;
  /** A token that may read `paths`. */
  token(paths: readonly string[], options?: Json): Promise<string>;
  stop(): Promise<void>;
};

export async function startTestVault(): Promise<TestVault> {
  const rootToken = `root-${randomBytes(12).toString("hex")}`;
  const folder = mkdtempSync(join(tmpdir(), "lastro-vault-"));
  const server = await startVault({ dir: folder, rootToken, log: console.warn });
  const ask: TestVault["ask"] = async (method, path, body, namespace) => {
    const headers = { "x-vault-token": rootToken, ...(namespace && { "x-vault-namespace": namespace }) };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${server.url}/v1/${path}`, { method, headers, ...sent });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : JSON.parse(text);
  };
  return {
    url: server.url,
    port: server.port,
    folder,
    rootToken,
    ask,
    tokenFile(name, token) {
      const path = join(folder, name);
      writeFileSync(path, `${token}\n`, { mode: 0o600 });
      return path;
    },
    async token(paths, options = {}) {
      const name = `reads-${randomBytes(6).toString("hex")}`;
      await ask("POST", `sys/policies/acl/${name}`, { policy: policyOf(paths) });
      const made = await ask("POST", "auth/token/create", { policies: [name], ...options });
      return (made as { auth: { client_token: string } }).auth.client_token;
    },
    stop: () => server.stop(),
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const policyOf = (paths: readonly string[]): string =>
  paths.map((path) => `path "${path}" { capabilities = ["read"] }`).join("\n");

export const vaultSource = (
  options: Partial<VaultOptions> & Pick<VaultOptions, "address" | "login">,
  steadyNow = (): number => performance.now(),
): SecretSource =>
  openVault(
    { namespace: undefined, caFile: undefined, timeoutMs: 2_000, ...options },
    { steadyNow, random: randomBytes },
  );

/** A role that may read `paths`, and the way in by it. */
export async function appRole(vault: TestVault, paths: readonly string[], ttl = "1h") {
  const role = `lastro-${randomBytes(4).toString("hex")}`;
  await vault.ask("POST", "sys/auth/approle", { type: "approle" }).catch(() => undefined);
  await vault.ask("POST", `sys/policies/acl/${role}`, { policy: policyOf(paths) });
  await vault.ask("POST", `auth/approle/role/${role}`, { token_policies: [role], token_ttl: ttl });
  const id = (await vault.ask("GET", `auth/approle/role/${role}/role-id`)) as { data: { role_id: string } };
  const made = (await vault.ask("POST", `auth/approle/role/${role}/secret-id`, {})) as {
    data: { secret_id: string };
  };
  const secretIdFile = vault.tokenFile(`${role}.secret`, made.data.secret_id);
  return {
    role,
    accessors: () => accessorsOf(vault, role),
    login: { kind: "approle", mount: "approle", roleId: id.data.role_id, secretIdFile } as const,
  };
}

/** Of the tokens that were made by the role and still live. */
async function accessorsOf(vault: TestVault, role: string): Promise<readonly string[]> {
  const { data } = (await vault.ask("GET", "auth/token/accessors?list=true")) as { data: { keys: string[] } };
  const all = await Promise.all(
    data.keys.map((accessor) =>
      vault.ask("POST", "auth/token/lookup-accessor", { accessor }).catch(() => undefined),
    ),
  );
  return all.flatMap((one) => {
    const { meta, accessor } =
      (one as { data: { meta?: { role_name?: string }; accessor: string } } | undefined)?.data ?? {};
    return meta?.role_name === role && accessor ? [accessor] : [];
  });
}
