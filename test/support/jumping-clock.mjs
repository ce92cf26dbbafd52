/** Preloaded with `--import`: the wall clock of the process and its threads is off by as many milliseconds as the file says that this module's address names. */
import { readFileSync } from "node:fs";

const file = new URL(import.meta.url).searchParams.get("file") ?? "";
const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(file, "latin1"));

globalThis.Date = /** @type {DateConstructor} */ (
  class extends RealDate {
    /** @param {[]} values */
    constructor(...values) {
      if (values.length === 0) super(now());
      else super(...values);
    }
    static now = now;
  }
);
