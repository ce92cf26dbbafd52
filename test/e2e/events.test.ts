/** Forms of events with the running service: CloudEvents, and what an event catalogue declares. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import type { TestMessage } from "../contract/event-source.kafka.ts";
import {
  headerOf,
  jsonOf,
  message,
  readTopic,
  type Service,
  startService,
  startTimeoutMs,
  textOf,
  totalOf,
} from "./service.ts";
import { reference } from "./story.ts";

const catalogue = {
  version: 1,
  events: {
    "invoice.*": {
      entity_id: "/payload/number",
      index: ["/payload/status", "/payload/payer"],
      never_index: ["/payload/payer", "/payload/id"],
    },
    "invoice.patched": { action: "update", payload_is: "merge" },
    "invoice.created": {
      schemas: {
        "1.0": {
          type: "object",
          required: ["number"],
          properties: { number: { type: "string" }, total: { type: "number", minimum: 0 } },
        },
      },
    },
  },
};
const invoice = { namespace: "team_service", entityType: "invoice", entityId: "F-1" };
const metadata = {
  event_schema_version: "1.0",
  owner_id: "789",
  owner_role: "admin",
  owner_type: "user",
  owner_ip: "192.168.1.100",
  ownership_id: "o-1",
};
const attributes = { specversion: "1.0", id: "ce-1", source: "team_service", type: "contract.created" };
const whole = {
  time: "2024-06-22T12:00:00Z",
  producerserviceid: "team-1",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
};
const ceHeaders = (given: object): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [`ce_${name}`, String(value)]));
const data = (note: string) => ({ payload: { public_id: "c-1", note }, metadata });

const binary = message(
  { text: JSON.stringify(data("binary")) },
  { ...ceHeaders({ ...attributes, ...whole }), "content-type": "application/json" },
);
const structured = message(
  {
    text: JSON.stringify({
      ...attributes,
      ...whole,
      id: "ce-2",
      type: "contract.updated",
      data: data("structured"),
    }),
  },
  { "content-type": "application/cloudevents+json; charset=utf-8" },
);

let service: Service;
const folder = mkdtempSync(join(tmpdir(), "lastro-events-"));
beforeAll(async () => {
  const path = join(folder, "catalogue.json");
  writeFileSync(path, JSON.stringify(catalogue));
  service = await startService("sqlite", { LASTRO_CATALOGUE_FILE: path });
}, startTimeoutMs);
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
const outcomes = async () => totalOf(await service.intake());
/** Reason and pointer of every dead letter so far. */
const refusals = async () => {
  const letters = await readTopic(`${service.world.topic}.dlq`, (await outcomes()).rejected);
  return letters.map((letter) => ["reason", "pointer"].map((name) => headerOf(letter, `audit.dlq.${name}`)));
};

describe("the envelope", () => {
  type Event = Record<string, unknown> & { readonly metadata: Record<string, unknown> };
  const changed = (change: (event: Event) => void) => {
    const event: Event = JSON.parse(reference);
    change(event);
    return message({ text: JSON.stringify(event) });
  };
  /** What the dead letters say of the messages, in their order. */
  const refusalsOf = async (messages: readonly TestMessage[]) => {
    const before = (await outcomes()).rejected;
    await service.send(messages);
    return (await refusals()).slice(before);
  };

  const fields = [
    "producer_service",
    "producer_service_id",
    "trace_id",
    "timestamp",
    "event_type",
    "payload",
    "metadata",
  ];
  test("R-02 an event that lacks a field of the envelope is refused, and the pointer names the field", async () => {
    const lacking = fields.map((field) => changed((event) => delete event[field]));
    expect(await refusalsOf(lacking)).toEqual(fields.map((field) => ["SCHEMA", `/${field}`]));
  });

  const required = ["event_schema_version", "user_id", "user_role", "user_ip", "ownership_id"];
  test("R-03 an event that lacks required metadata is refused, and the pointer names the name of the standard", async () => {
    const lacking = required.map((name) => changed(({ metadata }) => delete metadata[name]));
    const pointers = required.map((name) => `/metadata/${name.replace("user_", "owner_")}`);
    const untyped = changed(({ metadata }) => {
      for (const name of ["id", "role", "ip"]) {
        metadata[`owner_${name}`] = metadata[`user_${name}`];
        delete metadata[`user_${name}`];
      }
    });
    expect(await refusalsOf([...lacking, untyped])).toEqual(
      [...pointers, "/metadata/owner_type"].map((pointer) => ["SCHEMA", pointer]),
    );
  });

  test("R-04 a name and its alias that say the same are accepted, two different answers are refused", async () => {
    const both = (owner: string) =>
      changed(({ metadata }) => Object.assign(metadata, { owner_id: owner, event_id: owner }));
    expect(await refusalsOf([both("789"), both("somebody else")])).toEqual([
      ["AMBIGUOUS_OWNER", expect.stringMatching(/^\/metadata\/(?:owner|user)_id$/)],
    ]);
    const filter = 'owner_id = "789" AND entity_type = account';
    const { records } = await service.ask(HistoryService, "searchRecords", { filter });
    expect(records.map(({ actor }) => actor?.ownerType)).toEqual(["user"]);
  });
});

