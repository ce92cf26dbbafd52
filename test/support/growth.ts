/** Whether work grows with its input and not with the input's square: CPU at one size and at eight times that, so that the speed of the machine does not matter. */
import { cpuMs } from "./fuzz.ts";

export const growthSteps = 8;
const samples = 3;
/** Eight times the input is 8 times the work where it grows with its input, and 64 times where it grows with its square. */
const growthMax = 24;
/** Below this a measurement is noise. */
const countedMs = 2;

export type Growth = { readonly linear: boolean; readonly ms: number };

/** The least CPU of some samples counts: the others were disturbed. */
export function growthOf<Input>(
  size: number,
  inputOf: (size: number) => Input,
  work: (input: Input) => unknown,
): Growth {
  const leastMs = (input: Input): number => {
    const all = Array.from({ length: samples }, () => {
      const startedMs = cpuMs();
      work(input);
      return cpuMs() - startedMs;
    });
    return Math.min(...all);
  };
  work(inputOf(size));
  const ms = leastMs(inputOf(size * growthSteps));
  return { linear: ms <= growthMax * Math.max(leastMs(inputOf(size)), countedMs), ms };
}
