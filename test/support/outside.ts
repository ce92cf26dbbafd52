/** Outside judges of the log: Go's checksum database and Tessera, in one program that `test/outside` holds and that is built once. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "../../deploy/local/child.mjs";
import { cached, findProgram } from "../../deploy/local/programs.mjs";
import { toBase64 } from "../../src/core/base64.ts";
import { hex } from "./log.ts";

const source = fileURLToPath(new URL("../outside", import.meta.url));
/** Fetching the modules and building them, for `beforeAll`. */
export const buildMsMax = 10 * 60_000;
const runMsMax = 5 * 60_000;

/** The program's path. It lies in the cache outside the checkout, under a name made of all that it is built from. */
export async function outsideProgram(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of readdirSync(source).toSorted()) hash.update(readFileSync(join(source, file)));
  const dir = await cached(`outside-${hash.digest("hex").slice(0, 12)}`, async (draft) => {
    if (findProgram("go") === undefined)
      throw new Error(
        "The log is judged by programs in Go, and there is no go on the PATH: install Go ≥ 1.24",
      );
    cpSync(source, join(draft, "source"), { recursive: true });
    const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly -trimpath", GOWORK: "off" };
    await mustRun("go", ["build", "-o", join(draft, "outside"), "."], { cwd: join(draft, "source"), env });
    rmSync(join(draft, "source"), { recursive: true });
  });
  return join(dir, "outside");
}

type Ended = { readonly code: number | null; readonly out: string; readonly said: string };

async function outside(args: readonly string[], question?: unknown): Promise<Ended> {
  const program = await outsideProgram();
  const child = spawn(program, args, { stdio: "pipe", timeout: runMsMax, killSignal: "SIGKILL" });
  let [out, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(question === undefined ? "" : JSON.stringify(question));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  return { code: await promise, out, said };
}

async function answered(args: readonly string[], question: unknown): Promise<unknown> {
  const { code, out, said } = await outside(args, question);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${said}`);
  return JSON.parse(out);
}

export type JudgedNote = {
  /** Why the note was refused. */
  readonly error?: string;
  readonly text?: string;
  readonly signatures?: readonly {
    readonly name: string;
    readonly id: number;
    readonly timestamp?: number;
  }[];
};

/** What Go's note package, and for witnesses Tessera's, say of each note. */
export const judgeNotes = async (
  notes: readonly { readonly vkeys: readonly string[]; readonly note: string }[],
): Promise<readonly JudgedNote[]> => (await answered(["note"], notes)) as readonly JudgedNote[];

type Claim = Readonly<Record<string, number | Uint8Array | readonly Uint8Array[]>>;
export type Verdict = { readonly sumdb: boolean; readonly merkle: boolean };
export type JudgedProofs = {
  readonly inclusion: readonly Verdict[];
  readonly consistency: readonly Verdict[];
};

const inHex = (claim: Claim): Readonly<Record<string, number | string | readonly string[]>> =>
  Object.fromEntries(
    Object.entries(claim).map(([name, value]) => [
      name,
      typeof value === "number" ? value : value instanceof Uint8Array ? hex(value) : value.map(hex),
    ]),
  );

/** What golang.org/x/mod/sumdb/tlog and github.com/transparency-dev/merkle say of claims as `verifyInclusion` and `verifyConsistency` take them. */
export const judgeProofs = async (claims: {
  readonly inclusion: readonly Claim[];
  readonly consistency: readonly Claim[];
}): Promise<JudgedProofs> =>
  (await answered(["proofs"], {
    inclusion: claims.inclusion.map(inHex),
    consistency: claims.consistency.map(inHex),
  })) as JudgedProofs;

/** Tessera's check of all of a log, in a folder or under a URL: undefined when it found nothing, else what it said. */
export async function fsck(log: string, vkey: string, authorization?: string): Promise<string | undefined> {
  const { code, said } = await outside([
    "fsck",
    log,
    vkey,
    ...(authorization === undefined ? [] : [authorization]),
  ]);
  if (code === 0) return undefined;
  if (code === 1) return said;
  throw new Error(`fsck ended with ${code}: ${said}`);
}

/** Has Tessera write a log of these entries into a folder; gives its checkpoint. `secret`: a private key as Go's note package keeps it. */
export async function writeTesseraLog(
  dir: string,
  secret: string,
  entries: readonly Uint8Array[],
): Promise<string> {
  const written = await answered(["write", dir], { secret, entries: entries.map(toBase64) });
  return (written as { readonly checkpoint: string }).checkpoint;
}
