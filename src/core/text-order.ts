/** The order of texts: that of their UTF-8 bytes, in which stores keep them, and so of their characters' numbers. JavaScript's own differs above U+FFFF. */
const lastCharacter = 0x10_ffff;
const surrogates = { first: 0xd800, end: 0xe000 };

export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = rankOf(a.charCodeAt(i)) - rankOf(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Surrogates, which stand for what is above U+FFFF, behind all other units. */
const rankOf = (unit: number): number =>
  unit >= surrogates.first && unit < surrogates.end ? unit + lastCharacter : unit;

/** The first text behind all that begin with the prefix; undefined: there is none. */
export function firstBehind(prefix: string): string | undefined {
  const characters = [...prefix].map((character) => character.codePointAt(0) ?? 0);
  while (characters.at(-1) === lastCharacter) characters.pop();
  const last = characters.pop();
  if (last === undefined) return undefined;
  const next = last + 1 === surrogates.first ? surrogates.end : last + 1;
  return String.fromCodePoint(...characters, next);
}
