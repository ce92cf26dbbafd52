/** The catalogue as the operator gives it: a file, or none. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Catalogue, emptyCatalogue, parseCatalogue } from "./core/catalogue.ts";
import { LastroError } from "./core/errors.ts";

/** Throws CATALOGUE_INVALID. */
export function readCatalogue(path: string | undefined): Catalogue {
  if (path === undefined) return emptyCatalogue;
  const parsed = parseCatalogue(readCatalogueText(path));
  if (parsed.ok) return parsed.catalogue;
  throw new LastroError("CATALOGUE_INVALID", `${path} is not used:\n${parsed.errors.join("\n")}`);
}

function readCatalogueText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new LastroError("CATALOGUE_INVALID", `${path}, named by LASTRO_CATALOGUE_FILE, cannot be read`, {
      cause,
    });
  }
}

/** SHA-256 of the catalogue's text, base64url; `none` without one. Sealed with each event: it says how the event was read. */
export const digestOf = (path: string | undefined): string =>
  path === undefined ? "none" : hash("sha256", readCatalogueText(path), "base64url");
