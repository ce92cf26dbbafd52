/** What every key ring keeps to. */
import { expect, test } from "@jest/globals";
import type { KeyRing } from "../../src/ports/key-ring.ts";

export type KeyRingFixture = {
  readonly ring: KeyRing;
  /** Adds epoch n and makes it current, outside the process. */
  addCurrent(epoch: number): Promise<void>;
  /** Makes the ring unreadable. */
  damage(): Promise<void>;
};

export function keyRingContract(open: () => Promise<KeyRingFixture>): void {
  test("a KEK has 32 bytes and an epoch, and the current one is among all", async () => {
    const { ring } = await open();
    expect(ring.current().key).toHaveLength(32);
    expect(ring.current().epoch).toBeGreaterThanOrEqual(1);
    expect(ring.all()).toContainEqual(ring.current());
  });

  test("a new KEK is seen after a refresh, and not before; the older ones stay", async () => {
    const { ring, addCurrent } = await open();
    const first = ring.current();
    await addCurrent(first.epoch + 1);
    expect(ring.current()).toEqual(first);
    await ring.refresh();
    expect(ring.current().epoch).toBe(first.epoch + 1);
    expect(ring.all()).toContainEqual(first);
  });

  test("a refresh that fails says KEY_UNAVAILABLE and keeps what it had", async () => {
    const { ring, damage } = await open();
    const [current, all] = [ring.current(), ring.all()];
    await damage();
    await expect(ring.refresh()).rejects.toMatchObject({ code: "KEY_UNAVAILABLE" });
    expect(ring.current()).toEqual(current);
    expect(ring.all()).toEqual(all);
  });
}
