/** What a MongoDB URL may ask for, and how long its connections wait. */
import { describe, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { clientOptions, databaseOf, writeConcernOf } from "../../../src/adapters/mongo/connection.ts";

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

  const values = ["promoteLongs", "promoteValues", "promoteBuffers", "useBigInt64", "ignoreUndefined", "raw"];
  test.each(["promoteLongs=false", "promoteValues=false", "promoteBuffers=true", "useBigInt64=true", "ignoreUndefined=true", "raw=true"])(
    "what is read is the same with %s in the URL",
    (option) => {
      const valuesOf = (url: string): unknown => {
        const all: Readonly<Record<string, unknown>> = { ...new MongoClient(url, clientOptions({ url })).options };
        return values.map((name) => all[name]);
      };
      expect(valuesOf(`${host}?${option}`)).toEqual(valuesOf(host));
    },
  ); // biome-ignore format: a list

  test("R-08 a URL under which an acknowledged event can be lost is refused unless the operator allows it", () => {
    for (const query of ["?w=1", "?w=0", "?journal=false", "?w=majority&journal=false", "?w=some-tag"]) {
      expect(() => writeConcernOf(host + query, false)).toThrow(
        expect.objectContaining({ code: "STORE_UNSAFE" }),
      );
    }
    expect(writeConcernOf(`${host}?w=1&journal=false`, true)).toMatchObject({ w: 1, journal: false });
    expect(writeConcernOf(host, true)).toMatchObject({ w: "majority", journal: true });
  });

  test.each(["readConcernLevel=local", "readconcernlevel=available", "wtimeout=1", "maxStalenessSeconds=90", "readPreferenceTags=dc:a"])(
    "R-08 a URL with %s, which the driver would put above what Lastro reads and writes under, is refused by the option's name, allowed or not",
    (option) => {
      for (const allowUnsafe of [false, true])
        expect(() => writeConcernOf(`${host}?appName=x&${option}`, allowUnsafe)).toThrow(
          expect.objectContaining({
            code: "STORE_UNSAFE",
            message: expect.stringContaining(` ${option.split("=")[0]} `),
          }),
        );
    },
  ); // biome-ignore format: a list

  test.each([
    "", "w=2", "journal=true", "readConcernLevel=majority", "wtimeoutMS=1", "readPreference=secondary", "retryReads=false", "retryWrites=false",
    "socketTimeoutMS=1", "replicaSet=rs",
  ])("under a URL with %s Lastro reads what a majority has from the primary, and writes for a majority's journals", (option) => {
    const url = `${host}?${option}`;
    const { readConcern, readPreference, writeConcern, ...options } = new MongoClient(url, clientOptions({ url })).options;
    expect(readConcern.level).toBe("majority");
    expect(readPreference).toMatchObject({ mode: "primary", tags: undefined, maxStalenessSeconds: undefined });
    expect(writeConcern).toMatchObject({ w: "majority", journal: true, wtimeout: 10_000 });
    expect(options).toMatchObject({ retryReads: true, retryWrites: true, socketTimeoutMS: 30_000 });
  }); // biome-ignore format: a list

  test("a connection waits longer than the longest read may take on the server, and 30 s at least", () => {
    const waits = (queryMaxMs: number) => clientOptions({ url: host, queryMaxMs }).socketTimeoutMS;
    expect([100, 25_000, 25_001, 600_000].map(waits)).toEqual([30_000, 30_000, 30_001, 605_000]);
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
