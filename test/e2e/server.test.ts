/** The doors of the running service: reflection, health, and how they close. */
import { once } from "node:events";
import { type Client, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connect } from "../support/grpc-client.ts";
import { type Service, startService, startTimeoutMs } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService("sqlite", { LASTRO_DRAIN_MS_MAX: "1000" });
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

const asIs = (bytes: Buffer): Buffer => bytes;

/** What reflection answers to ServerReflectionRequest { list_services = 7 }. */
async function listedServices(client: Client): Promise<string> {
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const stream = client.makeBidiStreamRequest(path, asIs, asIs);
  stream.end(Buffer.from([0x3a, 0]));
  const [answer] = await once(stream, "data");
  return Buffer.from(answer).toString("latin1");
}

test(
  "reflection lists the services, unless it is switched off",
  async () => {
    using client = connect(service.lastro().grpcAddress);
    const listed = await listedServices(client);
    for (const name of [
      "lastro.v1.HistoryService",
      "lastro.v1.OwnershipService",
      "lastro.v1.OperationsService",
    ])
      expect(listed).toContain(name);
    await service.restart({ LASTRO_GRPC_REFLECTION: "off" });
    using other = connect(service.lastro().grpcAddress);
    await expect(listedServices(other)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  },
  startTimeoutMs,
);

test(
  "health is SERVING until the service is told to stop, and NOT_SERVING while it drains",
  async () => {
    const [serving, notServing] = [1, 2];
    using client = connect(service.lastro().grpcAddress);
    const watch = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", asIs, asIs, Buffer.alloc(0));
    const seen: (number | undefined)[] = [];
    // HealthCheckResponse { status = 1 }
    watch.on("data", (answer: Buffer) => seen.push(answer[1]));
    watch.on("error", () => undefined);
    await once(watch, "data");
    expect((await fetch(`${service.lastro().httpUrl}/livez`)).status).toBe(200);
    const { code } = await service.restart();
    expect([code, seen]).toEqual([0, [serving, notServing]]);
  },
  startTimeoutMs,
);
