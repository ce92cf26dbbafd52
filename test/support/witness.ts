/** A log whose checkpoints witnesses are asked to cosign, and our witness program as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { AddCheckpoint } from "../../src/core/add-checkpoint.ts";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { consistencyPath, leafHashOf } from "../../src/core/merkle.ts";
import { formatNote, formatVerifierKey } from "../../src/core/signed-note.ts";
import { bytes, sha256, type TestSigner, testSigner, treeOf } from "./log.ts";

export type WatchedLog = {
  readonly origin: string;
  readonly vkey: string;
  readonly signer: TestSigner;
  rootAt(size: number): Uint8Array;
  text(size: number): string;
  /** The signed checkpoint. */
  note(size: number): string;
  /** What the log sends to a witness that has seen `oldSize`. */
  request(oldSize: number, size: number): Promise<AddCheckpoint>;
};

/** `fork`: leaves from there on are others; the key stays. */
export function watchedLog(origin: string, leaves: number, fork: number = leaves): WatchedLog {
  const tree = treeOf(
    Array.from({ length: leaves }, (_, at) => leafHashOf(sha256, bytes(at < fork ? `${at}` : `other ${at}`))),
  );
  const signer = testSigner(origin);
  const { rootAt } = tree;
  const text = (size: number): string => formatCheckpoint({ origin, size, root: rootAt(size) });
  const note = (size: number): string =>
    formatNote({ text: text(size), signatures: [signer.signature(text(size))] });
  return {
    origin,
    vkey: formatVerifierKey(sha256, signer.key),
    signer,
    rootAt,
    text,
    note,
    async request(oldSize, size) {
      const proof = oldSize > size ? [] : await consistencyPath(sha256, oldSize, size, tree.read);
      return { oldSize, proof, checkpoint: note(size) };
    },
  };
}

export type WitnessProcess = {
  readonly vkey: string;
  readonly url: string;
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  errors(): string;
};

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const dying = fileURLToPath(new URL("./dying-witness.ts", import.meta.url));

export type WitnessProcessOptions = {
  readonly folder: string;
  readonly logs: readonly string[];
  readonly name?: string;
  readonly listen?: string;
  /** Kills itself after it has remembered that many checkpoints, before it answers. */
  readonly dieAt?: number;
};

/** Resolves once it listens. */
export async function startWitnessProcess(options: WitnessProcessOptions): Promise<WitnessProcess> {
  const { folder, logs, name = "witness.test/w1", listen = "127.0.0.1:0", dieAt } = options;
  const args =
    dieAt === undefined
      ? [cli, "witness", "--plain", "--name", name, "--folder", folder, "--listen", listen, "--log", ...logs]
      : [dying, String(dieAt), name, folder, ...logs];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"] ?? "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 2) break;
  }
  const [vkey, url] = lines;
  if (vkey === undefined || url === undefined)
    throw new Error(`the witness ended (${await ended}) before it listened:\n${errors}`);
  return { vkey, url, process: child, ended, errors: () => errors };
}

/** What the witness answers to this body. */
export async function post(
  url: string,
  body: string | Uint8Array,
): Promise<{ readonly status: number; readonly type: string | null; readonly text: string }> {
  const response = await fetch(new URL("add-checkpoint", `${url}/`), {
    method: "POST",
    body: new Blob([body]),
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}
