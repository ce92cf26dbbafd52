/** A stand-in for an OpenTelemetry collector: takes OTLP over HTTP and reads the spans out of its protobuf. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

export type ReceivedSpan = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
};

export type Collector = AsyncDisposable & {
  readonly url: string;
  spans(): readonly ReceivedSpan[];
  /** Everything that came, whatever the signal. */
  received(): Buffer;
  paths(): ReadonlySet<string>;
};

export async function startCollector(): Promise<Collector> {
  const bodies: { readonly path: string; readonly body: Buffer }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push({ path: request.url ?? "", body: Buffer.concat(chunks) });
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => bodies.filter(({ path }) => path === "/v1/traces").flatMap(({ body }) => spansOf(body)),
    received: () => Buffer.concat(bodies.map(({ body }) => body)),
    paths: () => new Set(bodies.map(({ path }) => path)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Length-delimited fields of a message by number; the others are passed over. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited)
      fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
    else reader.skip(type, number);
  }
  return fields;
}

const under = (messages: readonly Uint8Array[], field: number): readonly Uint8Array[] =>
  messages.flatMap((message) => fieldsOf(message).get(field) ?? []);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** opentelemetry.proto.collector.trace.v1: resource_spans 1, scope_spans 2, spans 2; in a span trace_id 1, span_id 2, parent 4, name 5, links 13. */
function spansOf(request: Uint8Array): readonly ReceivedSpan[] {
  return under(under(under([request], 1), 2), 2).map((span) => {
    const fields = fieldsOf(span);
    return {
      name: Buffer.from(fields.get(5)?.[0] ?? []).toString(),
      traceId: hex(fields.get(1)?.[0]),
      spanId: hex(fields.get(2)?.[0]),
      parentId: hex(fields.get(4)?.[0]),
      links: (fields.get(13) ?? []).map(fieldsOf).map((link) => ({
        traceId: hex(link.get(1)?.[0]),
        spanId: hex(link.get(2)?.[0]),
      })),
    };
  });
}