describe("CloudEvents", () => {
  test("R-02 binary and structured ones are stored, attributes filling what the data lacks, and read back byte for byte", async () => {
    await service.send([binary, structured]);
    for (const [sent, id, eventType, note] of [
      [binary, "ce-1", "contract.created", "binary"],
      [structured, "ce-2", "contract.updated", "structured"],
    ] as const) {
      const value = {
        producerService: "team_service",
        form: { case: "cloudEvent", value: { source: "team_service", id } },
      } as const;
      const { record } = await service.ask(HistoryService, "getRecord", { by: { case: "eventId", value } });
      expect(record).toMatchObject({
        eventType,
        producerService: "team_service",
        producerServiceId: "team-1",
        traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
        entity: { entityType: "contract", entityId: "c-1" },
      });
      expect(textOf(record?.event)).toBe(String(sent.value));
      expect(jsonOf(record?.payload)).toEqual({ public_id: "c-1", note });
    }
  });

  test("R-05 their source and id decide what is a duplicate, and one that lacks an attribute is refused", async () => {
    const { type: _, ...incomplete } = attributes;
    const lacking = message({ text: JSON.stringify(data("x")) }, ceHeaders({ ...incomplete, ...whole }));
    const before = await outcomes();
    await service.send([binary, lacking]);
    const { duplicate, rejected } = before;
    expect(await outcomes()).toEqual({ ...before, duplicate: duplicate + 1, rejected: rejected + 1 });
    expect((await refusals()).at(-1)?.[0]).toBe("CLOUDEVENT");
  });
});

describe("the catalogue", () => {
  test("says where the entity's id is, and that a payload is merged over the state before", async () => {
    const created = {
      number: "F-1",
      id: "PERSON-ID-77",
      status: "STATUS-open",
      total: 10,
      payer: "PAYER-Maria",
      lines: [1],
    };
    await service.send([
      message({ type: "invoice.created", payload: created }),
      message({ type: "invoice.patched", payload: { number: "F-1", status: "STATUS-paid", total: null } }),
    ]);
    const { state, record } = await service.ask(HistoryService, "getState", { entity: invoice });
    const { total: _, ...rest } = created;
    expect(jsonOf(state)).toEqual({ ...rest, status: "STATUS-paid" });
    expect(record?.version).toBe(2n);
    const compared = await service.ask(HistoryService, "compareVersions", {
      entity: invoice,
      fromVersion: 1n,
      toVersion: 2n,
    });
    expect(compared.differences.map(({ op, path }) => `${op} ${path}`).toSorted()).toEqual([
      "remove /total",
      "replace /status",
    ]);
  });

  test("refuses a payload that breaks its schema, and an event without the declared id", async () => {
    const before = await outcomes();
    await service.send([
      message({ type: "invoice.created", payload: { number: "F-2", total: -1 } }),
      message({ type: "invoice.created", payload: { number: 2 } }),
      message({ type: "invoice.paid_out", payload: { id: "no number" } }),
    ]);
    expect((await outcomes()).rejected - before.rejected).toBe(3);
    expect((await refusals()).slice(-3)).toEqual([
      ["PAYLOAD_SCHEMA", "/payload/total"],
      ["PAYLOAD_SCHEMA", "/payload/number"],
      ["INVALID_ENTITY_ID", "/payload/number"],
    ]);
  });

  test("R-70 what an event tells of the person, the request and the service's release is answered as it came", async () => {
    const told = {
      ...metadata,
      owner_name: "Zoë Ünal",
      owner_email: "zoe@example.org",
      request: { method: "POST", path: "/accounts?x=1", user_agent: "curl/8.5", session: "s-1" },
      service: { name: "team", version: "2.3.1" },
      tags: ["billing", "é"],
    };
    await service.send([
      message({ type: "contract.signed", payload: { public_id: "c-70", note: "R-70" }, metadata: told }),
    ]);
    const { records } = await service.ask(HistoryService, "searchRecords", {
      filter: 'entity_id = "c-70"',
    });
    expect(records.map(({ metadata: answered }) => jsonOf(answered))).toMatchObject([told]);
  });

  test(
    "says which fields are copied in the clear and which never; all else lies sealed in the store's files",
    async () => {
      await service.stop();
      const names = readdirSync(service.world.dataDir).filter((name) => name.startsWith("lastro.db"));
      const files = names.map((name) => readFileSync(join(service.world.dataDir, name), "latin1")).join("");
      expect(files).toContain("STATUS-open");
      expect(files).toContain("F-1");
      // Who acted and from where are searched for, as docs/search.md says.
      expect(files).toContain("192.168.1.100");
      for (const secret of ["PERSON-ID-77", "PAYER-Maria", "structured"])
        expect([secret, files.includes(secret)]).toEqual([secret, false]);
    },
    startTimeoutMs,
  );
});
