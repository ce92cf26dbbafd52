/** Bounds and policies of the parse station, each with its default. Changing one changes what is accepted, never what was. */

export type ParseLimits = {
  readonly valueBytesMax: number;
  /** Objects and arrays inside one another; the event's own object does not count. */
  readonly depthMax: number;
  readonly keysPerObjectMax: number;
  /** JSON values in one event, containers included. */
  readonly nodesMax: number;
  /** Bytes of a key and of a string as written, quotes excluded. */
  readonly keyBytesMax: number;
  readonly stringBytesMax: number;
  readonly numberCharsMax: number;
  readonly headersMax: number;
  /** Characters of a header's key and bytes of its value together. */
  readonly headerBytesMax: number;
};

/** `valueBytesMax` may be raised up to this: the topic's own limit. */
export const valueBytesHardMax = 4_194_304;

export const defaultLimits: ParseLimits = {
  valueBytesMax: 1_048_576,
  depthMax: 32,
  keysPerObjectMax: 5_000,
  nodesMax: 50_000,
  keyBytesMax: 256,
  stringBytesMax: 262_144,
  numberCharsMax: 64,
  headersMax: 64,
  headerBytesMax: 8_192,
};

export type ParseOptions = {
  readonly limits: ParseLimits;
  readonly nowMs: number;
  /** What happens to an `event_schema_version` whose major is none of `knownMajors`. */
  readonly schemaVersions: { readonly knownMajors: readonly string[]; readonly unknown: "flag" | "reject" };
  /** Values of `producer_service` whose events need no `ownership_id`. */
  readonly ownershipExempt: ReadonlySet<string>;
  /** A timestamp further ahead of `nowMs` is flagged `clock_skew`. */
  readonly clockSkewMs: number;
  /** A timestamp further behind `nowMs` is flagged `late`. */
  readonly lateAfterMs: number;
};

/** The producer of the service's own events: they are about no person's data, and need no ownership. Nobody else may say so at our own doors. */
export const selfProducer = "lastro";

/** Everything but the time. */
export const defaultParseOptions: Omit<ParseOptions, "nowMs"> = {
  limits: defaultLimits,
  schemaVersions: { knownMajors: ["1"], unknown: "flag" },
  ownershipExempt: new Set([selfProducer]),
  clockSkewMs: 300_000,
  lateAfterMs: 86_400_000,
};

/** Ids are texts of 1 to 256 characters (Unicode code points). */
const idCharsMax = 256;
export const isIdText = (text: string): boolean =>
  text.length > 0 &&
  !text.includes("\u0000") &&
  (text.length <= idCharsMax || (text.length <= 2 * idCharsMax && [...text].length <= idCharsMax));
/** A text that is not empty as an id: cut where it is too long, NUL replaced. */
export const asIdText = (text: string): string =>
  [...text.replaceAll("\u0000", "\ufffd")].slice(0, idCharsMax).join("");
