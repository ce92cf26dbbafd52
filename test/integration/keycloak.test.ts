/** A real Keycloak 26 with the realm and the access file of `deploy/keycloak`: people and services get their tokens there as they would. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startKeycloak } from "../../deploy/local/keycloak.mjs";
import { parseAccessRules } from "../../src/access/access-rules.ts";
import { authenticator } from "../../src/access/authenticate.ts";
import { oidcVerifier } from "../../src/access/oidc.ts";
import type { Authenticate } from "../../src/ports/authenticate.ts";
import { testViewers } from "../support/grpc-client.ts";
import { silentLog, silentObserver } from "../support/intake.ts";

const admin = { name: "admin", password: randomBytes(12).toString("hex") };
const anna = { username: "anna", password: randomBytes(12).toString("hex") };
const jobs = { client_id: "jobs", client_secret: randomBytes(12).toString("hex") };
const signal = new AbortController().signal;

let dir: string;
let keycloak: Awaited<ReturnType<typeof startKeycloak>>;
let issuer: string;
let authenticate: Authenticate;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "lastro-keycloak-"));
  keycloak = await startKeycloak({ dir, admin, log: (line) => process.stderr.write(`${line}\n`) });
  issuer = `${keycloak.url}/realms/lastro`;
  const parsed = parseAccessRules(readFileSync("deploy/keycloak/access.json", "utf8"));
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  authenticate = authenticator({
    rules: () => parsed.rules,
    oidc: { issuer, verify: oidcVerifier({ issuer, audience: ["lastro"], jwksUrl: undefined }, Date.now) },
    audience: ["lastro"],
    viewers: testViewers,
    now: Date.now,
    observer: silentObserver,
    log: silentLog,
  });
  await settle();
}, 300_000);
afterAll(async () => {
  await keycloak?.stop();
  rmSync(dir, { recursive: true, force: true });
}, 30_000);

async function token(realm: string, form: Record<string, string>, name = "access_token"): Promise<string> {
  const answer = await fetch(`${keycloak.url}/realms/${realm}/protocol/openid-connect/token`, {
    method: "POST",
    body: new URLSearchParams(form),
  });
  const given = (await answer.json()) as Record<string, string>;
  if (given[name] === undefined) throw new Error(`no token: ${JSON.stringify(given)}`);
  return given[name];
}

/** What an administrator does: a person with a role, and a service that signs in with a secret. */
async function settle(): Promise<void> {
  const bearer = await token("master", {
    grant_type: "password", client_id: "admin-cli", username: admin.name, password: admin.password,
  }); // biome-ignore format: one line
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${keycloak.url}/admin/realms/lastro${path}`, {
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text === "" ? undefined : JSON.parse(text);
  };
  await ask("/users", {
    username: anna.username,
    enabled: true,
    email: "anna@example.org",
    emailVerified: true,
    firstName: "Anna",
    lastName: "Example",
    credentials: [{ type: "password", value: anna.password, temporary: false }],
  });
  const [user] = (await ask(`/users?username=${anna.username}`)) as { id: string }[];
  await ask(`/users/${user?.id}/role-mappings/realm`, [await ask("/roles/audit-dpo")]);
  const service = { clientId: jobs.client_id, secret: jobs.client_secret, serviceAccountsEnabled: true };
  await ask("/clients", { ...service, directAccessGrantsEnabled: true });
}

const bearing = (text: string) => ({
  authorization: `Bearer ${text}`,
  m2mService: undefined,
  certificateNames: undefined,
  certificateUntilMs: undefined,
});
const person = { grant_type: "password", ...jobs, ...anna, scope: "openid" };

test("R-12 a person of the realm has what the access file binds to her role", async () => {
  const caller = await authenticate(bearing(await token("lastro", person)), signal);
  expect(caller.id).toMatch(new RegExp(`^person:${issuer}#[0-9a-f-]{36}$`));
  expect(caller.grants).toMatchObject([{ role: "dpo", scope: { personal: true } }]);
});

test("R-12 a service of the realm comes with client credentials, and without a role it may nothing", async () => {
  const caller = await authenticate(
    bearing(await token("lastro", { grant_type: "client_credentials", ...jobs })),
    signal,
  );
  expect(caller).toMatchObject({ kind: "person", grants: [] });
});

test("an ID token and a token of another realm are no access tokens for Lastro", async () => {
  const idToken = await token("lastro", person, "id_token");
  const refused = (message: RegExp) => ({
    code: "UNAUTHENTICATED",
    message: expect.stringMatching(message),
  });
  await expect(authenticate(bearing(idToken), signal)).rejects.toMatchObject(refused(/aud/));
  const foreign = await token("master", {
    grant_type: "password", client_id: "admin-cli", username: admin.name, password: admin.password,
  }); // biome-ignore format: one line
  await expect(authenticate(bearing(foreign), signal)).rejects.toMatchObject(refused(/no key/));
});
