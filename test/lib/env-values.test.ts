import { expect, test } from "@jest/globals";
import { hostPortText, parseHostPort } from "../../src/lib/env-values.ts";

test.each(["127.0.0.1:50051", "localhost:0", "[::1]:50051", "[2001:db8::5]:8080"])(
  "an address is written as it was read: %s",
  (text) => {
    const address = parseHostPort(text);
    expect(address && hostPortText(address)).toBe(text);
  },
);

test.each(["::1:50051", "[::1]", "localhost", "localhost:70000"])("%s is no address", (text) => {
  expect(parseHostPort(text)).toBeUndefined();
});
