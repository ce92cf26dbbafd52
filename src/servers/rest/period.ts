/** Rules that hold between parameters. */
import { LastroError } from "../../core/errors.ts";

type Period = { readonly from_date?: number | undefined; readonly to_date?: number | undefined };

export function checkPeriod<Given extends Period>(given: Given): Given {
  const { from_date: from, to_date: to } = given;
  if (from !== undefined && to !== undefined && from > to)
    throw new LastroError("INVALID_ARGUMENT", "to_date is before from_date", { field: "to_date" });
  return given;
}
