/** The verifier for those who do not trust the server: bundles of evidence and whole logs, in Node and in browsers, without anything of the service. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Evidence, formatEvidence, parseEvidence } from "../core/evidence.ts";
import {
  type Basis,
  basisText,
  type Finding,
  type FindingCode,
  type FindingObject,
  findingEffects,
  objectText,
  type Verdict,
  type Verification,
} from "../core/findings.ts";
import { entriesPath, tilePath } from "../core/tiles.ts";
import {
  type Anchored,
  noTrust,
  openCheckpoint,
  type TimeStampVerdict,
  type Trust,
  type VerifyCrypto,
} from "../core/trust.ts";
import { type BundleScope, verifyBundle as verifyBundleWith } from "../core/verify-bundle.ts";
import { type LogReader, type VerifyLogOptions, verifyLog as verifyLogWith } from "../core/verify-log.ts";

const crypto: VerifyCrypto = {
  sha256,
  verify(publicKey, message, signature) {
    try {
      return ed25519.verify(signature, message, publicKey);
    } catch {
      // Bytes that are no key or no signature verify nothing.
      return false;
    }
  },
};

/** Verifies what the bundle says of a record or a range of offsets; asks nobody. */
export const verifyBundle = (scope: BundleScope, evidence: Evidence, trust: Trust = noTrust): Verification =>
  verifyBundleWith(scope, evidence, trust, crypto);

/** Verifies a whole log: every entry, tile and root. Rejects as the reader does. */
export const verifyLog = (reader: LogReader, options: VerifyLogOptions): Promise<Verification> =>
  verifyLogWith(reader, options, crypto);

const resourceBytesMax = 32 * 1024 * 1024;
const askAgainMs = 50;
const askAgainMax = 10;

/** Reads a log's static resources below a URL, such as `https://audit.example/`. Rejects when the server does not answer, or answers too much. */
export function httpLogReader(baseUrl: string, fetchUrl: typeof fetch = fetch): LogReader {
  const base = baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`;
  const read = async (path: string): Promise<Uint8Array | undefined> => {
    const response = await fetchUrl(new URL(path, base));
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${path}: the server answers ${response.status}`);
    return boundedBody(response, path);
  };
  return neverBehind(logReaderOf(read));
}

/** Instances behind one address remember what is published for up to 100 ms, each for itself: a latest checkpoint below the witnessed one that was given is asked for again. */
function neverBehind(reader: LogReader): LogReader {
  let witnessed = 0;
  return {
    ...reader,
    async checkpoint(name) {
      let note = await reader.checkpoint(name);
      if (name === "witnessed") witnessed = sizeOf(note);
      for (let again = 0; name === "latest" && sizeOf(note) < witnessed && again < askAgainMax; again++) {
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
        note = await reader.checkpoint(name);
      }
      return note;
    },
  };
}

const sizeOf = (note: string | undefined): number =>
  (note === undefined ? undefined : openCheckpoint(note)?.checkpoint.size) ?? 0;

async function boundedBody(response: Response, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > resourceBytesMax) throw new Error(`${path}: the answer is too large`);
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** A log whose resources come by their C2SP path, wherever they lie. A partial one may have been replaced by the full one since. */
export function logReaderOf(read: (path: string) => Promise<Uint8Array | undefined>): LogReader {
  const orFull = async (partial: string, full: string): Promise<Uint8Array | undefined> =>
    (await read(partial)) ?? (partial === full ? undefined : read(full));
  return {
    async checkpoint(name) {
      const note = await read(name === "latest" ? "checkpoint" : "checkpoint.witnessed");
      return note && new TextDecoder().decode(note);
    },
    tile: (tile, width) => orFull(tilePath(tile, width), tilePath(tile)),
    entries: (n, width) => orFull(entriesPath(n, width), entriesPath(n)),
  };
}

export {
  type Anchored,
  type Basis,
  type BundleScope,
  basisText,
  type Evidence,
  type Finding,
  type FindingCode,
  type FindingObject,
  findingEffects,
  formatEvidence,
  type LogReader,
  noTrust,
  objectText,
  parseEvidence,
  type TimeStampVerdict,
  type Trust,
  type Verdict,
  type Verification,
  type VerifyLogOptions,
};
