/** What a switch is asked with, and what is said of one that is off. */
import { expect, test } from "@jest/globals";
import { anyone, type Caller, everywhere, type Grant } from "../../src/core/caller.ts";
import { compare } from "../../src/core/filter.ts";
import type { SwitchContext } from "../../src/ports/switches.ts";
import { permit } from "../../src/query/permit.ts";
import { requireOn, requireTextOn } from "../../src/query/switched-on.ts";
import { unguarded } from "../support/unguarded.ts";

function switched(isOn: boolean) {
  const asked: (readonly [string, SwitchContext])[] = [];
  const refused: string[] = [];
  const guard = {
    ...unguarded,
    switches: {
      async isOn(name: string, context: SwitchContext) {
        asked.push([name, context]);
        return isOn;
      },
    },
    switchedOff: (name: string): void => void refused.push(name),
  };
  return { deps: { guard }, asked, refused };
}

const inTenants = (tenants: readonly string[] | undefined, role: Grant["role"] = "reader"): Grant => ({
  role,
  scope: { ...everywhere, tenants },
});
const callerWith = (...grants: readonly Grant[]): Caller => ({
  id: "person:https://id#anna",
  kind: "person",
  grants,
});

test.each<[string, readonly Grant[], string | undefined]>([
  ["one", [inTenants(["acme"]), inTenants(["acme"], "auditor")], "acme"],
  [
    "one, beside a grant that does not count",
    [inTenants(["acme"]), inTenants(undefined, "operator")],
    "acme",
  ],
  ["two", [inTenants(["acme", "other"])], undefined],
  ["two grants of two", [inTenants(["acme"]), inTenants(["other"])], undefined],
  ["all", [inTenants(undefined)], undefined],
  ["one, and all", [inTenants(["acme"]), inTenants(undefined, "auditor")], undefined],
])(
  "R-13 a switch hears of the tenant where a caller's grants are about %s, and never who it is",
  async (_, grants, tenant) => {
    const { deps, asked } = switched(true);
    const access = permit(deps, callerWith(...grants), "SearchRecords");
    await requireOn(deps, access, "tails");
    expect(asked).toEqual([["tails", { method: "SearchRecords", callerKind: "person", tenant }]]);
    expect(JSON.stringify(asked)).not.toContain("anna");
  },
);

test("R-13 what is off is refused by its name, with when to try again, and counted", async () => {
  const { deps, refused } = switched(false);
  const access = permit(deps, anyone, "TailRecords");
  await expect(requireOn(deps, access, "tails")).rejects.toMatchObject({
    code: "SWITCHED_OFF",
    message: expect.stringContaining("tails"),
    retryAfterMs: 30_000,
  });
  expect(refused).toEqual(["tails"]);
});

test("R-13 full text is a matter of filters that ask for it", async () => {
  const { deps, refused } = switched(false);
  const access = permit(deps, anyone, "SearchRecords");
  await requireTextOn(deps, access, compare("tenant", "=", "text"));
  await expect(requireTextOn(deps, access, compare("text", "has", "one"))).rejects.toThrow(
    "full_text_search",
  );
  expect(refused).toEqual(["full_text_search"]);
});
