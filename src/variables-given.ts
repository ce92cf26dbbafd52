/** Variables of this service as the environment gives them: texts by name, from the environment or from files. */
import { closest, distance } from "fastest-levenshtein";
import {
  looksLikeReference,
  parseSecretReference,
  type SecretReference,
  secretReferenceForm,
} from "./core/secret-reference.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export type Given = {
  readonly texts: Map<string, string>;
  readonly files: Set<string>;
  /** Of secrets that lie elsewhere. */
  readonly references: Map<string, SecretReference>;
  readonly errors: string[];
};

/** `secretNames` may also come from a file, named by the variable with `_FILE` behind it, or from a secret manager, where the value names its place. */
type KnownNames = { readonly names: readonly string[]; readonly secretNames: ReadonlySet<string> };

const fileVariant = "_FILE";
/** Read by the launcher and by tests; nothing of them reaches the service. */
const ignoredNames = /^LASTRO_(?:TEST_.*|CACHE_DIR)$/;

/** An empty variable counts as unset, as compose files and shells write it. */
export function readGiven(known: KnownNames, env: Environment, readFile: (path: string) => string): Given {
  const given: Given = { texts: new Map(), files: new Set(), references: new Map(), errors: [] };
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("LASTRO_") || value === undefined || value === "") continue;
    const base = name.endsWith(fileVariant) ? name.slice(0, -fileVariant.length) : name;
    if (known.secretNames.has(name) && looksLikeReference(value)) takeReference(given, name, value);
    else if (known.names.includes(name)) given.texts.set(name, value);
    else if (known.secretNames.has(base)) readSecret(given, env, base, value, readFile);
    else if (!ignoredNames.test(name)) given.errors.push(unknown(known, name));
  }
  return given;
}

function takeReference({ references, errors }: Given, name: string, value: string): void {
  const reference = parseSecretReference(value);
  if (reference === undefined) errors.push(`${name} must be ${secretReferenceForm}, if it lies in Vault`);
  else references.set(name, reference);
}

function readSecret(
  given: Given,
  env: Environment,
  name: string,
  path: string,
  readFile: (path: string) => string,
): void {
  if (env[name]) {
    given.errors.push(`${name} is set twice: unset it or ${name}${fileVariant}`);
    return;
  }
  try {
    given.texts.set(name, readFile(path).replace(/\r?\n$/, ""));
    given.files.add(name);
  } catch {
    given.errors.push(`${name}${fileVariant} names a file that cannot be read`);
  }
}

const editsMax = 5;
function unknown({ names, secretNames }: KnownNames, name: string): string {
  const near = closest(name, [...names, ...[...secretNames].map((secret) => secret + fileVariant)]);
  const suggestion =
    distance(name, near) <= editsMax ? `; did you mean ${near}?` : "; see the table in README.md";
  return `${name} is not a variable of Lastro${suggestion}`;
}
