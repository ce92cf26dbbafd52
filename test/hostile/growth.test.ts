/** Inputs that are made to cost more than their size: what reads them takes time that grows with the input, not with its square. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { toBase64Url } from "../../src/core/base64.ts";
import { parseExactly } from "../../src/core/canonical.ts";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { differences, pathsTextMax } from "../../src/core/diff.ts";
import { type Evidence, formatEvidence, parseEvidence } from "../../src/core/evidence.ts";
import { parseFilter } from "../../src/core/filter.ts";
import type { B64, Rid, Src, StreamAlias } from "../../src/core/ids.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { coverageEntry } from "../../src/core/log-entries.ts";
import { nodeHash } from "../../src/core/merkle.ts";
import { formatNote, parseNote, signaturesMax } from "../../src/core/signed-note.ts";
import { streamTally } from "../../src/core/stream-tally.ts";
import { parseTlogProof } from "../../src/core/tlog-proof.ts";
import { noTrust } from "../../src/core/trust.ts";
import { verifyBundle } from "../../src/core/verify-bundle.ts";
import { bundleOf } from "../support/evidence.ts";
import { report } from "../support/fuzz.ts";
import { growthOf } from "../support/growth.ts";
import { bytes, ed25519, sha256, testSigner } from "../support/log.ts";
import { judge, messageOf } from "../support/messages.ts";
import { genesis, type Laying, origin, recorded, signedBy, vkeyOf } from "../support/signed-trees.ts";

const list = (count: number, item: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => item(i)).join();
const objects = (count: number, name: (i: number) => string): string =>
  `[${list(count, () => `{${list(600, (i) => `"${name(i)}":1`)}}`)}]`;
const event = (payload: string, metadata = ""): string =>
  `\n\n{"producer_service":"team_service","producer_service_id":"1","trace_id":"1","timestamp":"2026-11-21T11:00:00Z","event_type":"account.updated",` +
  `"payload":{"id":1,"a":${payload}},"metadata":{"event_schema_version":"1.0","user_id":"789","user_role":"admin","user_ip":"::1","ownership_id":"1"${metadata}}}`;
const structured = (rest: string): string =>
  `content-type: application/cloudevents+json\n\n{"specversion":"1.0","id":"1","source":"s","type":"a.b",${rest}}`;

/** At eight times their size all of them stay within the limits. */
const messages: readonly (readonly [name: string, size: number, text: (size: number) => string])[] = [
  ["a string of escapes", 16_000, (n) => event(`"${"\\n".repeat(n)}"`)],
  ["a string of escapes and spaces behind it", 16_000, (n) => event(`"${"\\n".repeat(n)}"${" ".repeat(n)}`)],
  ["a string of escapes that never ends", 16_000, (n) => `\n\n{"a":"${"\\n".repeat(n)}`],
  ["strings of one escape each", 5_000, (n) => event(`[${list(n, () => '"\\n"')}]`)],
  ["escaped names", 8, (n) => event(objects(n, (i) => `\\n${i}`))],
  ["names of digits", 8, (n) => event(objects(n, (i) => `${4_294_967_290 - i}`))],
  ["an escaped name and a string of U+FFFF", 10_000, (n) => event(`{"\\n":"${"\uffff".repeat(n)}"}`)],
  ["an escaped name and all that could stand for it", 3_000, (n) => event(`{"\\n":"${Array.from({ length: n }, (_, i) => `\uffff${i}.`).join("")}"}`)],
  ["equal names at the end", 8, (n) => event(`{"o":${objects(n, (i) => `a${i}`)},"b":{"a":1,"\\u0061":2}}`)],
  ["numbers that a double cannot hold", 2_000, (n) => event(`[${list(n, () => "9007199254740993.00000000000000000001")}]`)],
  ["numbers with large exponents", 2_000, (n) => event(`[${list(n, () => "1e-99999999999999999999")}]`)],
  ["spaces behind a trailing comma", 100_000, (n) => `\n\n{"a":1,${" ".repeat(n)}}`],
  ["spaces between tokens", 5_000, (n) => event(`[${list(n, () => " \n\t\r 1 \n")}]`)],
  ["brackets", 60_000, (n) => `\n\n${"[".repeat(n)}`],
  ["lists of nothing", 5_000, (n) => event(`[${list(n, () => "[]")}]`)],
  ["lines", 100_000, (n) => `\n\n${"\n".repeat(n)}x`],
  ["base64 of zeros", 30_000, (n) => structured(`"data_base64":"${"AAAA".repeat(n / 4)}"`)],
  ["base64 with a fault at its end", 30_000, (n) => structured(`"data_base64":"${"AAAA".repeat(n / 4)}!"`)],
  ["an address of colons", 30_000, (n) => event("1", `,"owner_ip":"${":".repeat(n)}"`)],
  ["an address of dots", 30_000, (n) => event("1", `,"owner_ip":"${"1.".repeat(n / 2)}"`)],
  ["an id of pairs of surrogates", 7_000, (n) => event("1", `,"event_id":"${"😀".repeat(n)}"`)],
  ["a media type of parts", 900, (n) => `content-type: application/cloudevents${"+a".repeat(n / 2)}\n\n{}`],
]; // biome-ignore format: a table

