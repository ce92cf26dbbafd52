/** A witness over HTTP: C2SP tlog-witness. What it answers is checked by who asked. */
import { formatAddCheckpoint } from "../../core/add-checkpoint.ts";
import { LastroError } from "../../core/errors.ts";
import { boundedBody } from "../../lib/bounded-body.ts";
import type { Witness, WitnessVerdict } from "../../ports/witness.ts";

const answerBytesMax = 64 * 1024;

export type WitnessAddress = { readonly vkey: string /** Submission prefix. */; readonly url: string };

export function httpWitness({ vkey, url }: WitnessAddress): Witness {
  const target = new URL("add-checkpoint", url.endsWith("/") ? url : `${url}/`);
  return {
    vkey,
    async addCheckpoint(request, signal) {
      try {
        const response = await fetch(target, {
          method: "POST",
          body: formatAddCheckpoint(request),
          headers: { "content-type": "text/plain; charset=utf-8" },
          redirect: "error",
          signal,
        });
        return verdictOf(
          response.status,
          (await boundedBody(response.body, answerBytesMax)).toString("utf8"),
        );
      } catch (cause) {
        throw new LastroError("WITNESS_UNAVAILABLE", `the witness at ${target.host} does not answer`, {
          cause,
        });
      }
    },
  };
}

function verdictOf(status: number, body: string): WitnessVerdict {
  if (status === 200) return { kind: "cosigned", lines: body.split("\n").filter((line) => line !== "") };
  const size = Number(/^(?:0|[1-9]\d{0,15})\n$/.exec(body)?.[0].trim());
  if (status === 409 && Number.isSafeInteger(size)) return { kind: "at", size };
  return { kind: "refused", status };
}
