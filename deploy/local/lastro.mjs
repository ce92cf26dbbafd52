#!/usr/bin/env node
/** The `lastro` command of an installed checkout: runs src/cli/main.ts, with the Node the checkout brings where this one cannot read TypeScript. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const brought = join(root, "node_modules", ".bin", "node");
const isNewEnough = Number.parseInt(process.versions.node, 10) >= 24;
const node = isNewEnough || !existsSync(brought) ? process.execPath : brought;

const command = spawn(node, [join(root, "src", "cli", "main.ts"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
// A terminal's Ctrl-C reaches the command by itself; this process only must not go first.
process.on("SIGINT", () => {});
for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"]))
  process.on(signal, () => command.kill(signal));
command.once("exit", (code, signal) => {
  process.exitCode = code ?? (signal === "SIGINT" ? 130 : 143);
});
