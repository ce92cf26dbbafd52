/** Bounds the events that are worked on at once, of whichever partitions: those that wait hold no more than the bytes they came as. */
import { Semaphore } from "async-mutex";

/** The semaphore counts its value down one by one, so it counts shares of the room and not events. */
const shares = 64;

/** Begins `work` once there is room for so many events; who waits longest is first. */
export type Room = <T>(events: number, work: () => Promise<T>) => Promise<T>;

export function openRoom(eventsMax: number): Room {
  const free = new Semaphore(shares);
  return (events, work) => {
    const wanted = Math.ceil((events * shares) / eventsMax);
    return free.runExclusive(work, Math.min(Math.max(wanted, 1), shares));
  };
}
