/** The thread of the pure stations. It knows the lookup key, and data keys while it seals with them; it reads no file and talks to nobody else. */
import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { emptyCatalogue, parseCatalogue } from "../core/catalogue.ts";
import { pooledRandom } from "../lib/pooled-random.ts";
import { lookupKey } from "../privacy/lookup-key.ts";
import { readEvent, type StationSettings, sealOne, type ToSeal } from "./stations.ts";
import { type Answer, packSealed, type Request, unpackEvents, unpackOrders } from "./stations-messages.ts";
import type { ThreadSettings } from "./stations-thread.ts";

const { catalogueText, lookupSecret, ...settings }: ThreadSettings = workerData;
const catalogue = catalogueText === undefined ? undefined : parseCatalogue(catalogueText);
if (catalogue !== undefined && !catalogue.ok)
  throw new Error("the catalogue is not the one that was read at the start");
const faults: string[] = [];
const stations: StationSettings = {
  ...settings,
  catalogue: catalogue?.catalogue ?? emptyCatalogue,
  lookup: lookupKey(lookupSecret),
  random: pooledRandom((bytes) => randomBytes(bytes)),
  noteFault: (cause) => void faults.push(textOf(cause)),
};
/** By the request that prepared them. */
const batches = new Map<number, readonly (ToSeal | undefined)[]>();

function prepare({ id, src, nowMs, events }: Extract<Request, { kind: "prepare" }>): Pick<Answer, "text"> {
  const read = unpackEvents(events).map((event) => readEvent(stations, src, event, nowMs));
  batches.set(
    id,
    read.map((one) => ("facts" in one ? one.toSeal : undefined)),
  );
  return { text: JSON.stringify(read.map((one) => ("facts" in one ? one.facts : one))) };
}

function seal({ batch, orders }: Extract<Request, { kind: "seal" }>): Pick<Answer, "text" | "bodies"> {
  const kept = batches.get(batch);
  const sealed = unpackOrders(orders).map((order) => {
    const toSeal = kept?.[order.at];
    if (toSeal === undefined)
      throw new Error(`event ${order.at} of batch ${batch} is not there to be sealed`);
    return sealOne(stations, toSeal, order);
  });
  return packSealed(sealed);
}

function answer(request: Exclude<Request, { kind: "release" }>): Answer {
  const nothing = { id: request.id, text: undefined, bodies: undefined, error: undefined };
  try {
    const made = request.kind === "prepare" ? prepare(request) : seal(request);
    return { ...nothing, ...made, faults: faults.splice(0) };
  } catch (cause) {
    return { ...nothing, error: textOf(cause), faults: faults.splice(0) };
  }
}

const textOf = (cause: unknown): string =>
  cause instanceof Error ? (cause.stack ?? cause.message) : "not an error";

parentPort?.on("message", (request: Request) => {
  if (request.kind === "release") {
    batches.delete(request.batch);
    return;
  }
  const made = answer(request);
  parentPort?.postMessage(made, made.bodies === undefined ? [] : [made.bodies.buffer as ArrayBuffer]);
});
