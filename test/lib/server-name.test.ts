/** A server is asked for by a name, never by an address. */
import { expect, test } from "@jest/globals";
import { serverNameOf } from "../../src/lib/server-name.ts";

test("a host is asked for by its name, an address is not", () => {
  for (const name of ["localhost", "b-1.kafka.example.com", "10.example.com"])
    expect(serverNameOf(name)).toBe(name);
  for (const address of ["127.0.0.1", "::1", "[2001:db8::1]", ""])
    expect(serverNameOf(address)).toBeUndefined();
});
