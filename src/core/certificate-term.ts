/** How long a certificate holds, and by when another should have taken its place. */

export type CertificateTerm = { readonly expiresAtMs: number; readonly renewByMs: number };

const renewalMs = 7 * 24 * 60 * 60_000;
/** Of the lifetime: agents renew short-lived ones as late as with a fifteenth left. */
const renewalShare = 1 / 20;

export const certificateTerm = (fromMs: number, expiresAtMs: number): CertificateTerm => ({
  expiresAtMs,
  renewByMs: expiresAtMs - Math.min(renewalMs, (expiresAtMs - fromMs) * renewalShare),
});
