/** The names of a client certificate that TLS verified, as Node writes them: `URI:spiffe://acme/billing, DNS:billing.internal`. */

/** A name with characters that need quotes could be taken for two; a certificate that has one names nobody. */
export const certificateNamesOf = (subjectAltName: string | undefined): readonly string[] | undefined =>
  subjectAltName === undefined || subjectAltName.includes('"') ? undefined : subjectAltName.split(", ");
