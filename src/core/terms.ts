/** Text as it is searched: folded, so that accents and capitals make no difference, and cut into terms of letters and digits. */

/** Of one text; what lies behind is not searched. */
export const textCharactersMax = 4_096;
/** Of one term; a longer word is found by its beginning. */
export const termCharactersMax = 64;

/** Letters that no decomposition takes apart. */
const unfolded: Readonly<Record<string, string>> = {
  ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ð: "d", þ: "th", ł: "l", ħ: "h", ı: "i",
}; // biome-ignore format: a table

const fold = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[ßæœøđðþłħı]/g, (letter) => unfolded[letter] ?? letter);

const cut = (term: string): string =>
  term.length <= termCharactersMax ? term : [...term].slice(0, termCharactersMax).join("");

/** In the order of the text, repeated ones too. */
export const termsIn = (text: string): readonly string[] =>
  (fold(text.slice(0, textCharactersMax)).match(/[\p{L}\p{N}]+/gu) ?? []).map(cut);
