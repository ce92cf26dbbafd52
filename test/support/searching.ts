/** Questions of a search where there is no tree, and how one was refused. */
import { LastroError } from "../../src/core/errors.ts";
import * as search from "../../src/query/search-records.ts";

type Asked<Question> = Question extends (...asked: [...infer Rest, number | undefined]) => unknown
  ? Rest
  : never;
export const searchRecords = (...asked: Asked<typeof search.searchRecords>) =>
  search.searchRecords(...asked, undefined);
export const listOwnedRecords = (...asked: Asked<typeof search.listOwnedRecords>) =>
  search.listOwnedRecords(...asked, undefined);

/** `code field: message`. */
export const refused = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return "answered";
  } catch (error) {
    if (error instanceof LastroError) return `${error.code} ${error.field ?? ""}: ${error.message}`;
    throw error;
  }
};
