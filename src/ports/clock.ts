/** Time and randomness as arguments: only the composition root knows where they come from. */

/** Milliseconds since the epoch. May go backwards; nothing may be ordered by it alone. */
export type Clock = () => number;
/** Resolves after that many milliseconds; rejects with the signal's reason once it is aborted. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;
/** That many bytes from a cryptographic source. */
export type Randomness = (bytes: number) => Uint8Array;
