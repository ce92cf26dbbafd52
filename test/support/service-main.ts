/** The service as `src/main.ts` starts it, but it can be told to end like a machine that loses power, or to stand still. */
import { Producer } from "@platformatic/kafka";
import { runService } from "../../src/app.ts";
import { diesAt } from "./die-at.ts";

const reached = diesAt(process.env["LASTRO_TEST_DIE_AT"] ?? "");

const { send } = Producer.prototype;
Producer.prototype.send = function (...options: Parameters<typeof send>) {
  const sent = send.apply(this, options);
  setImmediate(() => reached("lettering"));
  return sent;
};

process.exitCode = await runService(process.env, { reached });
