/** The formats of exports against golden files, one for each, in which every class of event lies. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import { statusOf } from "../../src/core/actions.ts";
import type { Status } from "../../src/core/event.ts";
import { recordFormats } from "../../src/core/export-formats.ts";
import type { ExportedRecord } from "../../src/core/exported-record.ts";
import { cefLine, syslogLine } from "../../src/core/siem-lines.ts";

const golden = (name: string): string =>
  readFileSync(new URL(`../vectors/export/${name}`, import.meta.url), "utf8");

const base: ExportedRecord = {
  log_index: 7,
  rid: "AAAAAAAAAAAAAAAAAAAAAQ.0.17",
  recorded_at: "2026-11-30T12:00:01.250Z",
  action_at: "2026-11-30T12:00:00.000Z",
  kind: "change",
  action: "new",
  version: 1,
  event_type: "account.created",
  tenant: "default",
  namespace: "billing",
  entity_type: "account",
  entity_id: "a-1",
  producer_service: "billing",
  producer_service_id: "123e4567-e89b-12d3-a456-426614174000",
  trace_id: "7b3bf470945611e89eb6529269fb1459",
  owner_id: "789",
  owner_ip: "192.168.1.100",
  owner_role: "clerk",
  owner_type: "user",
  ownership_id: "1b08116e-74ff-4e71-8a17-26011cfea33f",
  severity: "MEDIUM",
  flags: ["late"],
  leaf_hash: "ab".repeat(32),
  body_state: "complete",
  event: '{"payload":{"public_id":"a-1","big":9007199254740993}}',
  status: "SUCCESS",
};
const activity = (event_type: string, toldStatus?: Status): Partial<ExportedRecord> => ({
  kind: "activity",
  action: "none",
  event_type,
  status: statusOf(event_type, toldStatus),
});
/** One of each class, what was erased, and acts that failed or are not over. */
const records: readonly ExportedRecord[] = [
  base,
  { ...base, action: "update", version: 2, event_type: "account.updated", severity: "LOW" },
  { ...base, action: "delete", version: 3, event_type: "account.removed", severity: "CRITICAL" },
  { ...base, action: "enable", version: 4, event_type: "account.enabled" },
  { ...base, action: "disable", version: 5, event_type: "account.disabled", severity: "HIGH" },
  { ...base, ...activity("user.login") },
  { ...base, ...activity("user.login_failed"), severity: "HIGH" },
  { ...base, ...activity("user.logout") },
  { ...base, ...activity("report.exported"), owner_type: "service", owner_ip: "" },
  {
    ...base,
    action_at: "", namespace: "", entity_type: "", entity_id: "", producer_service_id: "", trace_id: "", owner_id: "",
    owner_ip: "", owner_role: "", owner_type: "", ownership_id: "", event: "", body_state: "erased", flags: [],
  },
  { ...base, ...activity("user.login", "FAILURE") },
  { ...base, ...activity("access.access_denied"), severity: "CRITICAL" },
  { ...base, ...activity("payment.charge_failed") },
  { ...base, ...activity("user.login-failed") },
  { ...base, action: "update", event_type: "account.changed", status: "FAILURE" },
  { ...base, ...activity("report.requested") },
  ...(
    [["new", "user.created"], ["update", "iam.user-account.updated"], ["delete", "user.removed"], ["enable", "user.enabled"],
     ["disable", "user.disabled"], ["disable", "user.locked"], ["enable", "user.unlocked"]] as const
  ).map(([action, event_type]) => ({ ...base, action, event_type, entity_type: "user", entity_id: "u-1" })),
  { ...base, ...activity("user.password_changed"), entity_type: "user", entity_id: "u-1" },
  { ...base, ...activity("auth.password-reset"), entity_type: "auth" },
  { ...base, ...activity("user.mfa_disabled"), entity_type: "user", entity_id: "u-1", owner_ip: "" },
  { ...base, ...activity("user.role_assigned"), entity_type: "user", entity_id: "u-1" },
  { ...base, ...activity("user.role_removed"), entity_type: "user", entity_id: "", body_state: "masked" },
  { ...base, ...activity("team.permission_granted"), entity_type: "team", entity_id: "t-1" },
  { ...base, ...activity("user.permission_revoked"), entity_type: "", entity_id: "", event: "", body_state: "erased" },
  { ...base, ...activity("report.viewed") },
]; // biome-ignore format: one line of what was erased

const written = (name: keyof typeof recordFormats): string => {
  const { head, between, foot, text } = recordFormats[name];
  return head + records.map(text).join(between) + foot;
};

