/** Text of others within a line: it cannot end the line, nor move the cursor, nor turn the writing round. */

/** Controls, line separators and marks that turn the writing round, by their number. */
export const lineText = (text: string): string =>
  text.replaceAll(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gv,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
