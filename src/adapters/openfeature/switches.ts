/** Switches as flags of OpenFeature, from whatever provider. */
import { OpenFeature, type Provider } from "@openfeature/server-sdk";
import type { Switches } from "../../ports/switches.ts";

/** Lastro's own, so that a provider of others in the same process is not asked for its flags. */
const domain = "lastro";

/** Throws where the provider cannot begin. */
export async function openFeatureSwitches(provider: Provider): Promise<Switches & AsyncDisposable> {
  await OpenFeature.setProviderAndWait(domain, provider);
  const client = OpenFeature.getClient(domain);
  return {
    isOn: (name, { tenant, ...context }) =>
      client.getBooleanValue(name, true, {
        ...context,
        ...(tenant !== undefined && { tenant, targetingKey: tenant }),
      }),
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
