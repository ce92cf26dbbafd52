/** A promise that was broken. */
export class Violation extends Error {}

export function assert(holds: boolean, broken: () => string): asserts holds {
  if (!holds) throw new Violation(broken());
}
