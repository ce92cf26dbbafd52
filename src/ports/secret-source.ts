/** Secrets that lie in a secret manager. */
import type { SecretReference } from "../core/secret-reference.ts";

export type SecretSource = {
  /**
   * Contract. The text at a place, as it is now. Throws SECRETS_UNAVAILABLE while the manager does not answer, after a bounded number of tries; CONFIG_INVALID
   * for what somebody has to mend: it lets Lastro not in, denies it the place, or has nothing there. No message holds a secret.
   */
  read(reference: SecretReference, signal: AbortSignal): Promise<string>;
  /** Keeps what it lets Lastro in by valid; to be called again and again where secrets are read later, too. Throws as `read`. */
  keep(signal: AbortSignal): Promise<void>;
  /** Gives it back, if it was made for this process; nothing is read afterwards. Takes a second at most where the manager does not answer, and never throws. */
  close(): Promise<void>;
};
