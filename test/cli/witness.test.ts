import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { formatAddCheckpoint } from "../../src/core/add-checkpoint.ts";
import { runLastro } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { post, startWitnessProcess, watchedLog } from "../support/witness.ts";

const log = watchedLog("log.test/a", 9);
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

test("a misspelt command is answered with the nearest one, and 2", async () => {
  const { code, out, err } = await runLastro("wittness");
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("Did you mean witness?");
});

test("without a command the help goes to standard error, and 2", async () => {
  const { code, out, err } = await runLastro();
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/^Examples:\n/);
});

test("--print-vkey makes a key that only its user can read, once, and prints the same afterwards", async () => {
  const place = ["--folder", folder.path];
  const first = await runLastro("witness", "--print-vkey", "--name", "witness.test/w1", ...place);
  expect(first).toMatchObject({ code: 0, err: "" });
  expect(first.out).toMatch(/^witness\.test\/w1\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\n$/);
  expect(statSync(join(folder.path, "witness-key.json")).mode & 0o777).toBe(0o600);
  const again = await runLastro("witness", "--print-vkey", "--json", ...place);
  expect(JSON.parse(again.out)).toEqual({ vkey: first.out.trim() });
});

test.each([
  ["no log", [], /watches no log/],
  ["a key that lost a character", ["--log", log.vkey.slice(0, -1)], /no verifier key/],
  ["a witness's key in place of a log's", ["--log", "witness"], /no verifier key/],
  ["no address", ["--log", log.vkey, "--listen", "8081"], /host:port/],
  ["a file that is not there", ["--logs-file", "/nowhere/logs.txt"], /cannot be read/],
  ["--json with --plain", ["--json", "--plain"], /cannot be used with/],
])("%s is a mistake in usage", async (_, args, sentence) => {
  const { code, out, err } = await runLastro("witness", "--name", "w", "--folder", folder.path, ...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(sentence);
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends it at once with 0, and it can be started again",
  async (signal) => {
    const listFile = join(folder.path, "logs.txt");
    await writeFile(listFile, `# ours\n${log.vkey}  # since today\n\n`);
    const witness = await startWitnessProcess({
      folder: folder.path,
      logs: [log.vkey, "--logs-file", listFile],
    });
    const body = formatAddCheckpoint(await log.request(0, 9));
    expect((await post(witness.url, body)).status).toBe(200);
    witness.process.kill(signal);
    expect(await witness.ended).toBe(0);
    const listen = new URL(witness.url).host;
    const again = await startWitnessProcess({ folder: folder.path, logs: [log.vkey], listen });
    expect(again.vkey).toBe(witness.vkey);
    expect((await post(again.url, body)).text).toBe("9\n");
    again.process.kill("SIGKILL");
    await again.ended;
  },
);
