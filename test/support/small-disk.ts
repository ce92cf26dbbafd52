/** A disk so small that a test can fill it. */
import { execFileSync } from "node:child_process";
import { statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Gives the folder a disk of its own, of so many bytes, until disposed. */
export function mountSmallDisk(folder: string, bytes: number): Disposable {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder]);
  } catch (cause) {
    throw new Error("this test fills a small disk, which only root may mount: run it as root", { cause });
  }
  return { [Symbol.dispose]: () => void execFileSync("umount", ["--lazy", folder]) };
}

/** Takes all of the disk but so many bytes. Returns the file to remove. */
export function fillDisk(folder: string, roomBytes: number): string {
  const { bavail, bsize } = statfsSync(folder);
  const filler = join(folder, "filler");
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - roomBytes)));
  return filler;
}
