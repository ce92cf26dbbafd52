/** An anchor that is a folder. It is worth what its place is worth: another machine, or storage that cannot be written twice. */
import type { Anchor } from "../../ports/anchor.ts";
import type { Randomness } from "../../ports/clock.ts";
import { keepCheckpoint } from "./kept-checkpoint.ts";

export const folderAnchor = (folder: string, random: Randomness): Anchor => ({
  name: "folder",
  async keep(checkpoint, signal) {
    signal.throwIfAborted();
    return (await keepCheckpoint(folder, checkpoint, random)).isSameTree ? "kept" : "differs";
  },
});
