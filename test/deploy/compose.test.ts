/** The files for machines with Docker, checked with what can be checked without it. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { parseAccessRules } from "../../src/access/access-rules.ts";
import { parseConfig } from "../../src/config.ts";

type Service = {
  readonly image?: string;
  readonly build?: unknown;
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: unknown;
  readonly read_only?: boolean;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
};
type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const compose = parse(read("docker-compose.yml")) as Compose;
const services = Object.entries(compose.services);
const lastro = compose.services["lastro"] as Service;

/** As compose fills in variables that have a default. */
const lastroEnvironment = (given: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(lastro.environment ?? {}).map(([name, value]) => [
      name,
      value.replace(
        /\$\{(\w+):-(.*?)\}/g,
        (_, variable: string, byDefault: string) => given[variable] ?? byDefault,
      ),
    ]),
  );

const validator = () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  return ajv.compile(JSON.parse(read("test/deploy/compose-spec.json")));
};

describe("docker-compose.yml", () => {
  test("obeys the compose specification's schema", () => {
    const validate = validator();
    validate(compose);
    expect(validate.errors).toBeNull();
  });

  test("the schema refuses a file with a misspelt key and one with an unknown condition", () => {
    const validate = validator();
    expect(validate({ services: { a: { image: "a", enviroment: {} } } })).toBe(false);
    expect(validate({ services: { a: { image: "a", depends_on: { b: { condition: "soon" } } } } })).toBe(
      false,
    );
  });

  test("holds Kafka, MongoDB, Redis, a collector, Prometheus, Keycloak and Lastro", () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      "kafka",
      "keycloak",
      "lastro",
      "mongo",
      "otel-collector",
      "prometheus",
      "redis",
    ]);
  });

  test.each(services.filter(([, { build }]) => build === undefined))(
    "%s is a published image pinned to a full version",
    (_name, { image }) => {
      expect(image).toMatch(/^(?:[a-z0-9-]+\/)?[a-z0-9-]+:v?\d+\.\d+\.\d+$/);
    },
  );

  test.each(services.filter(([name]) => name !== "otel-collector"))(
    "%s has a health check",
    (_name, { healthcheck }) => {
      expect(healthcheck).toMatchObject({ test: expect.any(Array) });
    },
  );

  test("nothing is reachable from another machine", () => {
    for (const [name, { ports = [], network_mode }] of services) {
      for (const port of ports) expect(`${name} ${port}`).toContain(" 127.0.0.1:");
      if (network_mode !== undefined) expect(ports).toEqual([]);
    }
    expect(read("docker-compose.yml")).toContain("--web.listen-address=127.0.0.1:");
  });

  test("Lastro's settings are ones that the service accepts, with access control and without", () => {
    expect(parseConfig(lastroEnvironment({}), () => "")).toMatchObject({ ok: true });
    const [, command = ""] = /^#\s+(LASTRO_AUTH=on .*) \\$/m.exec(read("docker-compose.yml")) ?? [];
    const given = Object.fromEntries(command.split(" ").map((word) => word.split("=") as [string, string]));
    expect(parseConfig(lastroEnvironment(given), () => "")).toMatchObject({
      ok: true,
      config: { auth: { accessFile: "/access/access.json", oidc: { issuer: expect.any(String) } } },
    });
  });

  test("the realm gives the roles that the access file beside it binds, and tokens that are meant for Lastro", () => {
    const realm = JSON.parse(read("deploy/keycloak/lastro-realm.json"));
    const parsed = parseAccessRules(read("deploy/keycloak/access.json"));
    const bound = parsed.ok ? parsed.rules.bindings.map(({ who }) => ("value" in who ? who.value : "")) : [];
    expect(realm.roles.realm.map(({ name }: { name: string }) => name)).toEqual(bound);
    expect(JSON.stringify(realm.clientScopes)).toContain('"included.custom.audience":"lastro"');
  });

  test("Lastro waits for the servers that it needs and runs on a read-only root", () => {
    expect(lastro.depends_on).toMatchObject({
      kafka: { condition: "service_healthy" },
      mongo: { condition: "service_healthy" },
      redis: { condition: "service_healthy" },
    });
    expect(lastro.read_only).toBe(true);
  });

  test("every named volume is declared, and every mounted file is in the checkout", () => {
    for (const [, { volumes = [] }] of services)
      for (const volume of volumes) {
        const source = volume.split(":")[0] ?? "";
        if (!source.startsWith("./")) expect(compose.volumes).toHaveProperty([source]);
        else if (/\.(?:yaml|json)$/.test(source)) expect(read(source).length).toBeGreaterThan(0);
        else expect(readdirSync(new URL(`../../${source}`, import.meta.url))).not.toEqual([]);
      }
  });
});

describe("the Dockerfile", () => {
  const lines = read("deploy/Dockerfile")
    .split("\n")
    .filter((line) => /^[A-Z]+ /.test(line));
  const stage = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));

  test("stands on Node 24 slim, pinned to a full version", () => {
    const bases = lines.filter((line) => line.startsWith("FROM "));
    for (const base of bases) expect(base).toMatch(/^FROM node:24\.\d+\.\d+-[a-z]+-slim(?: AS [a-z]+)?$/);
  });

  test("runs as a user that is not root, given by number", () => {
    expect(stage.filter((line) => line.startsWith("USER "))).toEqual(["USER 1000:1000"]);
    expect(stage.indexOf("USER 1000:1000")).toBeLessThan(stage.findIndex((line) => line.startsWith("CMD ")));
  });

  test("copies only what its ignore file lets into the build", () => {
    const allowed = read("deploy/Dockerfile.dockerignore")
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? line.slice(1) : []));
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort());
  });
});

describe("otel-collector.yaml", () => {
  type Part = "receivers" | "processors" | "exporters";
  const collector = parse(read("deploy/otel-collector.yaml"));

  test("its pipelines use only what it declares", () => {
    const pipelines = Object.values<Record<Part, string[]>>(collector.service.pipelines);
    expect(pipelines.length).toBeGreaterThan(0);
    for (const pipeline of pipelines)
      for (const part of ["receivers", "processors", "exporters"] as const)
        for (const name of pipeline[part]) expect(collector[part]).toHaveProperty([name]);
  });

  test("it listens where Lastro sends", () => {
    const { port } = new URL(lastro.environment?.["LASTRO_OTLP_ENDPOINT"] ?? "");
    expect(collector.receivers.otlp.protocols.http.endpoint).toMatch(new RegExp(`:${port}$`));
  });
});
