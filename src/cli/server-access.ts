/** How a command reaches a server: the options for TLS and for who asks. */
import type { Command } from "commander";
import type { ServerAccess } from "../sdk/connection.ts";
import { CliFailure } from "./failure.ts";
import { readText } from "./read-text.ts";

export type AccessOptions = {
  readonly tls?: true;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly tokenFile?: string;
};

export const addAccessOptions = (command: Command): Command =>
  command
    .option("--tls", "reach the server by TLS")
    .option("--ca <file>", "root certificates (PEM) that it must lead to (default: those of Node)")
    .option("--cert <file>", "certificate (PEM) to show to it")
    .option("--key <file>", "its private key (PEM)")
    .option("--token-file <file>", "bearer token for it; - for standard input");

export function serverAccessOf({ tls, ca, cert, key, tokenFile }: AccessOptions): ServerAccess {
  if (tls === undefined && (ca ?? cert ?? key) !== undefined)
    throw new CliFailure("usage", "--ca, --cert and --key need --tls");
  if ((cert === undefined) !== (key === undefined))
    throw new CliFailure("usage", "--cert and --key must be given together");
  return {
    ...(tls && {
      tls: {
        ...(ca !== undefined && { ca: readText(ca) }),
        ...(cert !== undefined && key !== undefined && { cert: readText(cert), key: readText(key) }),
      },
    }),
    ...(tokenFile !== undefined && { token: readText(tokenFile).trim() }),
  };
}

/** The same at every call, by what the files hold then: a token may have been replaced. */
export function accessAnew(options: AccessOptions): () => ServerAccess {
  if (options.tokenFile !== "-") return () => serverAccessOf(options);
  const access = serverAccessOf(options);
  return () => access;
}
