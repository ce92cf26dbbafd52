/** Generated envelopes at the edges of what is accepted: every one is stored and read back to the byte. LASTRO_TEST_ENVELOPES says how many. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { campaignTimeoutMs, report, seed } from "../support/fuzz.ts";
import { nowMs } from "../support/intake.ts";
import { judge } from "../support/messages.ts";
import { openReadBack } from "../support/read-back.ts";

const envelopes = Number(process.env["LASTRO_TEST_ENVELOPES"] ?? 500);
const batchEnvelopes = 100;

/** JSON texts, not values: the same value is written in more than one way. */
const space = fc.constantFrom("", "", "", " ", "\n", "\r\n\t");
const spaced = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, text, space).map((parts) => parts.join(""));
const characters = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("\u2028\u2029", "\u202eabc", "\ufeff", "\uffff0.", "\u{10ffff}", "\u001b[2J", "a\u0301", "=HYPERLINK(1)", "'; DROP TABLE records; --", "<img onerror=1>"),
); // biome-ignore format: a table
const escaped = (text: string): string => [...text].map((character) => escapeOf(character)).join("");
const escapeOf = (character: string): string =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
const stringText = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(text, fc.nat(5))
    .map(([value, kind]) => (kind === 0 ? `"${escaped(value)}"` : JSON.stringify(value)));
const numberText = fc.oneof(
  fc.constantFrom("0", "-0", "-0.0", "1.0", "1E2", "1e+2", "10e-1", "5e-324", "1e-400", "1.7976931348623157e308", "9007199254740991", "9007199254740993", "0.1", "0.10000000000000000001", "9".repeat(64), `0.${"0".repeat(61)}1`),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }).map(String),
  fc.tuple(fc.maxSafeInteger(), fc.nat(99), fc.integer({ min: -300, max: 280 })).map(([whole, part, power]) => `${whole}.${part}e${power}`),
); // biome-ignore format: a table

const nameText = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toJSON", "toBSON", "then", "hasOwnProperty", "$set", "$where", "_id", "a.b", "", ".", "0", "4294967295", "\\", "\n", '"', "/", "~0", "id", "public_id"),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
).filter((name) => !name.includes("\u0000") && [...name].length <= 20); // biome-ignore format: a table

const objectText = (value: fc.Arbitrary<string>, size: fc.ArrayConstraints): fc.Arbitrary<string> =>
  fc
    .uniqueArray(fc.tuple(nameText, value, fc.nat(5)), { ...size, selector: ([name]) => name })
    .map((members) => {
      const texts = members.map(
        ([name, text, kind]) => `${kind === 0 ? `"${escaped(name)}"` : JSON.stringify(name)}:${text}`,
      );
      return `{${texts.join()}}`;
    });
const valueText = fc.letrec<{ value: string }>((tie) => ({
  value: spaced(
    fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(numberText, stringText(characters), fc.constantFrom("true", "false", "null")),
      fc.array(tie("value"), { maxLength: 6 }).map((items) => `[${items.join()}]`),
      objectText(tie("value"), { maxLength: 6 }),
    ),
  ),
})).value;
const deepText = fc.tuple(valueText, fc.integer({ min: 1, max: 24 }), fc.boolean()).map(([value, depth, list]) =>
  list ? `${"[".repeat(depth)}${value}${"]".repeat(depth)}` : `${'{"d":'.repeat(depth)}${value}${"}".repeat(depth)}`,
); // biome-ignore format: a chain
const wideText = fc
  .tuple(numberText, fc.integer({ min: 1, max: 1_500 }))
  .map(([value, width]) => `{${Array.from({ length: width }, (_, i) => `"w${i}":${value}`).join()}}`);
const payloadText = fc
  .tuple(
    fc.array(fc.oneof({ weight: 16, arbitrary: valueText }, { weight: 4, arbitrary: deepText }, { weight: 1, arbitrary: wideText }), { maxLength: 4 }),
    stringText(fc.stringMatching(/^[\w-]{1,40}$/)),
  )
  .map(([values, id]) => `{"public_id":${id}${values.map((value, i) => `,"m${i}":${value}`).join("")}}`); // biome-ignore format: a chain

const idText = stringText(
  characters.filter((id) => id.length > 0 && id.length <= 256 && !id.includes("\u0000")),
);
const visibleText = fc.stringMatching(/^[!-~]{1,200}$/).map((text) => JSON.stringify(text));
const timeText = fc
  .tuple(
    fc.date({ min: new Date("2000-01-02"), max: new Date(nowMs), noInvalidDate: true }),
    fc.constantFrom("Z", "123456Z", "+00:00", "-00:00"),
  )
  .map(([time, zone]) => `"${time.toISOString().replace("Z", zone)}"`);
const metadataText = fc
  .tuple(
    fc.record({
      event_schema_version: fc.constantFrom('"1.0"', '"1"', '"2.3.4"'),
      owner_id: idText,
      owner_role: idText,
      owner_ip: fc.oneof(fc.ipV4(), fc.ipV6()).map((ip) => JSON.stringify(ip)).filter((ip) => !/"::\d+\./.test(ip)),
      ownership_id: idText,
      tenant_id: visibleText,
    }),
    fc.constantFrom('"user"', '"service"'),
    fc.boolean(),
    valueText,
  )
  .map(([fields, type, aliased, extra]) =>
    `{${Object.entries(fields).map(([name, text]) => `"${aliased ? name.replace(/^owner_(?=id|role|ip)/, "user_") : name}":${text}`).join()},"owner_type":${type},"extra":${extra}}`,
  ); // biome-ignore format: a chain
const envelopeText = fc
  .record({
    producer_service: visibleText,
    producer_service_id: idText,
    trace_id: fc.oneof(idText, fc.uuid().map((id) => `"${id}"`)),
    timestamp: timeText,
    event_type: fc.stringMatching(/^[a-z0-9_]{1,20}(\.[a-z0-9_-]{1,20}){1,3}$/).map((type) => `"${type}"`),
    payload: payloadText,
    metadata: metadataText,
  })
  .chain((fields) => fc.shuffledSubarray(Object.entries(fields), { minLength: 7 }))
  .chain((fields) => space.map((gap) => `${gap}{${gap}${fields.map(([name, text]) => `"${name}"${gap}:${gap}${text}`).join(`${gap},`)}}${gap}`)); // biome-ignore format: a chain

test(
  `${envelopes} generated envelopes are all stored, and read back to the byte (seed ${seed})`,
  async () => {
    await using store = await openReadBack();
    const counts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(envelopeText, { minLength: batchEnvelopes, maxLength: batchEnvelopes }),
        async (texts) => {
          const sent = texts.map((text) => ({
            key: null,
            value: Buffer.from(text),
            headers: [],
            timestampMs: nowMs,
          }));
          expect(sent.filter((event) => !judge(event)).map(({ value }) => String(value))).toEqual([]);
          for (const { kind } of await store.publish(sent)) counts[kind] += 1;
        },
      ),
      { numRuns: Math.ceil(envelopes / batchEnvelopes), seed, endOnFailure: true },
    );
    report(`generated envelopes: ${JSON.stringify(counts)}`);
    expect(counts).toMatchObject({ conflict: 0, rejected: 0 });
    expect(counts.stored).toBeGreaterThanOrEqual(envelopes * 0.99);
  },
  campaignTimeoutMs,
);
