import { expect, test } from "@jest/globals";
import {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
} from "../../src/core/add-checkpoint.ts";
import { formatNote } from "../../src/core/signed-note.ts";
import type { SeenTree } from "../../src/ports/witness.ts";
import { judgeCheckpoint } from "../../src/witness/judge.ts";
import { ed25519, flipped, sha256, testSigner } from "../support/log.ts";
import { type WatchedLog, watchedLog } from "../support/witness.ts";

const origin = "log.test/a";
const log = watchedLog(origin, 300);
/** The same key over other leaves from index 100 on. */
const fork = watchedLog(origin, 300, 100);
const stranger = watchedLog("log.test/b", 300);
const newKey = testSigner(origin, "ed25519", "the key after a rotation");
const witnessKey = testSigner("witness.test/w", "cosignature/v1");
const seenAt = (size: number): SeenTree => ({ size, root: log.rootAt(size) });
const empty = sha256(new Uint8Array(0));

const signedBy = (of: WatchedLog, size: number, ...signers: (typeof newKey)[]): string =>
  formatNote({
    text: of.text(size),
    signatures: signers.map((signer) => signer.signature(of.text(size), 5)),
  });

function verdictOf(request: AddCheckpoint, seen: SeenTree | undefined): string {
  const rules = { logs: [log.signer.key, newKey.key], sha256, verify: ed25519 };
  const judgement = judgeCheckpoint(rules, request, (asked) => (asked === origin ? seen : undefined));
  if (judgement.kind === "cosign") return `cosign ${judgement.checkpoint.size}`;
  return judgement.status === 409
    ? `409 ${judgement.size}${judgement.isFork ? " fork" : ""}`
    : String(judgement.status);
}

const from = (of: WatchedLog, oldSize: number, size: number) => () => of.request(oldSize, size);
const but =
  (change: Partial<AddCheckpoint>, of: WatchedLog, oldSize: number, size: number) =>
  async (): Promise<AddCheckpoint> => ({ ...(await of.request(oldSize, size)), ...change });

test.each([
  ["the first checkpoint of a log", from(log, 0, 70), undefined, "cosign 70"],
  ["an empty log", from(log, 0, 0), undefined, "cosign 0"],
  ["the first leaves after an empty log", from(log, 0, 9), { size: 0, root: empty }, "cosign 9"],
  ["a larger tree that is consistent", from(log, 70, 300), seenAt(70), "cosign 300"],
  ["a power of two that grows by one", from(log, 128, 129), seenAt(128), "cosign 129"],
  ["the same checkpoint again", from(log, 70, 70), seenAt(70), "cosign 70"],
  ["signatures of both keys of a rotation", but({ checkpoint: signedBy(log, 70, newKey, log.signer) }, log, 0, 70), undefined, "cosign 70"],
  ["a signature of the new key alone", but({ checkpoint: signedBy(log, 70, newKey) }, log, 0, 70), undefined, "cosign 70"],
  ["signatures of unknown keys beside a trusted one", but({ checkpoint: signedBy(log, 70, witnessKey, stranger.signer, log.signer) }, log, 0, 70), undefined, "cosign 70"],

  ["a note without a signature", but({ checkpoint: log.text(70) }, log, 0, 70), undefined, "400"],
  ["a signed text that is no checkpoint", but({ checkpoint: formatNote({ text: "hello\n", signatures: [log.signer.signature("hello\n")] }) }, log, 0, 70), undefined, "400"],
  ["an old size above the checkpoint's", from(log, 71, 70), seenAt(71), "400"],
  ["an unknown log", from(stranger, 0, 70), undefined, "404"],
  ["a signature of an unknown key alone", but({ checkpoint: signedBy(log, 70, stranger.signer) }, log, 0, 70), undefined, "403"],
  ["a signature of a trusted key over another text", but({ checkpoint: formatNote({ text: log.text(70), signatures: [log.signer.signature(log.text(71))] }) }, log, 0, 70), undefined, "403"],
  ["a cosignature where the log's signature belongs", but({ checkpoint: signedBy(log, 70, witnessKey) }, log, 0, 70), undefined, "403"],

  ["an old size below what was seen", from(log, 0, 300), seenAt(70), "409 70"],
  ["an old size above what was seen", from(log, 80, 300), seenAt(70), "409 70"],
  ["an old size where nothing was seen", from(log, 70, 300), undefined, "409 0"],
  ["a smaller tree: the log went back", from(log, 60, 60), seenAt(70), "409 70"],
  ["another tree of the size that was seen", from(fork, 150, 150), seenAt(150), "409 150 fork"],
  ["leaves where an empty tree was seen", async () => ({ oldSize: 0, proof: [], checkpoint: signedOther(0) }), undefined, "409 0 fork"],

  ["a fork, with its own proof", from(fork, 150, 300), seenAt(150), "422"],
  ["a proof with one bit changed", async () => { const request = await log.request(70, 300); return { ...request, proof: request.proof.map((hash, at) => (at === 1 ? flipped(hash, 77) : hash)) }; }, seenAt(70), "422"],
  ["no proof", but({ proof: [] }, log, 70, 300), seenAt(70), "422"],
  ["a hash too many", async () => { const request = await log.request(70, 300); return { ...request, proof: [...request.proof, empty] }; }, seenAt(70), "422"],
  ["a proof for a log that is seen the first time", but({ proof: [empty] }, log, 0, 70), undefined, "422"],
  ["a proof for an unchanged size", but({ proof: [empty] }, log, 70, 70), seenAt(70), "422"],
] as const)("%s: %#", async (_, request, seen, expected) => {
  expect(verdictOf(await request(), seen)).toBe(expected);
}); // biome-ignore format: a table

