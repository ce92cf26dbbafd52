/** Finds out who asks before a message is decoded; handlers get that caller. A call that does not arrive whole ends at its time. */
import type { PeerCertificate } from "node:tls";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from "@grpc/grpc-js";
import type { Caller } from "../../core/caller.ts";
import { LastroError } from "../../core/errors.ts";
import { withDeadline } from "../../lib/signals.ts";
import type { Authenticate, Credentials } from "../../ports/authenticate.ts";
import { certificateOf } from "../certificate-names.ts";
import { grpcStatus } from "./errors.ts";
import { isOpen } from "./open-methods.ts";

/** The issuer's keys may have to be fetched. */
const authenticateMsMax = 10_000;

/** By the metadata of the call, which nobody outside can make. */
const callers = new WeakMap<Metadata, Caller>();

export function callerOf(metadata: Metadata): Caller {
  const caller = callers.get(metadata);
  if (caller === undefined) throw new LastroError("INTERNAL", "a call came past authentication");
  return caller;
}

export function authenticating(authenticate: Authenticate, arrivalMsMax: number): ServerInterceptor {
  return (method, call) => {
    const cancelled = new AbortController();
    // Who sends a stream of requests may take as long as the connection.
    const late = method.requestStream ? undefined : setTimeout(refuseLate, arrivalMsMax, call).unref();
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        if (isOpen(method)) return next(metadata);
        const credentials = credentialsOf(metadata, call.getAuthContext().sslPeerCertificate);
        authenticate(credentials, withDeadline(cancelled.signal, authenticateMsMax)).then(
          (caller) => {
            callers.set(metadata, caller);
            next(metadata);
          },
          (error: unknown) => call.sendStatus(refusal(error)),
        );
      })
      .withOnReceiveHalfClose((next) => {
        clearTimeout(late);
        next();
      })
      .withOnCancel(() => {
        clearTimeout(late);
        cancelled.abort(new Error("the call was cancelled"));
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
}

const refuseLate = (call: ServerInterceptingCallInterface): void =>
  call.sendStatus(grpcStatus(new LastroError("DEADLINE_EXCEEDED", "the request did not arrive in time")));

const credentialsOf = (metadata: Metadata, certificate: PeerCertificate | undefined): Credentials => ({
  authorization: textOf(metadata, "authorization"),
  m2mService: textOf(metadata, "x-m2m-service"),
  ...certificateOf(certificate),
});

/** Sent twice it counts as what no token is. */
function textOf(metadata: Metadata, key: string): string | undefined {
  const values = metadata.get(key);
  return values.length === 0 ? undefined : values.join(",");
}

function refusal(error: unknown) {
  const status = grpcStatus(error);
  if (error instanceof LastroError && error.code === "UNAUTHENTICATED")
    status.metadata.set("www-authenticate", 'Bearer realm="lastro"');
  return status;
}
