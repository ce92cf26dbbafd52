/** `npm run -s lastro -- …`: the command line of this process. Time and randomness enter here. Without a handler of its own, Ctrl-C ends it at once. */
import { randomBytes } from "node:crypto";
import { runCli } from "./program.ts";

// A reader that has enough (`lastro … | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  now: Date.now,
  random: (bytes) => randomBytes(bytes),
});
