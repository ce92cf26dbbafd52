/** The verifier in a browser gives the verdicts that it gives in Node, over bundles and over logs that are served to it. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseRid, type Rid, srcOf } from "../../../src/core/ids.ts";
import * as sdk from "../../../src/sdk/verify.ts";
import { type BrowserPage, bundleForBrowser, openPage } from "../../support/browser.ts";
import { type CheckedLog, makeCheckedLog } from "../../support/checked-log.ts";
import { type Laid, layOut, rangeEvidence, recordEvidence, staticResources } from "../../support/evidence.ts";

/** In the page. */
declare const lastro: typeof sdk;

const script = "src/sdk/verify.ts";
const startMsMax = 120_000;

let log: CheckedLog;
let laid: Laid;
let rid: Rid;
let browser: BrowserPage;
beforeAll(async () => {
  log = await makeCheckedLog(7, 330);
  laid = await layOut(log.store);
  rid = laid.leaves.find(({ key }) => parseRid(key)?.partition === 1)?.key as Rid;
  browser = await openPage(await bundleForBrowser(script), servedLogs());
}, startMsMax);
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await log?.[Symbol.asyncDispose]();
});

/** The log below `good/`, and below `changed/` with one bit of a tile turned. */
function servedLogs(): ReadonlyMap<string, Uint8Array> {
  const resources = [...staticResources(laid)];
  const turned = (path: string, bytes: Uint8Array): Uint8Array =>
    path === "tile/0/000" ? bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)) : bytes;
  return new Map(
    resources.flatMap(([path, bytes]): readonly (readonly [string, Uint8Array])[] => [
      [`good/${path}`, bytes],
      [`changed/${path}`, turned(path, bytes)],
    ]),
  );
}

/** What the browser says of the bundle, once Node has said the same. */
async function saidOf(scope: sdk.BundleScope, text: string, trust: sdk.Trust = sdk.noTrust) {
  const said = await browser.page.evaluate(
    (given) => {
      const parsed = lastro.parseEvidence(given.text);
      return parsed.ok ? lastro.verifyBundle(given.scope, parsed.evidence, given.trust) : parsed;
    },
    { scope, text, trust },
  );
  const parsed = sdk.parseEvidence(text);
  expect(said).toEqual(parsed.ok ? sdk.verifyBundle(scope, parsed.evidence, trust) : parsed);
  return said;
}

/** What the browser says of the log below that folder, once Node has said the same. */
async function saidOfLog(folder: string, trust: sdk.Trust): Promise<sdk.Verification> {
  const url = `${browser.url}${folder}/`;
  const said = await browser.page.evaluate(
    (given) => lastro.verifyLog(lastro.httpLogReader(given.url), { trust: given.trust, entries: "lastro" }),
    { url, trust },
  );
  expect(said).toEqual(await sdk.verifyLog(sdk.httpLogReader(url), { trust, entries: "lastro" }));
  return said;
}

const evidenceOfRecord = async (): Promise<sdk.Evidence> => ({
  ...(await recordEvidence(laid, log.store, rid)),
  checkpoint: log.pin,
});

test("R-80 the verifier is bundled for browsers, and what needs Node is not", async () => {
  expect(await bundleForBrowser(script)).not.toContain("node:");
  await expect(bundleForBrowser("src/sdk/gather-evidence.ts")).rejects.toThrow(/Could not resolve/);
});

test("R-80 in a browser a good bundle is intact on each basis that its verifier holds", async () => {
  const text = sdk.formatEvidence(await evidenceOfRecord());
  const trust = { ...log.trust, anchored: [{ note: log.pin }] };
  const size = laid.leaves.length;
  expect(await saidOf({ kind: "record", rid }, text, trust)).toEqual({
    verdict: "intact",
    basis: [
      { kind: "self" },
      { kind: "witnessed", k: 1 },
      { kind: "pinned", size },
      { kind: "anchored", size },
    ],
    findings: [],
    counts: {},
    checked: { records: 1, coverages: 0, bodies: 1, lists: 0 },
  });
});

test("R-21 in a browser a changed body, entry or cosignature is broken and named", async () => {
  const evidence = await evidenceOfRecord();
  const [given] = evidence.entries;
  if (given === undefined) throw new Error("no entry");
  const changed = (over: Partial<typeof given>): sdk.Evidence => ({
    ...evidence,
    entries: [{ ...given, ...over }],
  });
  const body = given.body?.map((byte, at) => (at === 60 ? byte ^ 1 : byte));
  const checkpoint = log.pin.replace(
    /(witness\.test \S{60})(\S)/,
    (_, head, digit) => `${head}${digit === "A" ? "B" : "A"}`,
  );
  const object = { kind: "record", rid } as const;
  const lies: readonly (readonly [sdk.Evidence, Partial<sdk.Finding>])[] = [
    [changed({ body }), { code: "BODY_CHANGED", object }],
    [changed({ entry: given.entry.replace('"act":"', '"act":"x') }), { code: "INCLUSION_INVALID" }],
    [{ ...evidence, checkpoint }, { code: "COSIGNATURE_INVALID" }],
  ];
  const trust = { ...sdk.noTrust, witnesses: log.trust.witnesses };
  for (const [lie, finding] of lies)
    expect(await saidOf({ kind: "record", rid }, sdk.formatEvidence(lie), trust)).toMatchObject({
      verdict: "broken",
      findings: expect.arrayContaining([expect.objectContaining(finding)]),
    });
});

test("R-80 in a browser a range is intact, incomplete where something of it is held back, and a text that is no bundle is refused", async () => {
  const position = parseRid(rid);
  if (position === undefined) throw new Error("no rid");
  const src = srcOf(position.topicId, position.partition);
  const scope = { kind: "range", src, from: 0, to: 100 } as const;
  const evidence = await rangeEvidence(laid, log.store, src, 0, 100);
  expect(await saidOf(scope, sdk.formatEvidence(evidence))).toMatchObject({ verdict: "intact" });
  const held = { ...evidence, entries: evidence.entries.filter((_, at) => at !== 3) };
  expect(await saidOf(scope, sdk.formatEvidence(held))).toMatchObject({ verdict: "incomplete" });
  expect(await saidOf(scope, "{}")).toMatchObject({ ok: false });
});

test("R-80 in a browser a log that is served is intact, one with a changed tile is broken and the tile is named", async () => {
  const trust = { ...sdk.noTrust, pin: log.pin };
  expect(await saidOfLog("good", trust)).toMatchObject({
    verdict: "intact",
    basis: [{ kind: "self" }, { kind: "pinned", size: laid.leaves.length }],
    findings: [],
  });
  expect(await saidOfLog("changed", trust)).toMatchObject({
    verdict: "broken",
    findings: [{ code: "TILE_CHANGED", object: { kind: "tile", level: 0, n: 0 } }],
  });
});

test("R-80 in a browser the verifier asks nobody but the log that it was given", () => {
  const asked = browser.requests.filter((url) => !url.startsWith("data:"));
  expect(asked.filter((url) => !url.startsWith(browser.url))).toEqual([]);
  expect(asked.length).toBeGreaterThan(2);
  expect(browser.errors).toEqual([]);
});
