import { expect, test } from "@jest/globals";
import { certificateOf } from "../../src/servers/certificate-names.ts";

const certificateNamesOf = (subjectaltname?: string) =>
  certificateOf(subjectaltname === undefined ? {} : { subjectaltname }).certificateNames;

test("each name of a certificate is one name, with its kind", () => {
  expect(certificateNamesOf("URI:spiffe://acme/billing, DNS:billing.internal, IP Address:10.0.0.1")).toEqual([
    "URI:spiffe://acme/billing",
    "DNS:billing.internal",
    "IP Address:10.0.0.1",
  ]);
  expect(certificateNamesOf(undefined)).toBeUndefined();
});

test("a name that could pass for two names nobody", () => {
  // As Node writes a DNS name `a.example, DNS:billing.internal`.
  expect(certificateNamesOf('DNS:"a.example, DNS:billing.internal"')).toBeUndefined();
});
