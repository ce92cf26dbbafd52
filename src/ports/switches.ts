/** Whether what is asked for is switched on. */
import type { Caller } from "../core/caller.ts";
import type { SwitchName } from "../core/switches.ts";

/** By what one switch may differ from question to question. Nothing in it names a person. */
export type SwitchContext = {
  readonly method: string;
  readonly callerKind: Caller["kind"];
  /** Undefined where the caller's grants are not about exactly one. */
  readonly tenant: string | undefined;
};

/** Contract. Never throws; true where nobody switched it off, and where that cannot be known. */
export type Switches = {
  isOn(name: SwitchName, context: SwitchContext): Promise<boolean>;
};
