/** Which secrets may lie in Vault, how they are named, and what must be set with them. */
import { expect, test } from "@jest/globals";
import { describeConfig, parseConfig } from "../src/config.ts";

const noFiles = (): string => {
  throw new Error("no such file");
};
type Env = Readonly<Record<string, string>>;
const refused = (env: Env): readonly string[] => {
  const result = parseConfig(env, noFiles);
  return result.ok ? [] : result.errors;
};
const vault = { LASTRO_VAULT_ADDR: "https://vault.test:8200", LASTRO_VAULT_TOKEN_FILE: "/token" };
const places = {
  LASTRO_KAFKA_SASL: "scram-sha-512",
  LASTRO_KAFKA_USERNAME: "lastro",
  LASTRO_KAFKA_PASSWORD: "vault:secret/data/lastro#kafka",
  LASTRO_STORE_URL: "vault:secret/data/lastro#store",
};

test("R-13 a secret that lies in Vault is left for whoever reads it, and everything else is checked before", () => {
  const result = parseConfig({ ...vault, ...places }, noFiles);
  expect(result.ok && [...result.unread]).toEqual([
    ["LASTRO_KAFKA_PASSWORD", { path: "secret/data/lastro", field: "kafka" }],
    ["LASTRO_STORE_URL", { path: "secret/data/lastro", field: "store" }],
  ]);
  expect(refused({ ...vault, ...places, LASTRO_BREAKER: "maybe" })).toEqual([
    "LASTRO_BREAKER must be on or off",
  ]);
});

test("R-13 what was read counts as if it had been set, by all rules, and is shown by its place", () => {
  const secrets = new Map([
    ["LASTRO_KAFKA_PASSWORD", "hunter2"],
    ["LASTRO_STORE_URL", "mongodb://u:hunter3@db/lastro"],
  ]);
  const result = parseConfig({ ...vault, ...places }, noFiles, secrets);
  if (!result.ok) throw new Error(result.errors.join("\n"));
  expect(result.unread.size).toBe(0);
  expect(result.config.kafka.sasl?.password).toBe("hunter2");
  expect(result.config.store).toMatchObject({ url: "mongodb://u:hunter3@db/lastro" });
  const shown = describeConfig(result.config);
  expect(shown).toContain("LASTRO_STORE_URL=vault:secret/data/lastro#store  (Vault)");
  expect(shown).not.toContain("hunter");
});

test("R-13 a wrong secret is refused by its variable, and not quoted", () => {
  const secrets = new Map([
    ["LASTRO_KAFKA_PASSWORD", "x"],
    ["LASTRO_STORE_URL", "postgres://u:hunter2@db"],
  ]);
  const result = parseConfig({ ...vault, ...places }, noFiles, secrets);
  expect(result.ok ? [] : result.errors).toEqual([
    "LASTRO_STORE_URL must be sqlite:<path of a file> or mongodb://host:port/name",
  ]);
});

test.each([
  "vault:",
  "vault:secret",
  "vault:secret/data/lastro",
  "vault:secret#x",
  "vault:secret/../sys/raw#x",
  "vault:secret/./a#x",
  "vault:/secret/a#x",
  "vault:secret//a#x",
  "vault:secret/a?version=1#x",
  "vault:secret/a#",
  "vault:secret/a#x#y",
  "vault:secret/%2e%2e/a#x",
])("R-13 %s names no place and is refused", (value) => {
  expect(refused({ ...vault, LASTRO_REDIS_URL: value })).toEqual([
    expect.stringMatching(/^LASTRO_REDIS_URL must be vault:<path>#<field>/),
  ]);
  expect(refused({ ...vault, LASTRO_KEY_RING: value })).toEqual([
    expect.stringMatching(/^LASTRO_KEY_RING must be vault:<path>#<field>/),
  ]);
});

test.each<[string, Env]>([
  ["LASTRO_REDIS_URL", { LASTRO_REDIS_URL: "vault:secret/a#x" }],
  ["LASTRO_KEY_RING", { LASTRO_KEY_RING: "vault:secret/a#x" }],
  ["LASTRO_KEY_RING", { ...vault, LASTRO_KEY_RING: "vault:secret/a#x", LASTRO_KEY_RING_FILE: "/ring" }],
  ["LASTRO_VAULT_ADDR", { LASTRO_VAULT_ADDR: "http://vault.test:8200", LASTRO_VAULT_TOKEN_FILE: "/token" }],
  ["LASTRO_VAULT_ADDR", { LASTRO_VAULT_ADDR: "https://vault.test:8200" }],
  ["LASTRO_VAULT_ADDR", { LASTRO_VAULT_TOKEN_FILE: "/token" }],
  ["LASTRO_VAULT_ADDR", { ...vault, LASTRO_VAULT_ADDR: "https://u:hunter2@vault.test" }],
  ["LASTRO_VAULT_ADDR", { ...vault, LASTRO_VAULT_JWT_ROLE: "lastro" }],
  ["LASTRO_VAULT_ROLE_ID", { LASTRO_VAULT_ADDR: "https://vault.test", LASTRO_VAULT_ROLE_ID: "r" }],
  ["LASTRO_VAULT_LOGIN_MOUNT", { ...vault, LASTRO_VAULT_LOGIN_MOUNT: "../sys" }],
])("R-13 half of a setting, or one that gives the token away, is refused: %s", (name, env) => {
  expect(refused(env).map((error) => error.split(" ")[0])).toEqual([name]);
});

test("R-13 a setting that is no secret never lies in Vault", () => {
  expect(refused({ ...vault, LASTRO_KAFKA_BROKERS: "vault:secret/a#x" })).toEqual([
    expect.stringMatching(/^LASTRO_KAFKA_BROKERS must be host:port/),
  ]);
});

test.each<[Env, unknown]>([
  [{ LASTRO_VAULT_TOKEN_FILE: "/token" }, { kind: "token", file: "/token" }],
  [
    { LASTRO_VAULT_ROLE_ID: "r", LASTRO_VAULT_SECRET_ID_FILE: "/s" },
    { kind: "approle", mount: "approle", roleId: "r", secretIdFile: "/s" },
  ],
  [
    { LASTRO_VAULT_JWT_ROLE: "lastro" },
    {
      kind: "jwt",
      mount: "kubernetes",
      role: "lastro",
      file: "/var/run/secrets/kubernetes.io/serviceaccount/token",
    },
  ],
  [
    { LASTRO_VAULT_JWT_ROLE: "lastro", LASTRO_VAULT_JWT_FILE: "/jwt", LASTRO_VAULT_LOGIN_MOUNT: "team/jwt" },
    { kind: "jwt", mount: "team/jwt", role: "lastro", file: "/jwt" },
  ],
])("R-13 the way in is the one that is set: %j", (env, login) => {
  const result = parseConfig({ LASTRO_VAULT_ADDR: "http://127.0.0.1:8200", ...env }, noFiles);
  expect(result.ok && result.config.vault).toMatchObject({ address: "http://127.0.0.1:8200", login });
});
