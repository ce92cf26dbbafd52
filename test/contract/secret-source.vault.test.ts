/** Secrets in a real Vault: both versions of its key/value engine, each way in, and what goes wrong on the way. */
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { exportSPKI, generateKeyPair, SignJWT } from "jose";
import type { VaultLogin } from "../../src/adapters/vault/token.ts";
import type { SecretSource } from "../../src/ports/secret-source.ts";
import { openAuthority } from "../support/certificates.ts";
import { openLink } from "../support/link.ts";
import { tlsInFrontOf } from "../support/tls-in-front.ts";
import { appRole, policyOf, startTestVault, type TestVault, vaultSource } from "../support/vault.ts";
import { secretSourceContract } from "./secret-source.contract.ts";

const { signal } = new AbortController();
const field = "redis_url";
const place = { path: "secret/data/lastro", field };
let vault: TestVault;
beforeAll(async () => {
  vault = await startTestVault();
  await vault.ask("POST", "sys/mounts/kv1", { type: "kv", options: { version: "1" } });
  await vault.ask("POST", place.path, { data: { [field]: "rediss://one" } });
}, 180_000);
afterAll(async () => vault[Symbol.asyncDispose]());

const byToken = async (paths: readonly string[], options = {}): Promise<VaultLogin> => ({
  kind: "token",
  file: vault.tokenFile(randomBytes(6).toString("hex"), await vault.token(paths, options)),
});
const sourceOf = (login: VaultLogin): SecretSource => vaultSource({ address: vault.url, login });

describe("key/value engine of version 2", () => {
  secretSourceContract(async () => {
    const path = `secret/data/${randomBytes(6).toString("hex")}`;
    return {
      source: sourceOf(await byToken([path, "secret/data/nowhere"])),
      place: { path, field },
      put: async (fields) => void (await vault.ask("POST", path, { data: fields })),
      nowhere: { path: "secret/data/nowhere", field },
    };
  });

  test("R-13 a version that was deleted is not there", async () => {
    const path = "secret/data/deleted";
    await vault.ask("POST", path, { data: { [field]: "x" } });
    await vault.ask("DELETE", path);
    const source = sourceOf(await byToken([path]));
    await expect(source.read({ path, field }, signal)).rejects.toThrow(/not there or was deleted/);
  });
});

describe("key/value engine of version 1", () => {
  secretSourceContract(async () => {
    const path = `kv1/${randomBytes(6).toString("hex")}`;
    return {
      source: sourceOf(await byToken([path, "kv1/nowhere"])),
      place: { path, field },
      put: async (fields) => void (await vault.ask("POST", path, fields)),
      nowhere: { path: "kv1/nowhere", field },
    };
  });
});

