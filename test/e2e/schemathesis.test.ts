/** The running service under schemathesis: requests drawn from its own OpenAPI document, and from beside it, are answered as the document says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTestKafka } from "../contract/event-source.kafka.ts";
import { until } from "../support/lastro.ts";
import { json } from "../support/rest-client.ts";
import { schemathesisPython } from "../support/servers.ts";
import { audience, startIssuer, type TokenIssuer } from "../support/token-issuer.ts";
import { type Service, startService, startTimeoutMs } from "./service.ts";
import { accountLife } from "./story.ts";

/** Requests drawn for each operation; `npm run test:schemathesis` draws more, and another seed each time. */
const examples = process.env["LASTRO_TEST_SCHEMATHESIS_EXAMPLES"] ?? "15";
const seed = process.env["LASTRO_TEST_SEED"] ?? "1";
const runMsMax = 20 * 60_000;
/** Its settings and its own check, which it looks for where it runs, and where it leaves files. */
const settings = fileURLToPath(new URL("./schemathesis", import.meta.url));

/** What many requests at once need; the log follows at once, since `wait=logged` waits for it. */
const roomy = {
  LASTRO_LOG_INTERVAL_MS: "10",
  LASTRO_CALLER_RATE_MAX: "100000",
  LASTRO_CALLER_BURST_MAX: "100000",
};

const group = "readers";
let folder: string;
let issuer: TokenIssuer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lastro-schemathesis-"));
  cpSync(settings, folder, { recursive: true });
  issuer = await startIssuer();
});
afterAll(async () => {
  await issuer?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Everybody may everything. */
const open = () => ({});
/** Only who reads tenant `default`, and sees no persons. */
function bounded(): Readonly<Record<string, string>> {
  const file = join(folder, "access.json");
  const who = { claim: "/groups", value: group };
  const bindings = [{ who, roles: ["reader"], scope: { tenants: ["default"] } }];
  writeFileSync(file, JSON.stringify({ version: 1, bindings }));
  return {
    LASTRO_AUTH: "on",
    LASTRO_ACCESS_FILE: file,
    LASTRO_OIDC_ISSUER: issuer.issuer,
    LASTRO_AUDIENCE: audience,
  };
}

/** All that it printed, once it has ended without a finding. */
async function schemathesis(restUrl: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const given = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  const args = [
    "-m", "schemathesis.cli", "--no-color", "run", `${restUrl}/openapi.json`, "--url", new URL(restUrl).origin,
    "--max-examples", examples, "--seed", seed, "--continue-on-failure", ...given,
  ]; // biome-ignore format: a command
  const child = spawn(schemathesisPython(), args, { cwd: folder, timeout: runMsMax });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`schemathesis ended with ${code ?? signal}:\n${printed}`);
  return printed;
}

describe.each([
  ["everybody may everything", open],
  ["a reader of one tenant who sees no persons", bounded],
] as const)("%s", (_who, envOf) => {
  let service: Service;
  let headers: Readonly<Record<string, string>>;
  beforeAll(async () => {
    service = await startService("sqlite", { ...roomy, ...envOf() });
    const exp = Math.floor((Date.now() + runMsMax + startTimeoutMs) / 1_000);
    headers = { authorization: `Bearer ${await issuer.token({ exp, groups: [group] })}` };
    await using kafka = openTestKafka();
    await kafka.produce(service.world.topic, accountLife);
    const url = `${service.lastro().restUrl}/audit-logs?tenant=default`;
    const isLogged = async (): Promise<boolean> => {
      const { data } = await json(url, { headers });
      return (
        data.length === accountLife.length &&
        data.every(({ log }: { log: { state: string } }) => log.state === "logged")
      );
    };
    await until("every record is in the log", isLogged, 30_000, service.lastro());
  }, 2 * startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  test(
    "R-62 schemathesis asks every operation of the document, and finds nothing",
    async () => {
      process.stderr.write(`schemathesis: seed ${seed} (LASTRO_TEST_SEED repeats it)\n`);
      const { restUrl } = service.lastro();
      const { paths } = await json(`${restUrl}/openapi.json`);
      const operations = Object.values(paths).flatMap((path) => Object.keys(path as object)).length;
      const printed = await schemathesis(restUrl, headers);
      expect(printed).toContain(`Tested: ${operations}\n`);
      process.stderr.write(`${printed.slice(printed.indexOf("Test cases:"))}\n`);
    },
    runMsMax,
  );
});
