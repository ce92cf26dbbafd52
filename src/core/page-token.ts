/** Opaque page tokens: authenticated, bound to method, request and caller, valid for 24 hours. A token grants nothing; it only says where to go on. */
import { toBase64Url } from "./base64.ts";
import { LastroError } from "./errors.ts";

export const pageTokenValidMs = 24 * 60 * 60 * 1000;
const version = 1;
const nonceBytes = 12;
/** A place in an order holds a text of up to 1 KiB. */
export const pageTokenCharactersMax = 4_096;

/** AES-256-GCM under the page key; `open` answers undefined for anything that was not sealed so. */
export type PageAead = {
  seal(nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Uint8Array;
  open(nonce: Uint8Array, sealed: Uint8Array, additional: Uint8Array): Uint8Array | undefined;
};

/** What a token is bound to. `request` is a hash of the request without its page fields. */
export type PageBinding = {
  readonly method: string;
  readonly request: string;
  readonly caller: string;
  readonly order: string;
};

/** Sort values of the last row given, then its id. */
export type PagePosition = readonly (string | number)[];

const bindingOf = (b: PageBinding): readonly string[] => [b.method, b.request, b.caller, b.order];

function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length > pageTokenCharactersMax || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) =>
      c.charCodeAt(0),
    );
    return toBase64Url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

export function encodePageToken(
  aead: PageAead,
  nonce: Uint8Array,
  binding: PageBinding,
  position: PagePosition,
  nowMs: number,
): string {
  const plaintext = new TextEncoder().encode(JSON.stringify([...bindingOf(binding), nowMs, ...position]));
  const sealed = aead.seal(nonce, plaintext, Uint8Array.of(version));
  const token = new Uint8Array(1 + nonce.length + sealed.length);
  token[0] = version;
  token.set(nonce, 1);
  token.set(sealed, 1 + nonce.length);
  return toBase64Url(token);
}

const refuse = (why: string): never => {
  throw new LastroError("INVALID_ARGUMENT", `page_token ${why}; start again without a page_token`, {
    field: "page_token",
  });
};

/** Throws INVALID_ARGUMENT for a token that is forged, cut, too old, or was given for another question or caller. */
export function decodePageToken(
  aead: PageAead,
  token: string,
  binding: PageBinding,
  nowMs: number,
): PagePosition {
  const bytes = fromBase64Url(token);
  if (bytes === undefined || bytes.length <= 1 + nonceBytes || bytes[0] !== version) {
    return refuse("is not a token of this service");
  }
  const plaintext = aead.open(
    bytes.subarray(1, 1 + nonceBytes),
    bytes.subarray(1 + nonceBytes),
    Uint8Array.of(version),
  );
  if (plaintext === undefined) return refuse("is not a token of this service");
  const content: readonly (string | number)[] = JSON.parse(new TextDecoder().decode(plaintext));
  const bound = bindingOf(binding);
  if (bound.some((part, i) => content[i] !== part)) {
    return refuse("was given for another request: with a token only page_size may change");
  }
  const ageMs = nowMs - Number(content[bound.length]);
  if (!(ageMs <= pageTokenValidMs)) return refuse("has expired after 24 hours");
  return content.slice(bound.length + 1);
}
