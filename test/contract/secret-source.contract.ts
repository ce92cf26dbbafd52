/** What every source of secrets keeps to. */
import { expect, test } from "@jest/globals";
import { formatSecretReference, type SecretReference } from "../../src/core/secret-reference.ts";
import type { SecretSource } from "../../src/ports/secret-source.ts";

export type SecretSourceFixture = {
  readonly source: SecretSource;
  readonly place: SecretReference;
  put(fields: Readonly<Record<string, unknown>>): Promise<void>;
  /** Where nothing was ever put. */
  readonly nowhere: SecretReference;
};

const { signal } = new AbortController();

export function secretSourceContract(open: () => Promise<SecretSourceFixture>): void {
  test("R-13 a secret is read as it is now, without the line's end", async () => {
    const { source, place, put } = await open();
    await put({ [place.field]: "rediss://u:p#1@h\n", other: "x" });
    expect(await source.read(place, signal)).toBe("rediss://u:p#1@h");
    await put({ [place.field]: "rediss://u:p2@h" });
    expect(await source.read(place, signal)).toBe("rediss://u:p2@h");
  });

  test.each<[string, unknown]>([
    ["is another type", 7],
    ["is empty", ""],
    ["is not there", undefined],
  ])(
    "R-13 a field that %s is refused by its place, without a word of what lies beside it",
    async (_, value) => {
      const { source, place, put } = await open();
      await put({ [place.field]: value, other: "hunter2" });
      const error = await source.read(place, signal).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      expect(String(error)).toContain(formatSecretReference(place));
      expect(String(error)).not.toContain("hunter2");
    },
  );

  test("R-13 a place where nothing is is refused", async () => {
    const { source, nowhere } = await open();
    await expect(source.read(nowhere, signal)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("R-13 a name that every object has is no field", async () => {
    const { source, place, put } = await open();
    await put({ [place.field]: "x" });
    const inherited = source.read({ ...place, field: "constructor" }, signal);
    await expect(inherited).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
}
