/** Who is asking, by what their transport carries. */
import type { Caller } from "../core/caller.ts";

/** As it came; of all this only the certificate was checked, by TLS. */
export type Credentials = {
  /** The `authorization` header or metadata. */
  readonly authorization: string | undefined;
  /** `X-M2M-Service`: which service says it signed the token. */
  readonly m2mService: string | undefined;
  /** Subject alternative names of a client certificate that TLS verified, such as `URI:spiffe://…`, `DNS:billing.internal`. */
  readonly certificateNames: readonly string[] | undefined;
  /** When that certificate expires, ms since the epoch: TLS looked when the connection was made, which may be long ago. */
  readonly certificateUntilMs: number | undefined;
};

/** Contract. Throws UNAUTHENTICATED for everything that is not a valid identity, with a reason that helps its honest caller and holds nothing of the token; KEY_UNAVAILABLE where the issuer's keys cannot be had. */
export type Authenticate = (credentials: Credentials, signal: AbortSignal) => Promise<Caller>;
