/** Comma-separated values (RFC 4180) that no spreadsheet takes for a formula. */

export type CsvCell = string | number | boolean | undefined;

const formula = /^[=+\-@\t\r]/;
const special = /[",;\t\r\n]/;

/** Text that a spreadsheet would calculate gets an apostrophe in front; numbers are numbers. */
function cellText(cell: CsvCell): string {
  if (typeof cell !== "string") return cell === undefined ? "" : String(cell);
  const safe = formula.test(cell) ? `'${cell}` : cell;
  return special.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(cellText).join(",")}\r\n`;
