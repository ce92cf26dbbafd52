/** Protobuf-es descriptors as grpc-js service definitions. A request that does not decode is handed on as a fault, so that its answer has details like any other. */
import {
  type DescFile,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceDefinition } from "@grpc/grpc-js";

export type Decoded = { readonly message: Message } | { readonly malformed: true };

function decode(method: DescMethod, bytes: Uint8Array): Decoded {
  try {
    return { message: fromBinary(method.input, bytes) };
  } catch {
    return { malformed: true };
  }
}

/** The same bytes, not a copy of them. */
const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

const definitionOf = (service: DescService, method: DescMethod): ServiceDefinition[string] => ({
  path: `/${service.typeName}/${method.name}`,
  originalName: method.localName,
  requestStream: false,
  responseStream: method.methodKind === "server_streaming",
  requestSerialize: (message: Message) => bufferOf(toBinary(method.input, message)),
  requestDeserialize: (bytes): Decoded => decode(method, bytes),
  responseSerialize: (message: Message) => bufferOf(toBinary(method.output, message)),
  responseDeserialize: (bytes) => fromBinary(method.output, bytes),
});

export const serviceDefinition = (service: DescService): ServiceDefinition =>
  Object.fromEntries(service.methods.map((method) => [method.localName, definitionOf(service, method)]));

/** The file and all it imports, as reflection wants them. */
export function fileDescriptorProtos(file: DescFile): Buffer[] {
  const files = new Set<DescFile>();
  const visit = (one: DescFile): void => {
    if (files.has(one)) return;
    files.add(one);
    for (const dependency of one.dependencies) visit(dependency);
  };
  visit(file);
  return [...files].map((one) => Buffer.from(toBinary(FileDescriptorProtoSchema, one.proto)));
}
