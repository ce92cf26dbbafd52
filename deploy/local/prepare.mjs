/** Makes the checkout runnable: dependencies as the lock file says, and a Node that runs TypeScript. Needs nothing but Node 20. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./child.mjs";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const nodeMajorMin = 24;

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/**
 * Compares what the lock file asks for with what npm noted after its last whole installation. Optional packages are not
 * compared: which of them are installed depends on the machine.
 * @param {Packages} locked @param {Packages | undefined} installed
 */
export const needsInstall = (locked, installed) =>
  installed === undefined ||
  Object.entries(locked).some(
    ([path, wanted]) => path !== "" && !wanted.optional && installed[path]?.version !== wanted.version,
  );

/** @param {string} file @returns {Packages | undefined} */
const packagesOf = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : undefined);

/** The PATH without what `npm run` puts before it, so that npm is not run by a Node that it is about to replace. */
const outerPath = () =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((dir) => !dir.includes("node_modules"))
    .join(delimiter);

/** @param {(line: string) => void} log */
async function installDependencies(log) {
  const locked = packagesOf(join(root, "package-lock.json")) ?? {};
  if (!needsInstall(locked, packagesOf(join(root, "node_modules", ".package-lock.json")))) return;
  log("Dependencies: npm install (about half a minute, once) …");
  // Not `npm ci`: it refuses a lock file made where the optional packages of other platforms cannot be had.
  const { code, output } = await run("npm", ["install", "--no-save", "--no-audit", "--no-fund"], {
    cwd: root,
    env: { PATH: outerPath() },
  });
  if (code !== 0) throw new Error(`The dependencies could not be installed; npm said:\n${output}`);
}

/** The Node that runs TypeScript: the one that came as a dependency, else the machine's own if it is new enough. */
async function findNode() {
  for (const node of [join(root, "node_modules", ".bin", "node"), process.execPath]) {
    const { code, output } = await run(node, ["-p", "process.versions.node"]);
    if (code === 0 && Number.parseInt(output, 10) >= nodeMajorMin) return node;
  }
  throw new Error(
    `Lastro runs on Node ${nodeMajorMin} or newer. This is Node ${process.versions.node}, and for ${process.platform} ${process.arch} npm has no package of Node ${nodeMajorMin}: install Node ${nodeMajorMin}, then repeat the command`,
  );
}

/** @param {(line: string) => void} log @returns {Promise<string>} the Node to run everything else with */
export async function prepare(log) {
  await installDependencies(log);
  return findNode();
}

/** The launcher speaks on standard error; a terminal that has gone away must not end it before it has stopped its servers. */
export function speaker() {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return (/** @type {string} */ line) => void process.stderr.write(`${line}\n`);
}

/** A failure that has been explained needs no stack. @param {unknown} error */
export const explain = (error) => (error instanceof Error ? error.message : String(error));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const log = speaker();
  await prepare(log).catch((error) => {
    log(explain(error));
    process.exitCode = 1;
  });
}
