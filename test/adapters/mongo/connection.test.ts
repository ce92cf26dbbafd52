/** What a MongoDB URL may ask for. */
import { describe, expect, test } from "@jest/globals";
import { databaseOf, writeConcernOf } from "../../../src/adapters/mongo/connection.ts";

const host = "mongodb://user:p%40ss@a.example:27017,b.example/audit";

describe("the URL of a MongoDB store", () => {
  test("R-08 writes are acknowledged by a majority's journals, whatever weaker but safe number the URL names", () => {
    for (const query of ["", "?w=majority", "?w=2", "?journal=true", "?retryWrites=false"]) {
      expect(writeConcernOf(host + query, false)).toEqual({
        w: "majority",
        journal: true,
        wtimeoutMS: 10_000,
      });
    }
  });

  test("R-08 a URL under which an acknowledged event can be lost is refused unless the operator allows it", () => {
    for (const query of ["?w=1", "?w=0", "?journal=false", "?w=majority&journal=false", "?w=some-tag"]) {
      expect(() => writeConcernOf(host + query, false)).toThrow(
        expect.objectContaining({ code: "STORE_UNSAFE" }),
      );
    }
    expect(writeConcernOf(`${host}?w=1&journal=false`, true)).toMatchObject({ w: 1, journal: false });
    expect(writeConcernOf(host, true)).toMatchObject({ w: "majority", journal: true });
  });

  test("what is no MongoDB URL is refused without repeating it", () => {
    for (const url of ["", "http://secret", "mongodb://", "mongodb://a/?nosuch=secret"]) {
      expect(() => writeConcernOf(url, false)).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("secret") }),
      );
    }
  });

  test("the database is the one the URL names, else lastro", () => {
    expect(databaseOf(host)).toBe("audit");
    expect(databaseOf("mongodb+srv://a.example/my%20db?w=majority")).toBe("my db");
    for (const url of ["mongodb://a", "mongodb://a/", "mongodb://a/?w=majority"])
      expect(databaseOf(url)).toBe("lastro");
  });
});