describe.each(Object.keys(recordFormats) as (keyof typeof recordFormats)[])("%s", (name) => {
  test("is written as in its golden file", () => {
    expect(written(name)).toBe(golden(`${name}.${recordFormats[name].extension}`));
  });
});

test("OCSF has the class and activity of each record, and its type is made of both", () => {
  const events = written("ocsf")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.map(({ class_uid, activity_id }) => [class_uid, activity_id])).toEqual([
    [3004, 1], [3004, 3], [3004, 4], [3004, 8], [3004, 9], [3002, 1], [3002, 1], [3002, 2], [6003, 99], [3004, 1],
    [3002, 1], [6003, 99], [6003, 99], [3002, 1], [3004, 3], [6003, 99],
    [3001, 1], [3001, 99], [3001, 6], [3001, 2], [3001, 5], [3001, 9], [3001, 12], [3001, 3], [3001, 4], [3001, 11],
    [3005, 1], [3005, 2], [3005, 1], [3005, 2], [6003, 2],
  ]); // biome-ignore format: a list
  expect(events.filter(({ activity_id }) => activity_id === 99).map((one) => one.activity_name)).toEqual([
    "EXPORT", "ACCESS_DENIED", "CHARGE_FAILED", "REQUESTED", "UPDATE",
  ]); // biome-ignore format: a list
  expect(events.filter(({ class_uid }) => class_uid === 3005).map(({ user }) => user)).toEqual([
    { uid: "u-1", type_id: 1, type: "User" },
    { uid: "unknown", type_id: 1, type: "User" },
    { uid: "t-1", type_id: 99, type: "team" },
    { uid: "unknown", type_id: 1, type: "User" },
  ]);
  for (const { type_uid, class_uid, activity_id, unmapped, metadata } of events)
    expect([type_uid, unmapped.rid]).toEqual([class_uid * 100 + activity_id, metadata.uid]);
});

test.each([
  ["a login that the producer says failed", activity("user.login", "FAILURE"), "failure", 2],
  ["a caller turned away", activity("access.access_denied"), "failure", 2],
  ["a verb that ends in failed", activity("payment.charge_failed"), "failure", 2],
  ["a verb with a hyphen", activity("user.login-failed"), "failure", 2],
  ["a change that failed", { status: "FAILURE" }, "failure", 2],
  ["what is not over yet", activity("report.requested"), "unknown", 99],
  ["what went well", {}, "success", 1],
] as const)("formats of SIEMs tell how %s ended", (_, over, outcome, statusId) => {
  const record = { ...base, ...over };
  expect(JSON.parse(recordFormats.ecs.text(record)).event.outcome).toBe(outcome);
  expect(cefLine(record)).toContain(` outcome=${outcome} `);
  expect(JSON.parse(recordFormats.ocsf.text(record))).toMatchObject({ status_id: statusId });
  expect(syslogLine(record)).toContain(` status="${record.status}"`);
});

/** The published schemas of the classes, version 1.4.0, with all objects in place. */
test("OCSF events are valid by the published schema of their class", () => {
  for (const line of written("ocsf").trimEnd().split("\n")) {
    const event = JSON.parse(line);
    const schema = JSON.parse(golden(`ocsf-1.4.0-${event.class_uid}.schema.json`));
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect([event.class_uid, validate(event), validate.errors]).toEqual([event.class_uid, true, null]);
    expect(validate({ ...event, class_uid: 1 })).toBe(false);
  }
});

test.each([
  ["\u001b[2J", "\\u001b[2J"],
  ["\r\n level=error", "\\u000d\\u000a level=error"],
  ["\u202e", "\\u202e"],
  ["\u2028", "\\u2028"],
])(
  "control characters and marks that turn the writing never get into a line as they are: %j",
  (hostile, shown) => {
    const record = {
      ...base,
      event_type: `x${hostile}`,
      owner_id: hostile,
      entity_id: hostile,
      event: `{"a":"${hostile}"}`,
    };
    for (const line of [cefLine(record), syslogLine(record)]) {
      expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/v);
      expect(line.split("\n")).toHaveLength(2);
    }
    expect(syslogLine(record)).toContain(shown);
  },
);

test("CEF escapes what would end a field, and syslog what would end a value", () => {
  const record = { ...base, event_type: "a|b\\c", owner_id: 'x=y\\z"]', entity_id: 'q"]' };
  expect(cefLine(record)).toContain("|a\\|b\\\\c|");
  expect(cefLine(record)).toContain('suid=x\\=y\\\\z"] ');
  expect(syslogLine(record)).toContain('ownerId="x=y\\\\z\\"\\]"');
});
