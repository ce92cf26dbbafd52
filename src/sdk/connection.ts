/** A connection to the service over gRPC: in the clear or by TLS, as nobody, by a token or by a certificate. */
import { Client, type ClientOptions, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, LastroError } from "../core/errors.ts";
import { isLoopback, parseHostPort } from "../lib/env-values.ts";

export type ServerAccess = {
  /** Undefined: in the clear. */
  readonly tls?: TlsAccess;
  /** For `authorization: Bearer`: visible ASCII. Never sent in the clear to another machine. */
  readonly token?: string;
};
/** PEM texts: roots of the server (those of Node unless given); `cert` and `key` come together. */
export type TlsAccess = { readonly ca?: string; readonly cert?: string; readonly key?: string };

export type Connection = { readonly client: Client; readonly metadata: Metadata };

/** Throws INVALID_ARGUMENT. */
export function openConnection(
  address: string,
  { tls, token }: ServerAccess,
  options: ClientOptions,
): Connection {
  const place = parseHostPort(address);
  const isHere = place !== undefined && isLoopback(place);
  if (token !== undefined && tls === undefined && !isHere)
    throw new LastroError("INVALID_ARGUMENT", "a token is sent to another machine only by TLS");
  // What gRPC throws of such a header quotes it.
  if (token !== undefined && !/^[!-~]+$/.test(token))
    throw new LastroError("INVALID_ARGUMENT", "the token is not one word of visible ASCII");
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return { client: new Client(address, credentialsOf(tls), options), metadata };
}

function credentialsOf(tls: TlsAccess | undefined) {
  if (tls === undefined) return credentials.createInsecure();
  const bytes = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert));
}

const codes: Readonly<Partial<Record<status, ErrorCode>>> = {
  [status.NOT_FOUND]: "NOT_FOUND",
  [status.INVALID_ARGUMENT]: "INVALID_ARGUMENT",
  [status.FAILED_PRECONDITION]: "FAILED_PRECONDITION",
  [status.RESOURCE_EXHAUSTED]: "LIMIT_REACHED",
  [status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [status.UNAUTHENTICATED]: "UNAUTHENTICATED",
  [status.PERMISSION_DENIED]: "PERMISSION_DENIED",
};

/** What a call ended with, as the service throws it; SOURCE_UNAVAILABLE for everything else. */
export function failureOf(error: ServiceError, address: string, method: string): LastroError {
  const message = `${method} of ${address}: ${status[error.code] ?? "no gRPC"}: ${error.details}`;
  return new LastroError(codes[error.code] ?? "SOURCE_UNAVAILABLE", message, { cause: error });
}
