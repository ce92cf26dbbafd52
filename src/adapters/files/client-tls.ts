/** The PEM files by which Lastro trusts Kafka, Redis and MongoDB and shows itself to them; read once, at the start. */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { LastroError } from "../../core/errors.ts";
import type { ClientTls } from "../../ports/client-tls.ts";

type ClientTlsFiles = {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
};

/** Throws CONFIG_INVALID. */
export function readClientTls({ ca, cert, key }: ClientTlsFiles): ClientTls {
  try {
    const tls = {
      ...(ca !== undefined && { ca: readFileSync(ca, "utf8") }),
      ...(cert !== undefined && { cert: readFileSync(cert, "utf8") }),
      ...(key !== undefined && { key: readFileSync(key, "utf8") }),
    };
    createSecureContext(tls);
    return tls;
  } catch (cause) {
    throw new LastroError(
      "CONFIG_INVALID",
      "LASTRO_UPSTREAM_CA_FILE, LASTRO_UPSTREAM_CERT_FILE and LASTRO_UPSTREAM_KEY_FILE must name PEM files that can be read and belong together",
      { cause },
    );
  }
}
