/** How both servers say how far an answer may lie behind Kafka. */

export const lagHeader = "x-audit-lag";

/** In whole seconds, never too few. */
export const lagText = (lagMs: number | undefined): string | undefined =>
  lagMs === undefined ? undefined : String(Math.ceil(lagMs / 1_000));
