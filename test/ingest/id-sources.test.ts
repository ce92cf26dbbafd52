import { expect, test } from "@jest/globals";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { auditEvent, batchOf, openIntake, silentLog } from "../support/intake.ts";

test("an entity type seen with a second source of its ids is warned of once, naming the pointer", async () => {
  await using intake = await openIntake();
  const changed: string[] = [];
  const warned: unknown[] = [];
  const idSources = watchIdSources(
    { entityIdSourceChanged: (type) => void changed.push(type) },
    { ...silentLog, warn: (code, _, fields) => void warned.push([code, fields?.["idPointer"]]) },
  );
  const withoutPublicId = (eventId: string): string =>
    auditEvent({ eventId }).replace('"public_id":"a-1",', "");
  const values = [
    auditEvent({ eventId: "1" }),
    withoutPublicId("2"),
    withoutPublicId("3"),
    auditEvent({ eventId: "4" }),
  ];
  await ingestBatch({ ...intake.deps, idSources }, batchOf(0, values), intake.control);
  expect(changed).toEqual(["account"]);
  expect(warned).toEqual([["entity_id_source_changed", "/payload/id"]]);
});
