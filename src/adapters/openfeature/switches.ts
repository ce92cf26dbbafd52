/** Switches as flags of OpenFeature, from whatever provider. */
import { ErrorCode, OpenFeature, type Provider } from "@openfeature/server-sdk";
import type { SwitchName } from "../../core/switches.ts";
import type { Switches } from "../../ports/switches.ts";

/** Lastro's own, so that a provider of others in the same process is not asked for its flags. */
const domain = "lastro";

/** Hears by which code a switch could not be evaluated, so that it counts as on. */
export type OnUnknown = (name: SwitchName, code: string) => void;

/** Throws where the provider cannot begin. */
export async function openFeatureSwitches(
  provider: Provider,
  onUnknown: OnUnknown,
): Promise<Switches & AsyncDisposable> {
  await OpenFeature.setProviderAndWait(domain, provider);
  const client = OpenFeature.getClient(domain);
  return {
    async isOn(name, { tenant, ...context }) {
      const { value, errorCode } = await client.getBooleanDetails(name, true, {
        ...context,
        ...(tenant !== undefined && { tenant, targetingKey: tenant }),
      });
      // What nobody named is on.
      if (errorCode !== undefined && errorCode !== ErrorCode.FLAG_NOT_FOUND) onUnknown(name, errorCode);
      return value;
    },
    [Symbol.asyncDispose]: () => OpenFeature.close(),
  };
}

/** Whatever provider holds just now. */
export const passingOn = (current: () => Provider): Provider => ({
  runsOn: "server",
  metadata: { name: "file" },
  resolveBooleanEvaluation: (...asked) => current().resolveBooleanEvaluation(...asked),
  resolveStringEvaluation: (...asked) => current().resolveStringEvaluation(...asked),
  resolveNumberEvaluation: (...asked) => current().resolveNumberEvaluation(...asked),
  resolveObjectEvaluation: (...asked) => current().resolveObjectEvaluation(...asked),
});
