/** Signs checkpoints of one log, and remembers outside the store what it signed, so that a store restored from an older copy is found out. */

export type SignerState = {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
};

/**
 * Contract. `sign` refuses (LOG_HALTED) a size below the remembered one, another root at the remembered size, and another origin; the new state
 * is durable before a signature leaves. Which keys sign is said by the log, and so by the caller. Private keys never lie in the store and never
 * leave the adapter.
 */
export type CheckpointSigner = {
  /** The keys it holds, oldest first, as C2SP verifier keys (`name+hash+base64`). */
  readonly vkeys: readonly string[];
  state(): Promise<SignerState | undefined>;
  /** The signed note over the checkpoint, with a signature of each of these keys, in their order. */
  sign(checkpoint: SignerState, vkeys: readonly string[]): Promise<string>;
};
