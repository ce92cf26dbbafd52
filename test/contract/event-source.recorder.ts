/** What an event source told its handler. */
import type { LastroError } from "../../src/core/errors.ts";
import type { Src } from "../../src/core/ids.ts";
import type {
  BatchControl,
  EventSource,
  SourceBatch,
  SourceHandler,
  SourcePartition,
} from "../../src/ports/event-source.ts";

/** Notes what it is told; reads each assigned partition from where it was asked to start. */
export function recorder(source: EventSource, startAt: (partition: SourcePartition) => number | undefined) {
  const assigned: SourcePartition[] = [];
  const revoked: Src[] = [];
  const batches: SourceBatch[] = [];
  const stopped: LastroError[] = [];
  const crashed: LastroError[] = [];
  let work = async (batch: SourceBatch, _control: BatchControl): Promise<number> => batch.to;
  const handler: SourceHandler = {
    assigned(partition) {
      assigned.push(partition);
      const from = startAt(partition);
      if (from !== undefined) source.resume(partition.src, from);
    },
    async batch(batch, control) {
      batches.push(batch);
      return work(batch, control);
    },
    revoked: (src) => void revoked.push(src),
    stopped: (_src, error) => void stopped.push(error),
    crashed: (error) => void crashed.push(error),
  };
  const events = () => batches.flatMap((batch) => batch.events);
  const values = () => events().map(({ value }) => value?.toString());
  return {
    handler,
    assigned,
    revoked,
    batches,
    stopped,
    crashed,
    events,
    values,
    onBatch(next: typeof work) {
      work = next;
    },
  };
}