test.each(messages)("a message with %s takes time that grows with its size alone", (name, size, text) => {
  const { linear, ms } = growthOf(size, (n) => messageOf(Buffer.from(text(n))), judge);
  report(`${name}: ${ms.toFixed(1)} ms of CPU`);
  expect(linear).toBe(true);
});

/** The path to what differs grows with the event, and so does how much differs there. */
const underOnePath = (n: number, value: number): string =>
  `${list(28, (i) => `{"${`${i}`.padEnd(n / 8, "k")}":`).replaceAll(",", "")}{${list(n, (i) => `"${i}":${value}`)}}${"}".repeat(28)}`;
const itemsUnderOnePath = (n: number, value: number): string =>
  `{"${"k".repeat(n)}":[${list(100, (i) => `{${list(n / 100, (key) => `"${key}":1`)},"${i}":${value}}`)}]}`;
/** Two long lists, one of which has an item before all others. */
const oneItemMore = (n: number, value: number): string =>
  `{"a":[${value === 1 ? "" : "0,"}${list(n, (i) => `${i}`)}]}`;

test.each([
  ["members under a long path", 400, underOnePath],
  ["items under a long path", 2_000, itemsUnderOnePath],
  ["long lists", 5_000, oneItemMore],
] as const)(
  "the differences of %s take time and text that grow with the values' size alone",
  (_, size, text) => {
    const pairOf = (n: number) => [parseExactly(text(n, 1)), parseExactly(text(n, 2))] as const;
    const { linear, ms } = growthOf(size, pairOf, ([from, to]) => differences(from, to));
    report(`differences: ${ms.toFixed(1)} ms of CPU`);
    expect(linear).toBe(true);
    const found = differences(...pairOf(8 * size));
    expect(found.length).toBeGreaterThan(0);
    const pathsText = found.reduce((sum, { path }) => sum + path.length, 0);
    expect(pathsText).toBeLessThan(Math.max(pathsTextMax, text(8 * size, 1).length));
  },
);

const hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
const texts: readonly (readonly [name: string, size: number, (size: number) => string, (text: string) => unknown])[] = [
  ["a note of empty lines", 100_000, (n) => "\n".repeat(n), parseNote],
  ["a note of signatures", 2_000, (n) => `a\n\n${"— a AAAAAAA=\n".repeat(n)}`, parseNote],
  ["a note with one long name", 100_000, (n) => `a\n\n— ${"a".repeat(n)} AAAA\n`, parseNote],
  ["a proof of hashes", 2_000, (n) => `c2sp.org/tlog-proof@v1\nindex 0\n${`${hash}\n`.repeat(n)}\n`, parseTlogProof],
  ["a proof of extra data", 100_000, (n) => `c2sp.org/tlog-proof@v1\nextra ${"AAAA".repeat(n / 4)}\nindex 0\n\n`, parseTlogProof],
]; // biome-ignore format: a table

test.each(texts)("%s takes time that grows with its size alone", (name, size, text, parse) => {
  const { linear, ms } = growthOf(size, text, parse);
  report(`${name}: ${ms.toFixed(1)} ms of CPU`);
  expect(linear).toBe(true);
});

test.each(["(", "'", "\\", "tenant=a AND ", "tenant=a OR ", "-tenant=a ", " ", "a", "="])(
  "a filter of %j takes time that grows with its size alone",
  (piece) => {
    const read = (text: string): void => {
      for (let again = 0; again < 50; again++)
        try {
          parseFilter(text, new Set());
        } catch {}
    };
    expect(growthOf(512, (n) => piece.repeat(n / piece.length), read)).toMatchObject({ linear: true });
  },
);

const versions = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
test.each([
  ["whose first version is not there", (n: number) => versions(2, n), 2],
  ["that comes in the wrong order", (n: number) => versions(1, n).reverse(), undefined],
  [
    "that comes behind what follows its hole",
    (n: number) => [...versions(1_002, n), ...versions(1, 1_000)],
    1_002,
  ],
] as const)(
  "a stream %s is held against its order in time that grows with its length alone",
  (_, orderOf, open) => {
    const alias = "s" as StreamAlias;
    const { linear, ms } = growthOf(2_000, orderOf, (order) => {
      const tally = streamTally();
      expect(order.filter((version) => !tally.take(alias, "change", version, `${version}` as Rid))).toEqual(
        [],
      );
      expect(tally.take(alias, "change", 5, "again" as Rid)).toBe(false);
      expect(tally.open().map(({ version }) => version)).toEqual(open === undefined ? [] : [open]);
    });
    report(`versions of a stream: ${ms.toFixed(1)} ms of CPU`);
    expect(linear).toBe(true);
  },
);

describe("a bundle of evidence takes time that grows with its size alone", () => {
  const src = "AAAAAAAAAAAAAAAAAAAAAQ.0" as Src;
  const signer = testSigner(origin);
  const crypto = { sha256, verify: ed25519 };
  const nothing = toBase64Url(sha256(bytes(""))) as B64;

  /** One coverage entry behind `n` records of which none is given, n a power of two: any hash is its proof. */
  function claimed(n: number): Evidence {
    const counts = { stored: n, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
    const entry = coverageEntry({ atMs: 0, src, from: 0, to: n, first: 0, n, counts, list: nothing });
    const sibling = sha256(bytes("anything"));
    const root = nodeHash(sha256, sibling, leafHash(sha256, entry));
    const text = formatCheckpoint({ origin, size: n + 1, root });
    const checkpoint = formatNote({ text, signatures: [signer.signature(text)] });
    const entries = [{ index: n, entry, path: [sibling], proven: undefined, body: undefined }];
    return { checkpoint, vkeys: [vkeyOf(signer)], entries, outcomes: [], consistency: [] };
  }

  test("however many records it says that it counts: those that are missing are named as one stretch", () => {
    for (const n of [2 ** 10, 2 ** 50]) {
      const result = verifyBundle({ kind: "range", src, from: 0, to: n }, claimed(n), noTrust, crypto);
      expect(result).toMatchObject({
        verdict: "incomplete",
        findings: [{ code: "INPUT_MISSING", object: { kind: "leaves", from: 0, to: n } }],
        counts: { INPUT_MISSING: 1 },
      });
    }
  });

  test("however often it names a key; and no more keys than may sign a note are read", () => {
    let verified = 0;
    const verify: typeof ed25519 = (...args) => {
      verified += 1;
      return ed25519(...args);
    };
    const given = claimed(2);
    const note = parseNote(given.checkpoint);
    // Signed by none: each key is tried.
    const signatures = (note?.signatures ?? []).map((one) => ({ ...one, bytes: new Uint8Array(64) }));
    const checkpoint = formatNote({ text: note?.text ?? "", signatures });
    const vkeys = Array.from({ length: signaturesMax + 1 }, () => vkeyOf(signer));
    verifyBundle({ kind: "range", src, from: 0, to: 2 }, { ...given, checkpoint, vkeys }, noTrust, {
      sha256,
      verify,
    });
    expect(verified).toBe(1);
    expect(parseEvidence(formatEvidence({ ...given, vkeys }))).toMatchObject({
      ok: false,
      why: expect.stringContaining(`vkeys is too large: it holds more than ${signaturesMax}`),
    });
    expect(parseEvidence(formatEvidence({ ...given, vkeys: vkeys.slice(1) }))).toMatchObject({ ok: true });
  });

  const size = 250;
  const bundles = new Map<number, Evidence>();
  beforeAll(async () => {
    for (const n of [size, 8 * size]) {
      const laying: Laying = [
        ...genesis(signer),
        ...Array.from({ length: n }, (_, at) => recorded(at, 2 * at + 1)).flat(),
      ];
      const indexes = laying.map((_, index) => index);
      const outcomes = Array.from({ length: n }, (_, at) => ({ index: 2 * at + 2, list: "" }));
      bundles.set(n, { ...(await bundleOf(await signedBy(laying, signer), undefined, indexes)), outcomes });
    }
  });
  test("however many lists of outcomes and coverage entries it holds", () => {
    const { linear, ms } = growthOf(
      size,
      (n) => bundles.get(n) as Evidence,
      (bundle) => {
        const scope = { kind: "range", src, from: 0, to: bundle.outcomes.length } as const;
        expect(verifyBundle(scope, bundle, noTrust, crypto)).toMatchObject({
          verdict: "intact",
          findings: [],
        });
      },
    );
    report(`lists of outcomes: ${ms.toFixed(1)} ms of CPU`);
    expect(linear).toBe(true);
  });

  test("however many coverage entries count the same records, and lists are given for one of them: the first counts", async () => {
    const records = [0, 1, 2, 3].flatMap((at) => recorded(at, 0).slice(0, 1));
    const covers = [[0, 4], [4, 5]] as const; // biome-ignore format: one line
    const covering = covers.map(([from, n]): Laying[number] => {
      const counts = { stored: n, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
      const range = { src, from, to: from + n, first: 0, n };
      return [`cov:${from}`, coverageEntry({ atMs: 0, ...range, counts, list: nothing })];
    });
    const laid = await signedBy([...records, ...covering], signer);
    const outcomes = [4, 5, 5].map((index) => ({ index, list: "" }));
    const evidence = { ...(await bundleOf(laid, undefined, [0, 1, 2, 3, 4, 5])), outcomes };
    const result = verifyBundle({ kind: "range", src, from: 0, to: 9 }, evidence, noTrust, crypto);
    expect(result.counts).toEqual({ COVERAGE_BROKEN: 1, INPUT_INVALID: 1, KEY_UNKNOWN: 1 });
  });
});
