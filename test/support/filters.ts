/** Filters drawn at random, in the form that parsing gives them, and how they are written. */
import fc from "fast-check";
import { type Comparison, compare, type Filter, allOf as joinAll } from "../../src/core/filter.ts";
import {
  type FilterField,
  formOf,
  type IndexedPath,
  isIndexedPath,
  type SearchField,
  searchFields,
} from "../../src/core/search-fields.ts";

export const equal = (field: FilterField, value: Comparison["value"]): Comparison =>
  compare(field, "=", value);
export const allOf = (...of: readonly Filter[]): Filter => joinAll(of);

/** What values are drawn from. */
export type FilterValues = {
  readonly paths: readonly IndexedPath[];
  readonly text: (field: FilterField) => fc.Arbitrary<string>;
  readonly number: (field: FilterField) => fc.Arbitrary<number>;
  readonly ordering: readonly Comparison["operator"][];
};

function comparisonOf(field: FilterField, values: FilterValues): fc.Arbitrary<Comparison> {
  const form = formOf(field);
  const equals = (value: fc.Arbitrary<Comparison["value"]>) => value.map((one) => equal(field, one));
  const ordered = (value: fc.Arbitrary<number>) =>
    fc.tuple(fc.constantFrom(...values.ordering), value).map(([sign, one]) => compare(field, sign, one));
  switch (form.type) {
    case "text": {
      const text = values.text(field);
      const prefix = text
        .map((one) => one.slice(0, 3))
        .filter((one) => one !== "")
        .map((one) => compare(field, "prefix", one));
      return fc.oneof(equals(text), equals(fc.constant("")), prefix);
    }
    case "word":
      return equals(fc.constantFrom(...form.words));
    case "words":
      return fc.constantFrom(...form.words, "*").map((word) => compare(field, "has", word));
    case "level":
      return ordered(fc.nat(form.words.length - 1));
    case "terms":
      return fc.oneof(
        fc.constantFrom("*", "a", "jo", "joao").map((term) => compare(field, "has", term)),
        fc.constantFrom("j", "jo").map((term) => compare(field, "prefix", term)),
      );
    case "boolean":
      return equals(fc.boolean());
    case "number":
    case "time":
      return ordered(values.number(field));
  }
}

export function filtersOf(values: FilterValues): fc.Arbitrary<Filter> {
  const fields = [...(Object.keys(searchFields) as SearchField[]), ...values.paths];
  const comparison = fc.constantFrom(...fields).chain((field) => comparisonOf(field, values));
  /** Never directly inside one of its own kind: parsing makes one of both. */
  const node = (depth: number, within: Filter["kind"]): fc.Arbitrary<Filter> =>
    depth === 0
      ? comparison
      : fc.oneof(
          comparison,
          ...(["all", "any"] as const)
            .filter((kind) => kind !== within)
            .map((kind) =>
              fc.array(node(depth - 1, kind), { minLength: 2, maxLength: 3 }).map((of) => ({ kind, of })),
            ),
          ...(within === "not" ? [] : [node(depth - 1, "not").map((of) => ({ kind: "not" as const, of }))]),
        );
  return fc.oneof(node(3, "compare"), fc.constant(allOf()));
}

const quoted = (text: string, end = ""): string => `"${text.replaceAll(/["\\*]/g, "\\$&")}${end}"`;

function valueText({ field, operator, value }: Comparison): string {
  const form = formOf(field);
  if (operator === "prefix") return quoted(String(value), "*");
  if (form.type === "text") return quoted(String(value));
  if (form.type === "level") return form.words[Number(value)] ?? "";
  return form.type === "time" ? new Date(Number(value)).toISOString() : String(value);
}

const signOf = ({ field, operator }: Comparison): string =>
  operator === "prefix" ? (field === "text" ? ":" : "=") : operator === "has" ? ":" : operator;

export function filterText(filter: Filter): string {
  switch (filter.kind) {
    case "compare": {
      const name = isIndexedPath(filter.field) ? quoted(filter.field) : filter.field;
      return `${name} ${signOf(filter)} ${valueText(filter)}`;
    }
    case "not":
      return `NOT ${inner(filter.of)}`;
    case "all":
    case "any":
      return filter.of.map(inner).join(filter.kind === "all" ? " AND " : " OR ");
  }
}
const inner = (filter: Filter): string =>
  filter.kind === "all" || filter.kind === "any" ? `(${filterText(filter)})` : filterText(filter);
