/** Why the demo ends early, with the exit code and what to do next. */

export const exitCodes = { ok: 0, failed: 1, usage: 2, away: 5 } as const;

export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
  readonly exitCode: number;
  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
