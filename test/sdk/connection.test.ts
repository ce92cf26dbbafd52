/** With what the SDK reaches a service: a token is sent as it is, or refused without a word of it. */
import { inspect } from "node:util";
import { expect, test } from "@jest/globals";
import { openConnection } from "../../src/sdk/connection.ts";

const here = "127.0.0.1:1";

test("a token goes into the header as it is", () => {
  const { client, metadata } = openConnection(here, { token: "!secret~" }, {});
  client.close();
  expect(metadata.get("authorization")).toEqual(["Bearer !secret~"]);
});

test.each([
  ["two lines", "secret\nsecret"],
  ["a line that is ended", "secret\n"],
  ["two words", "secret secret"],
  ["a control character", "secret\u007f"],
  ["a letter that is not ASCII", "secret\u00e9"],
  ["nothing", ""],
])("a token of %s is refused, and the error has nothing of it", (_, token) => {
  let thrown: unknown;
  try {
    openConnection(here, { token }, {}).client.close();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(inspect(thrown, { depth: null, showHidden: true })).not.toContain("secret");
});
