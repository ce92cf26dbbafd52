/** Methods that ask for nobody: health, and reflection where it is switched on. Whoever comes may send to them, so what they take is small, and nothing of it is kept. */
import {
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServerMethodDefinition,
} from "@grpc/grpc-js";

type AnyMethod = Pick<ServerMethodDefinition<unknown, unknown>, "path">;

const open = /^\/grpc\.(?:health|reflection)\./;
export const isOpen = ({ path }: AnyMethod): boolean => open.test(path);

/** For a name; grpc-js has one limit for all methods. */
const requestBytesMax = 4_096;
type BoundedCall = { maxReceiveMessageSize: number; readonly decoder: { maxReadMessageLength: number } };

const watch = "/grpc.health.v1.Health/Watch";
/** The health service keeps every name that was watched, for ever. */
const unknownName = "(unknown)";

/** Comes first: to the first interceptor a call is given as it is, with its limits in fields. A test finds out when they go. */
export function openRequests(names: ReadonlySet<string>): ServerInterceptor {
  return (method, call) => {
    if (isOpen(method)) {
      const bounded = call as unknown as BoundedCall;
      bounded.maxReceiveMessageSize = requestBytesMax;
      bounded.decoder.maxReadMessageLength = requestBytesMax;
    }
    if (method.path !== watch) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMessage((request: { readonly service: string }, next) =>
        next(names.has(request.service) ? request : { service: unknownName }),
      )
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
}
