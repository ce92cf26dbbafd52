/** What readiness says of certificates. */
import { expect, test } from "@jest/globals";
import { certificateHealth } from "../src/certificate-health.ts";

const nowMs = Date.parse("2026-01-10T00:00:00Z");
const term = (renewBy: string, expires: string) => ({
  renewByMs: Date.parse(renewBy),
  expiresAtMs: Date.parse(expires),
});
const early = term("2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z");
const late = term("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z");
const due = term("2026-01-10T00:00:00Z", "2026-01-17T00:00:00Z");
const over = term("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z");

test("where there is no certificate there is nothing to tell", () => {
  expect(certificateHealth({ listeners: undefined, upstream: undefined }, nowMs)).toEqual({});
});

test("while all are renewed in time readiness tells which expires first", () => {
  const certificate = { ok: true, required: false, detail: "valid until 2026-02-08T00:00:00.000Z" };
  expect(certificateHealth({ listeners: early, upstream: late }, nowMs)).toEqual({ certificate });
  expect(certificateHealth({ listeners: late, upstream: early }, nowMs)).toEqual({ certificate });
  expect(certificateHealth({ listeners: undefined, upstream: early }, nowMs)).toEqual({ certificate });
});

test("each that should have been renewed degrades the service, and its files are named", () => {
  const listeners =
    "expires 2026-01-17T00:00:00.000Z: replace the files that LASTRO_TLS_CERT_FILE and LASTRO_TLS_KEY_FILE name";
  const upstream =
    "expired 2026-01-08T00:00:00.000Z: replace the files that LASTRO_UPSTREAM_CERT_FILE and LASTRO_UPSTREAM_KEY_FILE name";
  const degraded = (detail: string) => ({ certificate: { ok: false, required: false, detail } });
  expect(certificateHealth({ listeners: due, upstream: early }, nowMs)).toEqual(degraded(listeners));
  expect(certificateHealth({ listeners: early, upstream: over }, nowMs)).toEqual(degraded(upstream));
  expect(certificateHealth({ listeners: due, upstream: over }, nowMs)).toEqual(
    degraded(`${upstream}; ${listeners}`),
  );
});