describe("ways in", () => {
  test("R-13 a token that may not read the place is told so, by the place and by what mends it", async () => {
    const source = sourceOf(await byToken(["secret/data/other"]));
    await expect(source.read(place, signal)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^vault:secret\/data\/lastro#redis_url is denied: .*`read`/),
    });
  });

  test("R-13 the file with the token is read anew: what somebody renews there counts", async () => {
    const login = await byToken([place.path]);
    if (login.kind !== "token") throw new Error("no file");
    const source = sourceOf(login);
    expect(await source.read(place, signal)).toBe("rediss://one");
    const next = await vault.token([place.path]);
    await vault.ask("POST", "auth/token/revoke", { token: readFileSync(login.file, "utf8").trim() });
    await expect(source.read(place, signal)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    vault.tokenFile(basename(login.file), next);
    expect(await source.read(place, signal)).toBe("rediss://one");
    rmSync(login.file);
    await expect(source.read(place, signal)).rejects.toThrow(/^LASTRO_VAULT_TOKEN_FILE names a file/);
  });

  test("R-13 a token is renewed in the second half of its life", async () => {
    const login = await byToken([place.path], { ttl: "40s", period: "40s" });
    if (login.kind !== "token") throw new Error("no file");
    let nowMs = 0;
    const source = vaultSource({ address: vault.url, login }, () => nowMs);
    await source.keep(signal);
    const told = async () =>
      vault.ask("POST", "auth/token/lookup", { token: readFileSync(login.file, "utf8").trim() });
    const renewedAt = async () =>
      ((await told()) as { data: { last_renewal_time?: number } }).data.last_renewal_time;
    await source.keep(signal);
    expect(await renewedAt()).toBeUndefined();
    nowMs = 21_000;
    await source.keep(signal);
    expect(await renewedAt()).toBeGreaterThan(0);
  });

  test("R-13 AppRole lets Lastro in, and in again once its token was revoked; what is closed is given back", async () => {
    const { login, accessors } = await appRole(vault, [place.path]);
    const source = sourceOf(login);
    expect(await source.read(place, signal)).toBe("rediss://one");
    const [accessor] = await accessors();
    await vault.ask("POST", "auth/token/revoke-accessor", { accessor });
    expect(await source.read(place, signal)).toBe("rediss://one");
    expect(await accessors()).toHaveLength(1);
    await source.close();
    expect(await accessors()).toEqual([]);
  });

  test("R-13 a place that is denied leaves one token alone, however often it is read", async () => {
    const { login, accessors } = await appRole(vault, ["secret/data/other"]);
    const source = sourceOf(login);
    for (let reading = 0; reading < 3; reading++)
      await expect(source.read(place, signal)).rejects.toThrow(/is denied/);
    expect(await accessors()).toHaveLength(1);
    await source.close();
    expect(await accessors()).toEqual([]);
  });

  test("R-13 a login that Vault refuses names the method and shows nothing of the secret id", async () => {
    const { login } = await appRole(vault, [place.path]);
    const secretIdFile = vault.tokenFile("wrong", "00000000-hunter2");
    const error = await sourceOf({ ...login, secretIdFile })
      .read(place, signal)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("auth/approle/login (400)"),
    });
    expect(String(error)).not.toContain("hunter2");
  });

  test("R-13 a signed token lets Lastro in as Kubernetes' do: by a role, from a file that is read at each login", async () => {
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    await vault.ask("POST", "sys/auth/kubernetes", { type: "jwt" });
    await vault.ask("POST", "auth/kubernetes/config", {
      jwt_validation_pubkeys: [await exportSPKI(publicKey)],
    });
    await vault.ask("POST", "sys/policies/acl/by-jwt", { policy: policyOf([place.path]) });
    await vault.ask("POST", "auth/kubernetes/role/lastro", {
      role_type: "jwt",
      bound_audiences: ["vault"],
      bound_subject: "system:serviceaccount:audit:lastro",
      user_claim: "sub",
      token_policies: ["by-jwt"],
    });
    const signed = (sub: string) =>
      new SignJWT({ sub, aud: "vault" })
        .setProtectedHeader({ alg: "RS256" })
        .setIssuedAt()
        .setExpirationTime("5m")
        .sign(privateKey);
    const file = vault.tokenFile("jwt", await signed("system:serviceaccount:audit:other"));
    const source = sourceOf({ kind: "jwt", mount: "kubernetes", role: "lastro", file });
    await expect(source.read(place, signal)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    vault.tokenFile("jwt", await signed("system:serviceaccount:audit:lastro"));
    expect(await source.read(place, signal)).toBe("rediss://one");
  });

  test("R-13 secrets of a namespace are read in it alone", async () => {
    await vault.ask("POST", "sys/namespaces/payments", {});
    await vault.ask("POST", "sys/mounts/secret", { type: "kv", options: { version: "2" } }, "payments");
    await vault.ask("POST", place.path, { data: { [field]: "rediss://payments" } }, "payments");
    const login = { kind: "token", file: vault.tokenFile("root", vault.rootToken) } as const;
    const within = vaultSource({ address: vault.url, namespace: "payments", login });
    expect(await within.read(place, signal)).toBe("rediss://payments");
    expect(await sourceOf(login).read(place, signal)).toBe("rediss://one");
  });

  test("R-13 its certificate must lead to the roots that are given", async () => {
    using root = await openAuthority();
    using others = await openAuthority("others.test");
    const { hostname, port } = new URL(vault.url);
    await using tls = await tlsInFrontOf(
      { hostname, port },
      await root.certify("vault", { san: "IP:127.0.0.1" }),
    );
    const [address, login] = [`https://${tls.address}`, await byToken([place.path])];
    expect(await vaultSource({ address, login, caFile: root.caFile }).read(place, signal)).toBe(
      "rediss://one",
    );
    const misled = vaultSource({ address, login, caFile: others.caFile }).read(place, signal);
    await expect(misled).rejects.toMatchObject({
      code: "SECRETS_UNAVAILABLE",
      message: expect.stringMatching(/UNABLE_TO_VERIFY|CERT/),
    });
  });
});

