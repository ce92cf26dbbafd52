/** The thread beside a check, on a store file of its own: it finds what a check by itself finds. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openSqliteStore } from "../src/adapters/sqlite/open.ts";
import { parseConfig } from "../src/config.ts";
import type { Verification } from "../src/core/findings.ts";
import { noTrust } from "../src/core/trust.ts";
import { checkStore } from "../src/log/check.ts";
import type { CheckDeps } from "../src/log/check-pass.ts";
import { type CheckRange, rangeChecker } from "../src/log/check-range.ts";
import type { ClientTlsSource } from "../src/ports/client-tls.ts";
import { startCheckThread } from "../src/run-check-thread.ts";
import { type CheckedLog, makeCheckedLog, sha256 } from "./support/checked-log.ts";
import { verifyNote } from "./support/ed25519.ts";
import { batchOf } from "./support/intake.ts";
import { never } from "./support/log-world.ts";
import { temporaryFolder } from "./support/sqlite.ts";

const folder = temporaryFolder();
let log: CheckedLog;
beforeAll(async () => {
  log = await makeCheckedLog(17, 330);
}, 120_000);
afterAll(async () => {
  await log[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** The store with changes to it, in a folder of that name; what its configuration says of it. */
function copyStore(name: string, changes: readonly string[] = []) {
  const path = join(folder.path, name);
  mkdirSync(path);
  log.db.exec(`VACUUM INTO '${join(path, "lastro.db")}'`);
  using db = new DatabaseSync(join(path, "lastro.db"));
  for (const change of changes) db.exec(change);
  const parsed = parseConfig({ LASTRO_DATA_DIR: path }, () => "");
  if (!parsed.ok || parsed.config.store.kind !== "sqlite") throw new Error("no store is configured");
  return parsed.config.store;
}

const options = {
  trust: noTrust,
  resume: undefined,
  onProgress: () => undefined,
  onRun: async () => undefined,
};

const noTls: ClientTlsSource = { tls: {}, onChange: () => undefined };

type Outcome = { readonly alone: Verification; readonly shared: Verification; readonly here: number };

async function checkTwice(name: string, changes?: readonly string[]): Promise<Outcome> {
  const config = copyStore(name, changes);
  await using store = await openSqliteStore({ path: config.path });
  const deps: CheckDeps = {
    log: store.log,
    audit: store.audit,
    crypto: { sha256, verify: verifyNote },
    openBodies: undefined,
  };
  let here = 0;
  const checkHere: CheckRange = (...range) => {
    here += 1;
    return rangeChecker(deps)(...range);
  };
  await using thread = startCheckThread({ store: config }, noTls, checkHere);
  const shared = await checkStore({ ...deps, checkRange: thread.checkRange }, options, never);
  return { alone: await checkStore(deps, options, never), shared, here };
}

test("an untouched store is intact, and both threads have checked ranges of it", async () => {
  const { alone, shared, here } = await checkTwice("good");
  expect(shared.verdict).toBe("intact");
  expect(shared).toEqual(alone);
  expect(here).toBeGreaterThan(0);
  expect(here).toBeLessThan(shared.checked["coverages"] ?? 0);
});

test("whatever lies in a record of any run, the thread names it as a check by itself does", async () => {
  const changes = [
    "body = CAST(substr(body, 1, 40) || x'00' || substr(body, 42) AS BLOB)",
    "body = x''",
    "event_type = 'x'",
    "aside = '{'",
    "entry = entry || ' '",
    "entry = replace(entry, '\"ver\":', '\"ver\":1')",
  ];
  const { alone, shared } = await checkTwice(
    "changed",
    changes.map((change, at) => `UPDATE records SET ${change} WHERE id % ${changes.length * 3} = ${at}`),
  );
  expect(shared).toEqual(alone);
  const codes = ["BODY_CHANGED", "BODY_MISSING", "COLUMN_CHANGED", "ENTRY_CHANGED", "ENTRY_INVALID"];
  expect(Object.keys(shared.counts)).toEqual(expect.arrayContaining(codes));
});

test("a thread that is gone ends the check", async () => {
  const config = copyStore("gone");
  const thread = startCheckThread({ store: config }, noTls, () => Promise.reject(new Error("not here")));
  const { src } = batchOf(0, []);
  const asked = thread.checkRange({ src, from: 0, to: 1 }, 1, never);
  await thread[Symbol.asyncDispose]();
  await expect(asked).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(thread.checkRange({ src, from: 0, to: 1 }, 1, never)).rejects.toMatchObject({
    code: "INTERNAL",
  });
});
