/** CSV by RFC 4180 in which no spreadsheet finds a formula. */

/** What a spreadsheet would compute, or skip before it computes. */
const formulaStart = /^[=+\-@\t\r]/;

/** Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers stay numbers. */
function csvCell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = formulaStart.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A record with its end of line. */
export const csvLine = (cells: readonly (string | number)[]): string => `${cells.map(csvCell).join(",")}\r\n`;
