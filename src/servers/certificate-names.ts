/** What counts of a client certificate that TLS verified. Node writes its names so: `URI:spiffe://acme/billing, DNS:billing.internal`. */
import type { PeerCertificate } from "node:tls";
import type { Credentials } from "../ports/authenticate.ts";

/** Node gives an empty object for none. */
export const certificateOf = (
  given: Partial<Pick<PeerCertificate, "subjectaltname" | "valid_to">> = {},
): Pick<Credentials, "certificateNames" | "certificateUntilMs"> => ({
  certificateNames: certificateNamesOf(given.subjectaltname),
  certificateUntilMs: given.valid_to === undefined ? undefined : Date.parse(given.valid_to),
});

/** A name with characters that need quotes could be taken for two; a certificate that has one names nobody. */
const certificateNamesOf = (subjectAltName: string | undefined): readonly string[] | undefined =>
  subjectAltName === undefined || subjectAltName.includes('"') ? undefined : subjectAltName.split(", ");
