/** Whether a filter holds for a record: what a search answers is what this says, whichever store was asked and whatever index it walked. */
import { assertNever } from "./errors.ts";
import type { Comparison, Filter } from "./filter.ts";
import type { FieldValue, FilterField } from "./search-fields.ts";

/** Undefined: not known, because it was erased or is not indexed yet. */
export type ReadField = (field: FilterField) => FieldValue | undefined;

/** Undefined where what is not known would decide. */
export function holds(filter: Filter, read: ReadField): boolean | undefined {
  switch (filter.kind) {
    case "compare": {
      const value = read(filter.field);
      return value === undefined ? undefined : compares(value, filter);
    }
    case "not": {
      const inner = holds(filter.of, read);
      return inner === undefined ? undefined : !inner;
    }
    case "all":
      return unless(false, filter.of, read);
    case "any":
      return unless(true, filter.of, read);
  }
}

/** What one of the filters decides; else the opposite, if all are known. */
function unless(decisive: boolean, filters: readonly Filter[], read: ReadField): boolean | undefined {
  let answer: boolean | undefined = !decisive;
  for (const filter of filters) {
    const one = holds(filter, read);
    if (one === decisive) return decisive;
    if (one === undefined) answer = undefined;
  }
  return answer;
}

function compares(value: FieldValue, { operator, value: wanted }: Comparison): boolean {
  switch (operator) {
    case "=":
      return value === wanted;
    case "<":
      return value < wanted;
    case "<=":
      return value <= wanted;
    case ">":
      return value > wanted;
    case ">=":
      return value >= wanted;
    case "prefix":
      return typeof value === "object"
        ? value.some((term) => term.startsWith(String(wanted)))
        : String(value).startsWith(String(wanted));
    case "has":
      return (
        typeof value === "object" && (wanted === "*" ? value.length > 0 : value.includes(String(wanted)))
      );
    default:
      return assertNever(operator);
  }
}

/** The fields that it asks for. */
export function fieldsOf(filter: Filter): readonly FilterField[] {
  if (filter.kind === "compare") return [filter.field];
  return filter.kind === "not" ? fieldsOf(filter.of) : filter.of.flatMap(fieldsOf);
}
