import { describe, expect, test } from "@jest/globals";
import { type Config, configVariables, describeConfig, parseConfig } from "../src/config.ts";
import { defaultParseOptions } from "../src/core/parse-options.ts";
import { formatVerifierKey, type KeyType } from "../src/core/signed-note.ts";
import { sha256, testSigner } from "./support/log.ts";

const noFiles = (): string => {
  throw new Error("no such file");
};
function accepted(
  env: Record<string, string | undefined>,
  readFile = noFiles as (path: string) => string,
): Config {
  const result = parseConfig(env, readFile);
  if (!result.ok) throw new Error(result.errors.join("\n"));
  return result.config;
}
const refused = (env: Record<string, string>, readFile = noFiles as (path: string) => string) => {
  const result = parseConfig(env, readFile);
  return result.ok ? [] : result.errors;
};

describe("configuration", () => {
  test("an empty environment gives a service for one machine, on loopback alone", () => {
    const config = accepted({ PATH: "/bin", OTEL_SERVICE_NAME: "other" });
    expect(config.store).toEqual({ kind: "sqlite", path: "data/lastro.db", cacheBytes: 67_108_864 });
    expect(config.keys.ringFile).toBe("data/keys/keyring.json");
    expect(config.grpc.address).toEqual({ host: "127.0.0.1", port: 50_051 });
    expect(config.http.address).toEqual({ host: "127.0.0.1", port: 8_080 });
    expect(config.grpc.reflection).toBe(true);
    expect(config.hints.redisUrl).toBeUndefined();
    expect(config.kafka.group).toBeUndefined();
    expect(config.telemetry.otlpEndpoint).toBeUndefined();
  });

  test("the limits of the parse station are its own unless they are set", () => {
    expect(accepted({}).parse).toEqual(defaultParseOptions);
    const config = accepted({ LASTRO_EVENT_DEPTH_MAX: "8", LASTRO_OWNERSHIP_EXEMPT: "clock_service, jobs" });
    expect(config.parse.limits.depthMax).toBe(8);
    expect([...config.parse.ownershipExempt]).toEqual(["lastro", "clock_service", "jobs"]);
  });

  test("connections are bounded alike on every listener", () => {
    const { grpc, rest, http } = accepted({ LASTRO_CONNECTIONS_MAX: "50" });
    const bounds = [grpc.connectionsMax, rest.listener.connectionsMax, http.listener.connectionsMax];
    expect(bounds).toEqual([50, 50, 50]);
  });

  test("every fault is named at once", () => {
    const errors = refused({
      LASTRO_KAFKA_BROKERS: "kafka",
      LASTRO_BATCH_SIZE_MAX: "0",
      LASTRO_RETRY_MIN_MS: "2000",
      LASTRO_RETRY_MAX_MS: "1000",
      LASTRO_GRPC_ADDRESS: "0.0.0.0:50051",
      LASTRO_BREAKER: "maybe",
      LASTRO_STORE_URI: "mongodb://127.0.0.1/lastro",
    });
    expect(errors.map((error) => error.split(" ")[0])).toEqual([
      "LASTRO_STORE_URI",
      "LASTRO_KAFKA_BROKERS",
      "LASTRO_BATCH_SIZE_MAX",
      "LASTRO_BREAKER",
      "LASTRO_GRPC_ADDRESS",
      "LASTRO_RETRY_MIN_MS",
    ]);
  });

  test("a broker by IPv6 address, which the Kafka client cannot read, is refused; a listener there is not", () => {
    expect(refused({ LASTRO_KAFKA_BROKERS: "kafka:9092,[::1]:9092" })).toEqual([
      expect.stringMatching(/^LASTRO_KAFKA_BROKERS must name hosts instead of IPv6 addresses/),
    ]);
    expect(accepted({ LASTRO_GRPC_ADDRESS: "[::1]:50051" }).grpc.address).toEqual({
      host: "::1",
      port: 50_051,
    });
  });

  test("an unknown name is refused with a suggestion", () => {
    expect(refused({ LASTRO_KAFKA_BROKER: "127.0.0.1:9092" })).toEqual([
      "LASTRO_KAFKA_BROKER is not a variable of Lastro; did you mean LASTRO_KAFKA_BROKERS?",
    ]);
    expect(refused({ LASTRO_SOMETHING_ELSE_ENTIRELY: "1" })).toEqual([
      "LASTRO_SOMETHING_ELSE_ENTIRELY is not a variable of Lastro; see the table in README.md",
    ]);
    expect(refused({ LASTRO_KAFKA_TOPIC_FILE: "/topic" })[0]).toContain("is not a variable");
  });

  test("variables of tests are known and change nothing", () => {
    expect(accepted({ LASTRO_TEST_CRASH_POINT: "appended" })).toEqual(accepted({}));
  });

  test("an empty variable counts as unset", () => {
    expect(accepted({ LASTRO_REDIS_URL: "", LASTRO_BATCH_SIZE_MAX: "" })).toEqual(accepted({}));
  });

  test("R-13 a secret may come from a file, but not from both", () => {
    const url = "mongodb://lastro:hunter2@db.example:27017/lastro?authSource=admin";
    const files = (path: string) => (path === "/run/secrets/store" ? `${url}\n` : noFiles());
    const config = accepted({ LASTRO_STORE_URL_FILE: "/run/secrets/store" }, files);
    expect(config.store).toMatchObject({ kind: "mongodb", url });
    expect(refused({ LASTRO_STORE_URL_FILE: "/nowhere" }, files)).toEqual([
      "LASTRO_STORE_URL_FILE names a file that cannot be read",
    ]);
    const twice = { LASTRO_STORE_URL: url, LASTRO_STORE_URL_FILE: "/run/secrets/store" };
    expect(refused(twice, files)[0]).toMatch(/^LASTRO_STORE_URL is set twice/);
  });

  test.each([
    ["mongodb://lastro:hunter2@db.example:27017/lastro?authMechanismProperties=AWS_SESSION_TOKEN:hunter2"],
    ["mongodb://lastro:p@hunter2@db.example/lastro"],
  ])("what is shown of %s holds no secret", (url) => {
    const config = accepted({ LASTRO_STORE_URL: url, LASTRO_REDIS_URL: "redis://:hunter2@cache:6379" });
    const shown = describeConfig(config);
    expect(shown).toContain("LASTRO_REDIS_URL=redis://cache:6379  (environment)");
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("LASTRO_BATCH_SIZE_MAX=2000  (default)");
  });

  test("a fault never repeats the value, which may be a secret put in the wrong place", () => {
    const everything = Object.fromEntries(configVariables.map(({ name }) => [name, "hunter2 hunter2"]));
    const errors = refused({ ...everything, LASTRO_STORE_URL: "hunter2", LASTRO_REDIS_URL: "hunter2" });
    expect(errors.length).toBeGreaterThan(40);
    expect(errors.join("\n")).not.toContain("hunter2");
  });

  test.each([
    ["127.0.0.1:1", true],
    ["127.9.9.9:1", true],
    ["[::1]:1", true],
    ["[::ffff:127.0.0.1]:1", true],
    ["localhost:1", true],
    ["0.0.0.0:1", false],
    ["[::]:1", false],
    ["10.0.0.1:1", false],
    ["lastro.example:1", false],
    ["localhost.example:1", false],
  ])("without access control a listener on %s is accepted: %s", (address, isAccepted) => {
    expect(refused({ LASTRO_HTTP_ADDRESS: address })).toHaveLength(isAccepted ? 0 : 1);
    expect(refused({ LASTRO_GRPC_ADDRESS: address })).toHaveLength(isAccepted ? 0 : 1);
    expect(refused({ LASTRO_REST_ADDRESS: address })).toHaveLength(isAccepted ? 0 : 1);
  });

  test("witnesses are given as `lastro witness` prints them, and more than half of them make a quorum", () => {
    const named = (name: string, type: KeyType = "cosignature/v1"): string =>
      `${formatVerifierKey(sha256, testSigner(name, type).key)}@https://${name.split("/")[0]}/log`;
    const three = ["w1.test/w", "w2.test/w", "w3.test/w"].map((name) => named(name)).join(", ");
    const { list, quorum } = accepted({ LASTRO_WITNESSES: three }).witnesses;
    expect(list.map(({ key, url }) => [key.name, url])).toContainEqual(["w2.test/w", "https://w2.test/log"]);
    expect(quorum).toBe(2);
    expect(accepted({ LASTRO_WITNESSES: three, LASTRO_WITNESS_QUORUM: "3" }).witnesses.quorum).toBe(3);
    expect(refused({ LASTRO_WITNESSES: three, LASTRO_WITNESS_QUORUM: "4" })).toEqual([
      "LASTRO_WITNESS_QUORUM must not be greater than the number of LASTRO_WITNESSES",
    ]);
    expect(refused({ LASTRO_WITNESS_QUORUM: "1" })).toHaveLength(1);
    for (const wrong of [
      "w.test/1@https://w.test",
      named("w.test/1", "ed25519"),
      named("w.test/1").replace("https://", "https://me:secret@"),
      named("w.test/1").replace("https:", "ftp:"),
    ]) {
      const [error] = refused({ LASTRO_WITNESSES: wrong });
      expect(error).toMatch(/^LASTRO_WITNESSES must be <verifier key>@/);
      expect(error).not.toContain("secret");
    }
    expect(refused({ LASTRO_WITNESSES: `${named("w.test/1")},${named("w.test/1")}` })).toEqual([
      "LASTRO_WITNESSES names a witness twice",
    ]);
  });

  test("a time-stamping authority is given with its roots and the folder of its time stamps, or not at all", () => {
    const [LASTRO_ANCHOR_FOLDER, LASTRO_ANCHOR_TSA_CA_FILE] = ["/anchors", "/roots.pem"];
    const LASTRO_ANCHOR_TSA_URL = "https://me:hunter2@tsa.test/";
    const config = accepted({ LASTRO_ANCHOR_FOLDER, LASTRO_ANCHOR_TSA_URL, LASTRO_ANCHOR_TSA_CA_FILE });
    expect(config.anchors).toEqual({
      folder: "/anchors",
      authority: { url: LASTRO_ANCHOR_TSA_URL, rootsFile: "/roots.pem" },
      intervalMs: 3_600_000,
      timeoutMs: 20_000,
    });
    expect(describeConfig(config)).not.toContain("hunter2");
    expect(accepted({ LASTRO_ANCHOR_FOLDER }).anchors.authority).toBeUndefined();
    expect(refused({ LASTRO_ANCHOR_TSA_URL, LASTRO_ANCHOR_TSA_CA_FILE })).toEqual([
      expect.stringMatching(/^LASTRO_ANCHOR_TSA_URL needs LASTRO_ANCHOR_FOLDER/),
    ]);
    for (const half of [{ LASTRO_ANCHOR_TSA_URL }, { LASTRO_ANCHOR_TSA_CA_FILE }])
      expect(refused({ LASTRO_ANCHOR_FOLDER, ...half })).toEqual([
        expect.stringMatching(/^LASTRO_ANCHOR_TSA_CA_FILE and LASTRO_ANCHOR_TSA_URL must be set together/),
      ]);
  });

  test("R-87 refuses a strict self-audit that only counts reads: those are told after the answer", () => {
    const counted = { LASTRO_SELF_AUDIT_READS: "counted" };
    expect(refused({ LASTRO_SELF_AUDIT: "strict", ...counted })).toEqual([
      expect.stringMatching(/^LASTRO_SELF_AUDIT must not be strict/),
    ]);
    expect(accepted({ LASTRO_SELF_AUDIT: "strict" }).selfAudit.mode).toBe("strict");
    expect(accepted({ LASTRO_SELF_AUDIT: "on", ...counted }).selfAudit.reads).toBe("counted");
  });

  describe("who may ask", () => {
    const access = { LASTRO_AUTH: "on", LASTRO_ACCESS_FILE: "/access.json" };
    const tls = { LASTRO_TLS_CERT_FILE: "/tls.crt", LASTRO_TLS_KEY_FILE: "/tls.key" };
    const outside = { LASTRO_GRPC_ADDRESS: "0.0.0.0:50051", LASTRO_HTTP_ADDRESS: "0.0.0.0:8080" };

    test("everybody, on loopback, unless it is switched on", () => {
      expect(accepted({}).auth).toBeUndefined();
      expect(accepted(access).auth).toEqual({
        accessFile: "/access.json",
        audience: ["lastro"],
        oidc: undefined,
      });
      expect(accepted(access).grpc.reflection).toBe(false);
      expect(refused({ LASTRO_AUTH: "oidc" })).toEqual(["LASTRO_AUTH must be none or on"]);
    });

    test.each<[string, Record<string, string>, number]>([
      ["access control and TLS", { ...access, ...tls }, 0],
      ["access control and TLS elsewhere", { ...access, LASTRO_TLS_ELSEWHERE: "on" }, 0],
      ["access control alone", access, 2],
      ["TLS alone", tls, 2],
      ["TLS elsewhere alone", { LASTRO_TLS_ELSEWHERE: "on" }, 2],
    ])("with %s listeners beyond loopback meet their rule", (_, env, faults) => {
      expect(refused({ ...outside, ...env })).toHaveLength(faults);
      expect(refused(env)).toEqual([]);
    });

    test.each<[string, Record<string, string>]>([
      ["LASTRO_ACCESS_FILE", { LASTRO_AUTH: "on" }],
      ["LASTRO_ACCESS_FILE", { LASTRO_ACCESS_FILE: "/access.json" }],
      ["LASTRO_OIDC_ISSUER", { LASTRO_OIDC_ISSUER: "https://id.example" }],
      ["LASTRO_OIDC_ISSUER", { ...access, LASTRO_OIDC_ISSUER: "http://id.example" }],
      ["LASTRO_OIDC_JWKS_URL", { ...access, LASTRO_OIDC_JWKS_URL: "https://id.example/keys" }],
      ["LASTRO_TLS_KEY_FILE", { LASTRO_TLS_CERT_FILE: "/tls.crt" }],
      ["LASTRO_TLS_CLIENT_CA_FILE", { LASTRO_TLS_CLIENT_CA_FILE: "/ca.crt" }],
      ["LASTRO_KAFKA_SASL", { LASTRO_KAFKA_SASL: "scram-sha-512", LASTRO_KAFKA_USERNAME: "lastro" }],
      ["LASTRO_KAFKA_SASL", { LASTRO_KAFKA_PASSWORD: "hunter2" }],
      [
        "LASTRO_KAFKA_SASL",
        { LASTRO_KAFKA_SASL: "plain", LASTRO_KAFKA_USERNAME: "u", LASTRO_KAFKA_PASSWORD: "p" },
      ],
      ["LASTRO_UPSTREAM_KEY_FILE", { LASTRO_UPSTREAM_CERT_FILE: "/tls.crt" }],
    ])("half of a setting is refused: %s", (name, env) => {
      expect(refused(env).map((error) => error.split(" ")[0])).toEqual([name]);
    });

    test("a provider on this machine may speak HTTP", () => {
      const env = { ...access, LASTRO_OIDC_ISSUER: "http://127.0.0.1:8090/realms/lastro" };
      expect(accepted(env).auth?.oidc?.issuer).toBe("http://127.0.0.1:8090/realms/lastro");
    });

    test("a password is never shown, whatever it looks like", () => {
      const sasl = { LASTRO_KAFKA_SASL: "scram-sha-256", LASTRO_KAFKA_USERNAME: "lastro" };
      const shown = describeConfig(accepted({ ...sasl, LASTRO_KAFKA_PASSWORD: "ab:hunter2" }));
      expect(shown).toContain("LASTRO_KAFKA_PASSWORD=(hidden)  (environment)");
      expect(shown).not.toContain("hunter2");
    });
  });

  test("dead letters never go where events come from", () => {
    expect(refused({ LASTRO_KAFKA_DLQ_TOPIC: "audit" })[0]).toMatch(/^LASTRO_KAFKA_DLQ_TOPIC must not be/);
  });

  test("what the launcher found is read as the rows of the start-up table", () => {
    const part = { part: "kafka", where: "127.0.0.1:9092", what: "found" };
    expect(accepted({ LASTRO_LAUNCHED: JSON.stringify([part]) }).launched).toEqual([part]);
    expect(refused({ LASTRO_LAUNCHED: "{" })).toHaveLength(1);
  });

  test("every variable says what it is, and its default is accepted", () => {
    for (const { name, description, defaultText } of configVariables) {
      expect(name).toMatch(/^LASTRO_[A-Z_]+$/);
      expect(description).not.toBe("");
      if (!/[<: ]|^none|^$/.test(defaultText)) expect(refused({ [name]: defaultText })).toEqual([]);
    }
  });
});
