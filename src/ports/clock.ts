/** Time and randomness as arguments: only the composition root knows where they come from. */

/** Milliseconds since the epoch. May go backwards; nothing may be ordered by it alone. */
export type Clock = () => number;
/** That many bytes from a cryptographic source. */
export type Randomness = (bytes: number) => Uint8Array;
