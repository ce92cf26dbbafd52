/** The part of the composition root that joins the switches of an operator. Another provider of OpenFeature takes the file's place in `openFileSwitches`. */
import { openFreshFiles } from "./adapters/files/fresh-files.ts";
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import type { SwitchName } from "./core/switches.ts";
import { keepFresh } from "./keep-fresh.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";
import type { Switches } from "./ports/switches.ts";

type Around = { readonly log: Log; readonly observer: Pick<Observer, "switches"> };

/** Which are off for everybody, and which for some. */
export type SwitchesState = { readonly off: readonly SwitchName[]; readonly targeted: readonly SwitchName[] };
export type OpenSwitches = Switches & {
  /** Hears of every new file that holds. */
  onChange(listener: (state: SwitchesState) => void): void;
};

/** Throws CONFIG_INVALID. */
export function openSwitches(
  { switchesFile: path, filesRefreshMs }: Config,
  around: Around,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<OpenSwitches> {
  return path === undefined
    ? Promise.resolve(allOn)
    : openFileSwitches(path, filesRefreshMs, around, opened, signal);
}

const allOn: OpenSwitches = { isOn: async () => true, onChange: () => undefined };

/** OpenFeature is loaded where there is something to switch. */
async function openFileSwitches(
  path: string,
  refreshMs: number,
  { log, observer }: Around,
  opened: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<OpenSwitches> {
  const { parseSwitchesFile } = await import("./adapters/openfeature/switches-file.ts");
  const { openFeatureSwitches, passingOn } = await import("./adapters/openfeature/switches.ts");
  const listeners: ((state: SwitchesState) => void)[] = [];
  const unknown = new Set<SwitchName>();
  /** An error's message may hold what was asked: its code alone is told. */
  const onUnknown = (name: SwitchName, code: string): void => {
    if (unknown.has(name)) return;
    unknown.add(name);
    log.warn(
      "switch_not_evaluated",
      "a switch could not be evaluated for a question and counts as on; told once for each file: look at its rule",
      { switch: name, code },
    );
  };
  const file = openFreshFiles({
    paths: [path],
    what: "file of switches",
    log,
    parse([text = ""]) {
      const parsed = parseSwitchesFile(text);
      if (parsed.ok) return parsed.file;
      throw new LastroError("CONFIG_INVALID", `${path} is not used:\n${parsed.errors.join("\n")}`);
    },
    changed(state) {
      unknown.clear();
      for (const listener of listeners) listener(state);
    },
    checked: (holds) => observer.switches(file.current().off, holds),
  });
  observer.switches(file.current().off, true);
  const switches = opened.use(
    await openFeatureSwitches(
      passingOn(() => file.current().provider),
      onUnknown,
    ),
  );
  keepFresh([file], refreshMs, signal);
  return { isOn: switches.isOn, onChange: (listener) => void listeners.push(listener) };
}
