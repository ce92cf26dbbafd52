import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { RecordRow } from "../../../src/core/record.ts";
import { ExportFormat } from "../../../src/gen/lastro/v1/export_pb.ts";
import { noTrust, parseEvidence, verifyBundle } from "../../../src/sdk/verify.ts";
import { seededRandom } from "../../bench/events.ts";
import { type ExportWorld, event, events, openExportWorld } from "../../support/export-world.ts";
import { failureOf } from "../../support/grpc-client.ts";
import { runLastro } from "../../support/run-cli.ts";

let x: ExportWorld;
beforeEach(async () => {
  x = await openExportWorld();
});
afterEach(async () => x[Symbol.asyncDispose]());

describe("evidence", () => {
  const bundle = async (): Promise<{ readonly text: string; readonly rows: readonly RecordRow[] }> => {
    const rows = await x.log(...events(30));
    return { text: await x.exported(ExportFormat.EVIDENCE), rows };
  };

  test("is taken by lastro verify, offline", async () => {
    const { text, rows } = await bundle();
    const path = join(x.path, "evidence.json");
    writeFileSync(path, text);
    const { code, out } = await runLastro("verify", "record", rows[7]?.rid ?? "", "--bundle", path, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ verdict: "intact", checked: { records: 30, bodies: 30 } });
  });

  test("one byte that is changed anywhere is found, unless it changes nothing that is claimed", async () => {
    const { text, rows } = await bundle();
    const verified = (given: string) => {
      const parsed = parseEvidence(given);
      if (!parsed.ok) return { verdict: "unreadable", claims: "" };
      const scope = { kind: "record", rid: rows[7]?.rid ?? ("" as never) } as const;
      const { verdict, checked } = verifyBundle(scope, parsed.evidence, noTrust);
      return { verdict, claims: JSON.stringify([checked, parsed.evidence]) };
    };
    const good = verified(text);
    expect(good.verdict).toBe("intact");
    const seed = Date.now() % 100_000;
    console.info(`seed ${seed}`);
    const random = seededRandom(seed);
    const bytes = Buffer.from(text);
    for (let round = 0; round < 400; round++) {
      const at = Math.floor(random() * bytes.length);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 7));
      const { verdict, claims } = verified(changed.toString());
      // A member's name that is no longer known takes the body away: fewer bodies were checked, which the verdict tells.
      const isFound =
        verdict !== "intact" ||
        (claims !== good.claims && !claims.startsWith('[{"records":30,"coverages":0,"bodies":30'));
      expect([seed, at, isFound || claims === good.claims]).toEqual([seed, at, true]);
    }
  }, 60_000);

  test("is refused for a tree whose checkpoint is no longer the latest", async () => {
    await x.log(...events(3));
    const size = BigInt(x.built.size());
    await x.log(event(4));
    expect(await failureOf(x.begin(ExportFormat.EVIDENCE, "", size))).toMatchObject({
      fields: ["tree_size"],
    });
  });
});