/** A checkpoint of the size with a root that no tree of it has. */
function signedOther(size: number): string {
  const text = log.text(size).replace(/\n[^\n]+\n$/, `\n${Buffer.alloc(32, 7).toString("base64")}\n`);
  return formatNote({ text, signatures: [log.signer.signature(text)] });
}

test("R-84 a request is written and read as the protocol says", async () => {
  const request = await log.request(70, 300);
  const body = formatAddCheckpoint(request);
  const lines = body.split("\n");
  expect(lines[0]).toBe("old 70");
  expect(lines.slice(1, 1 + request.proof.length)).toEqual(
    request.proof.map((hash) => Buffer.from(hash).toString("base64")),
  );
  expect(body.endsWith(`\n\n${request.checkpoint}`)).toBe(true);
  expect(parseAddCheckpoint(body)).toEqual(request);
});

const hashLine = `${Buffer.alloc(32, 1).toString("base64")}\n`;
test.each([
  ["nothing", ""],
  ["no empty line", "old 0\n"],
  ["no old line", `${hashLine}\n${log.note(1)}`],
  ["an old size with leading zeroes", `old 01\n\n${log.note(1)}`],
  ["a negative old size", `old -1\n\n${log.note(1)}`],
  ["an old size that is no safe integer", `old 9007199254740992\n\n${log.note(1)}`],
  ["an old size with a space too many", `old  1\n\n${log.note(1)}`],
  ["carriage returns", `old 0\r\n\r\n${log.note(1)}`],
  ["a proof line that is not base64", `old 1\n%%\n\n${log.note(1)}`],
  ["a proof line of 31 bytes", `old 1\n${Buffer.alloc(31).toString("base64")}\n\n${log.note(1)}`],
  ["64 proof lines", `old 1\n${hashLine.repeat(64)}\n${log.note(1)}`],
])("%s is no request", (_, body) => {
  expect(parseAddCheckpoint(body)).toBeUndefined();
});

test("63 proof lines are a request", () => {
  expect(parseAddCheckpoint(`old 1\n${hashLine.repeat(63)}\n${log.note(1)}`)?.proof).toHaveLength(63);
});
