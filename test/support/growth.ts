/** Whether work grows with its input and not with the input's square: CPU at one size and at eight times that, so that the speed of the machine does not matter. */
import { cpuMs } from "./fuzz.ts";

const growthSteps = 8;
const samples = 3;
/** Eight times the input is 8 times the work where it grows with its input, and 64 times where it grows with its square. */
const growthMax = 24;
/** Below this a measurement is noise. */
const countedMs = 2;

export type Growth = { readonly linear: boolean; readonly ms: number };

/** The least CPU of some samples counts, for the others were disturbed; what is linear at once is not measured again. */
export function growthOf<Input>(
  size: number,
  inputOf: (size: number) => Input,
  work: (input: Input) => unknown,
): Growth {
  const [small, large] = [inputOf(size), inputOf(size * growthSteps)];
  const sample = (input: Input): number => {
    const startedMs = cpuMs();
    work(input);
    return cpuMs() - startedMs;
  };
  work(small);
  const smallMs = Math.min(...Array.from({ length: samples }, () => sample(small)));
  const linearMs = growthMax * Math.max(smallMs, countedMs);
  let ms = sample(large);
  for (let times = 1; times < samples && ms > linearMs; times++) ms = Math.min(ms, sample(large));
  return { linear: ms <= linearMs, ms };
}
