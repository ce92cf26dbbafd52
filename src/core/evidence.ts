/** An evidence bundle: one JSON document with all that is needed to verify records or ranges of offsets without the server. Read strictly, written plainly. */
import { fromBase64, toBase64 } from "./base64.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";
import { hashBytes } from "./merkle.ts";
import { signaturesMax } from "./signed-note.ts";
import { parseTlogProof } from "./tlog-proof.ts";

export type EvidenceEntry = {
  readonly index: number;
  /** Verbatim text of the leaf entry. */
  readonly entry: string;
  /** RFC 6962 inclusion path in the tree of the bundle's checkpoint. */
  readonly path: readonly Uint8Array[];
  /** Checkpoint of the tlog-proof that brought the path, if one did. */
  readonly proven: string | undefined;
  /** Sealed body; undefined: not given. */
  readonly body: Uint8Array | undefined;
};

export type Evidence = {
  /** The signed note. */
  readonly checkpoint: string;
  /** Verifier keys of the log as the giver tells them: good for basis `self` only. */
  readonly vkeys: readonly string[];
  readonly entries: readonly EvidenceEntry[];
  /** Lists of offsets that are not `stored`, verbatim, by the coverage entry whose `list` is their SHA-256. */
  readonly outcomes: readonly { readonly index: number; readonly list: string }[];
  readonly consistency: readonly {
    readonly from: number;
    readonly to: number;
    readonly path: readonly Uint8Array[];
  }[];
};

export const evidenceVersion = 1;
/** Of one bundle, which is read whole. An entry with its body has more than 300 bytes, so `evidenceEntriesMax` is never reached first. */
export const evidenceBytesMax = 256 * 1024 * 1024;
export const evidenceEntriesMax = 1_000_000;

export function formatEvidence({ checkpoint, vkeys, entries, outcomes, consistency }: Evidence): string {
  return `${JSON.stringify({
    t: "lastro-evidence",
    v: evidenceVersion,
    checkpoint,
    vkeys,
    entries: entries.map(({ index, entry, path, body }) => ({
      index,
      entry,
      path: path.map(toBase64),
      ...(body === undefined ? {} : { body: toBase64(body) }),
    })),
    outcomes,
    consistency: consistency.map(({ from, to, path }) => ({ from, to, path: path.map(toBase64) })),
  })}\n`;
}

/** The bundle, or why the text is none. Members it does not know are passed over. */
export function parseEvidence(
  text: string,
): { readonly ok: true; readonly evidence: Evidence } | { readonly ok: false; readonly why: string } {
  try {
    const json: JsonValue = JSON.parse(text);
    if (!isJsonObject(json) || member(json, "t") !== "lastro-evidence")
      throw new Fault("it is no evidence bundle");
    if (member(json, "v") !== evidenceVersion) throw new Fault("its version is not known here");
    return {
      ok: true,
      evidence: {
        checkpoint: textAt(json, "checkpoint"),
        vkeys: listAt(json, "vkeys", signaturesMax).map((vkey) => asText(vkey, "vkeys")),
        entries: listAt(json, "entries").map(entryOf),
        outcomes: listAt(json, "outcomes").map((item) => {
          const list = objectOf(item, "outcomes");
          return { index: numberAt(list, "index"), list: textAt(list, "list") };
        }),
        consistency: listAt(json, "consistency").map((item) => {
          const proof = objectOf(item, "consistency");
          return { from: numberAt(proof, "from"), to: numberAt(proof, "to"), path: pathAt(proof) };
        }),
      },
    };
  } catch (error) {
    return { ok: false, why: error instanceof Fault ? error.message : "it is no JSON" };
  }
}

class Fault extends Error {}

function entryOf(item: JsonValue): EvidenceEntry {
  const json = objectOf(item, "entries");
  const entry = textAt(json, "entry");
  const body = member(json, "body");
  const bytes = body === undefined ? undefined : bytesOf(body, "body");
  const proofText = member(json, "proof");
  if (proofText === undefined)
    return { index: numberAt(json, "index"), entry, path: pathAt(json), proven: undefined, body: bytes };
  const proof = parseTlogProof(asText(proofText, "proof"));
  if (proof === undefined) throw new Fault("proof is no tlog-proof");
  return { index: proof.index, entry, path: proof.path, proven: proof.checkpoint, body: bytes };
}

function objectOf(value: JsonValue, name: string): JsonObject {
  if (!isJsonObject(value)) throw new Fault(`${name} holds something that is no object`);
  return value;
}
function listAt(json: JsonObject, name: string, max = evidenceEntriesMax): readonly JsonValue[] {
  const value = member(json, name) ?? [];
  if (!Array.isArray(value)) throw new Fault(`${name} is no list`);
  if (value.length > max) throw new Fault(`${name} is too large: it holds more than ${max}`);
  return value as readonly JsonValue[];
}
function asText(value: JsonValue | undefined, name: string): string {
  if (typeof value !== "string") throw new Fault(`${name} is no text`);
  return value;
}
const textAt = (json: JsonObject, name: string): string => asText(member(json, name), name);
function numberAt(json: JsonObject, name: string): number {
  const value = member(json, name);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new Fault(`${name} is no count`);
  return value;
}
function bytesOf(value: JsonValue, name: string): Uint8Array {
  const bytes = fromBase64(asText(value, name));
  if (bytes === undefined) throw new Fault(`${name} is no base64`);
  return bytes;
}
const pathAt = (json: JsonObject): readonly Uint8Array[] =>
  listAt(json, "path").map((hash) => {
    const bytes = bytesOf(hash, "path");
    if (bytes.length !== hashBytes) throw new Fault("path holds a hash that is not 32 bytes long");
    return bytes;
  });
