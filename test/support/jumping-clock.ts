/** Arguments of Node for a process whose wall clock is off by as many milliseconds as a file says. */
export function jumpingClock(file: string): readonly string[] {
  const preload = new URL("./jumping-clock.mjs", import.meta.url);
  preload.searchParams.set("file", file);
  return ["--import", preload.href];
}
