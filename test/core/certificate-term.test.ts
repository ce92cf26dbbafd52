import { expect, test } from "@jest/globals";
import { certificateTerm } from "../../src/core/certificate-term.ts";

const hour = 60 * 60_000;
const day = 24 * hour;

test.each([
  ["a year", 365 * day, 7 * day],
  ["two hundred days", 200 * day, 7 * day],
  ["thirty days", 30 * day, 1.5 * day],
  ["a day", day, 1.2 * hour],
])(
  "a certificate for %s should be renewed a week before it expires, or with a twentieth of its time left",
  (_, lifeMs, leftMs) => {
    const fromMs = Date.parse("2026-01-01T00:00:00Z");
    const expiresAtMs = fromMs + lifeMs;
    expect(certificateTerm(fromMs, expiresAtMs)).toEqual({ expiresAtMs, renewByMs: expiresAtMs - leftMs });
  },
);
