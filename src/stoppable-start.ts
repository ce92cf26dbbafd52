/** A start that is told to stop ends as any stop does, whatever it waited for. */
import type { Log } from "./ports/log.ts";

/** Runs `service` until it ends; it says when it is up. What its start throws once `stop` is aborted is the end of a wait, and no error; what could not be closed then is one. */
export async function stoppableStart(
  service: (onUp: () => void) => Promise<void>,
  log: Pick<Log, "info">,
  stop: AbortSignal,
): Promise<void> {
  let isUp = false;
  const onUp = (): void => {
    isUp = true;
  };
  await service(onUp).catch((cause: unknown) => {
    if (isUp || !stop.aborted || cause instanceof SuppressedError) throw cause;
    log.info("start_stopped", "told to stop before it was ready");
  });
}
