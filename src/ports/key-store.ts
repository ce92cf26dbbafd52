/** Wrapped data keys, beside what they protect. Plain keys never reach a store. */
import type { Kid, OwnershipKey } from "../core/ids.ts";

/** `s` subject: lies in the ownerships document. `p` producer (events without ownership) and `a` actor (tenant and month): in `keys`. */
export type KeyClass = "s" | "p" | "a";
export type KeyState = "live" | "blocked" | "fenced" | "erased";

export type WrappedKey = {
  readonly kid: Kid;
  readonly revision: number;
  /** Epoch of the KEK that wraps it. */
  readonly kek: number;
  /** nonce(12) ‖ ciphertext(32) ‖ tag(16); null once destroyed. */
  readonly wrapped: Uint8Array | null;
};

export type KeyRef = {
  readonly class: KeyClass /** Document `_id`; for class `s` the OwnershipKey. */;
  readonly id: string;
};

/** `clear` names what the key is for; for class `s` it is what the ownerships document shows and erasure removes. */
export type KeyDocument = KeyRef & {
  readonly state: KeyState;
  readonly keys: readonly WrappedKey[];
  readonly clear:
    | { readonly tenant: string; readonly ownershipId: string | undefined }
    | { readonly tenant: string; readonly producerService: string }
    | { readonly tenant: string; readonly month: string };
};

export const subjectRef = (ownership: OwnershipKey): KeyRef => ({ class: "s", id: ownership });

/** Contract. `create` inserts what is absent and leaves what is there; durable (majority) once resolved. `rewrap` is a compare-and-set on kid and the wrapped bytes read, only while live or blocked. */
export type KeyStore = {
  read(refs: readonly KeyRef[], signal: AbortSignal): Promise<readonly KeyDocument[]>;
  create(documents: readonly KeyDocument[], signal: AbortSignal): Promise<void>;
  rewrap(
    ref: KeyRef,
    kid: Kid,
    from: Uint8Array,
    to: { readonly kek: number; readonly wrapped: Uint8Array },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Up to `limit` live or blocked documents with a key that another KEK than `kek` wraps. */
  notUnder(kek: number, limit: number, signal: AbortSignal): Promise<readonly KeyDocument[]>;
  /** Documents that hold one of these kids: to open a body. */
  byKid(
    kids: readonly { readonly class: KeyClass; readonly kid: Kid }[],
    signal: AbortSignal,
  ): Promise<readonly KeyDocument[]>;
};
