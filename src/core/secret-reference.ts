/** Where a secret lies in a secret manager: `vault:<path>#<field>`, the path as its policies name it. */

export type SecretReference = { readonly path: string; readonly field: string };

const scheme = "vault:";
const form = /^vault:([\w@.-]{1,256}(?:\/[\w@.-]{1,256}){1,32})#([\w.-]{1,256})$/;
const isDots = (segment: string): boolean => /^\.{1,2}$/.test(segment);

export const secretReferenceForm = "vault:<path>#<field>, such as vault:secret/data/lastro#redis_url";

export const looksLikeReference = (text: string): boolean => text.startsWith(scheme);

export function parseSecretReference(text: string): SecretReference | undefined {
  const [, path = "", field = ""] = form.exec(text) ?? [];
  return path === "" || path.split("/").some(isDots) ? undefined : { path, field };
}

export const formatSecretReference = ({ path, field }: SecretReference): string =>
  `${scheme}${path}#${field}`;
