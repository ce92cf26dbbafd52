import { once } from "node:events";
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { expect, test } from "@jest/globals";
import { trace } from "@opentelemetry/api";
import { rpcInterceptor } from "../../../src/adapters/otel/rpc-interceptor.ts";
import { observed } from "./observed.ts";

const asIs = (bytes: Buffer): Buffer => bytes;
const traceId = "0af7651916cd43dd8448eb211c80319c";

async function serve(handler: (done: sendUnaryData<Buffer>) => void) {
  const telemetry = observed();
  const server = new Server({ interceptors: [rpcInterceptor(telemetry.tracer, telemetry.metrics)] });
  const path = "/lastro.v1.HistoryService/GetRecord";
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    { getRecord: method },
    { getRecord: (_call: unknown, done: sendUnaryData<Buffer>) => handler(done) },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const ask = async (traceparent: string): Promise<status> => {
    const metadata = new Metadata();
    metadata.set("traceparent", traceparent);
    const call = client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, () => {});
    const [answer] = await once(call, "status");
    return answer.code;
  };
  const close = () => {
    client.close();
    server.forceShutdown();
  };
  return { ...telemetry, ask, [Symbol.dispose]: close };
}

test("R-11 a call continues its caller's trace, inside the handler too", async () => {
  let active: string | undefined;
  using served = await serve((done) => {
    active = trace.getActiveSpan()?.spanContext().traceId;
    done(null, Buffer.alloc(0));
  });
  expect(await served.ask(`00-${traceId}-b7ad6b7169203331-01`)).toBe(status.OK);
  expect(active).toBe(traceId);
  expect(served.spans()[0]).toMatchObject({ name: "lastro.v1.HistoryService/GetRecord" });
  expect(served.spans()[0]?.spanContext().traceId).toBe(traceId);
  expect(await served.scrape()).toMatch(
    /rpc_server_call_duration_seconds_count\{rpc_method="lastro.v1.HistoryService\/GetRecord",rpc_response_status_code="OK"\} 1/,
  );
});

test("R-11 a call that fails is measured under its status, a bad trace context begins a new trace", async () => {
  using served = await serve((done) => done({ code: status.NOT_FOUND, details: "no such record" }));
  expect(await served.ask("nonsense")).toBe(status.NOT_FOUND);
  expect(served.spans()[0]?.attributes["rpc.response.status_code"]).toBe("NOT_FOUND");
  expect(await served.scrape()).toContain('rpc_response_status_code="NOT_FOUND"');
});
