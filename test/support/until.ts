/** Waits for what happens in this process. */
const waitMaxMs = 20_000;

export async function until(what: string, holds: () => boolean, maxMs = waitMaxMs): Promise<void> {
  const deadline = Date.now() + maxMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
