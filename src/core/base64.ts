/** Standard base64 with padding, as signed notes and proofs hold it; the same code in Node and in browsers. Reads only what it would write. */

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Undefined for anything but canonical base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : undefined;
}

const encoder = new TextEncoder();
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

const urlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The two digits of twelve bits. */
const urlPairs = Array.from(
  { length: 64 * 64 },
  (_, bits) => `${urlDigits[bits >> 6]}${urlDigits[bits & 63]}`,
);

const urlCodes = Uint8Array.from(urlDigits, (digit) => digit.charCodeAt(0));

/** Whether the text is `toBase64Url(bytes)`, without making that. */
export function isBase64UrlOf(text: string, bytes: Uint8Array): boolean {
  if (text.length !== Math.ceil((bytes.length * 4) / 3)) return false;
  let [bits, held, at] = [0, 0, 0];
  for (const byte of bytes) {
    bits = ((bits & 0x3f) << 8) | byte;
    for (held += 8; held >= 6; held -= 6)
      if (text.charCodeAt(at++) !== urlCodes[(bits >> (held - 6)) & 0x3f]) return false;
  }
  return held === 0 || text.charCodeAt(at) === urlCodes[(bits << (6 - held)) & 0x3f];
}

/** Base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    text += `${urlPairs[(a << 4) | (b >> 4)]}${urlPairs[((b & 15) << 8) | c]}`;
  }
  return text.slice(0, Math.ceil((bytes.length * 4) / 3));
}
