/** Text of others on a terminal: it cannot move the cursor, nor turn the writing round. */

/** Controls but line feeds and tabs, and marks that turn the writing round, by their number; JSON text stays JSON that says the same. */
export const visibleText = (text: string): string =>
  text.replaceAll(
    /[[\p{Cc}\p{Bidi_Control}]--[\n\t]]/gv,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
