/** Signs checkpoints of one log, and remembers outside the store what it signed, so that a store restored from an older copy is found out. */

export type SignerState = {
  readonly origin: string;
  readonly size: number /** 32 bytes. */;
  readonly root: Uint8Array;
};

/**
 * Contract. `sign` refuses (LOG_HALTED) a size below the remembered one, and another root at the remembered size; the new state is durable before
 * a signature leaves. During a rotation's overlap it gives a signature of each key. Private keys never lie in the store and never leave the adapter.
 */
export type CheckpointSigner = {
  /** The keys that sign now, as C2SP verifier keys (`name+hash+base64`). */
  readonly vkeys: readonly string[];
  state(): Promise<SignerState | undefined>;
  /** The signed note over the checkpoint. */
  sign(checkpoint: SignerState): Promise<string>;
};
