/** Which signatures are taken: asymmetric ones alone, by keys that are strong enough. */
import type { KeyObject } from "node:crypto";

const rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
export const asymmetricAlgorithms = [...rsa, "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

const rsaBitsMin = 2_048;
const byCurve: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ["ES256"],
  secp384r1: ["ES384"],
  secp521r1: ["ES512"],
};

/** What a public key may have signed by; nothing for a key that is not taken. */
export function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (key.type !== "public") return [];
  if (type === "ed25519") return ["EdDSA", "Ed25519"];
  if (type === "rsa") return (details?.modulusLength ?? 0) >= rsaBitsMin ? rsa : [];
  return (type === "ec" && byCurve[details?.namedCurve ?? ""]) || [];
}