describe("on the way", () => {
  test("R-13 an answer that does not come is asked for again, and comes", async () => {
    await using link = await openLink(vault.port);
    const source = vaultSource({ address: `http://${link.address}`, login: await byToken([place.path]) });
    expect(await source.read(place, signal)).toBe("rediss://one");
    const cut = link.cutAnswer(Buffer.from(place.path));
    const read = source.read(place, signal);
    await cut;
    expect(await read).toBe("rediss://one");
  });

  test("R-13 a Vault that is silent is given up after a bounded number of tries, by its address", async () => {
    await using link = await openLink(vault.port);
    const source = vaultSource({
      address: `http://${link.address}`,
      login: await byToken([place.path]),
      timeoutMs: 100,
    });
    await link.become({ holds: "replies" });
    await expect(source.read(place, signal)).rejects.toMatchObject({
      code: "SECRETS_UNAVAILABLE",
      message: `Vault at http://${link.address} did not answer (it took too long)`,
    });
  });

  test("R-13 who wants a token while a slow Vault makes it shares it: what has expired costs one login", async () => {
    await using link = await openLink(vault.port);
    const { login, accessors } = await appRole(vault, [place.path]);
    let nowMs = 0;
    const source = vaultSource({ address: `http://${link.address}`, login, timeoutMs: 20_000 }, () => nowMs);
    await source.keep(signal);
    const [first] = await accessors();
    await vault.ask("POST", "auth/token/revoke-accessor", { accessor: first });
    nowMs = 3_600_001;
    const isAsked = link.hold(Buffer.from("auth/approle/login"));
    const asked = [source.keep(signal), source.read(place, signal), source.keep(signal)];
    await isAsked;
    asked.push(source.keep(signal));
    await link.become({});
    await Promise.all(asked);
    expect(await accessors()).toHaveLength(1);
    await source.close();
  });

  test("R-13 a login that is under way when all ends is given back, too, and none is begun afterwards", async () => {
    await using link = await openLink(vault.port);
    const { login, accessors } = await appRole(vault, [place.path]);
    const source = vaultSource({ address: `http://${link.address}`, login });
    const stop = new AbortController();
    const made = link.holdAnswer(Buffer.from("auth/approle/login"), 1);
    const read = source.read(place, stop.signal);
    await made;
    stop.abort(new Error("stopped by SIGTERM"));
    await expect(read).rejects.toThrow("stopped by SIGTERM");
    expect(await accessors()).toHaveLength(1);
    const closed = source.close();
    await link.become({});
    await closed;
    expect(await accessors()).toEqual([]);
    await expect(source.read(place, signal)).rejects.toMatchObject({ code: "SECRETS_UNAVAILABLE" });
    expect(await accessors()).toEqual([]);
  });

  test("R-13 the end does not hang on a Vault that is silent", async () => {
    await using link = await openLink(vault.port);
    const { login } = await appRole(vault, [place.path]);
    const source = vaultSource({ address: `http://${link.address}`, login, timeoutMs: 60_000 });
    await source.keep(signal);
    await link.become({ holds: "both" });
    await source.close();
  });

  test("R-13 being told to stop ends the wait for Vault", async () => {
    await using link = await openLink(vault.port);
    await link.become({ holds: "replies" });
    const stop = new AbortController();
    const read = vaultSource({ address: `http://${link.address}`, login: await byToken([place.path]) }).read(
      place,
      stop.signal,
    );
    stop.abort(new Error("stopped by SIGTERM"));
    await expect(read).rejects.toThrow("stopped by SIGTERM");
  });

  test("R-13 a sealed Vault is waited for, and told as such", async () => {
    await using other = await startTestVault();
    const login = { kind: "token", file: other.tokenFile("root", other.rootToken) } as const;
    await other.ask("POST", "sys/seal", {});
    const read = vaultSource({ address: other.url, login }).read(place, signal);
    await expect(read).rejects.toMatchObject({
      code: "SECRETS_UNAVAILABLE",
      message: `Vault at ${other.url} answers 503`,
    });
  });
});
