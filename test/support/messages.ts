/** Valid messages of each form, written as text so that mutations reach headers too: `name: value` lines, an empty line, the value. */

import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, parseEvent } from "../../src/core/envelope.ts";
import type { EventHeader, SourceEvent } from "../../src/core/event.ts";
import { rejectReasons } from "../../src/core/outcome.ts";
import { must } from "./fuzz.ts";
import { nowMs } from "./intake.ts";
import { normalJson } from "./read-json.ts";

const metadata = {
  event_schema_version: "1.0",
  environment: "production",
  user_id: "789",
  user_role: "admin",
  user_ip: "192.168.1.100",
  ownership_id: "1b08116e-74ff-4e71-8a17-26011cfea33f",
};
/** Most of a message, so that most changes fall into it. */
const payload = `{"id":123,"public_id":"a-1","name":"Jo\\u00e3o \\n \u{1f600}","tags":[1.50,-2e3,true,null,{"a\\t":{}}],"big":9007199254740993,
 "text":"The quick brown fox jumps over the lazy dog and \\"nobody\\" says why; em portugu\u00eas: \u00e0s vezes n\u00e3o h\u00e1 raz\u00e3o.",
 "steps":[{"at":"2026-11-21T10:59:59Z","by":"anna","took":0.125,"ok":true},{"at":"2026-11-21T11:00:00Z","by":"bob","took":1e-7,"ok":false}],
 "matrix":[[0,1,2,3],[4,5,6,7],[8,9,10,11],[12,13,14,15]],"nothing":null,"empty":{},"none":[],"deep":{"deep":{"deep":{"deep":["down",{"here":0.1}]}}}}`;
const data = (eventId: string): string =>
  `{"producer_service":"team_service","producer_service_id":"123e4567","trace_id":"7b3bf470-9456-11e8-9eb6-529269fb1459",` +
  `"timestamp":"2026-11-21T11:00:00.123456789Z","event_type":"account.updated","payload":${payload},"metadata":${JSON.stringify({ ...metadata, event_id: eventId })}}`;
const context = (eventId: string): string =>
  `"specversion":"1.0","id":"${eventId}","source":"team_service","type":"account.updated","time":"2026-11-21T11:00:00Z"`;
const lacking = `{"producer_service_id":"123e4567","trace_id":"7b3bf470","payload":${payload},"metadata":${JSON.stringify(metadata)}}`;
const structured = "content-type: application/cloudevents+json\n\n";

/** Stands in every message where its identity is; `numbered` gives each its own. */
const idMark = "e-000000";
export const validMessages: Readonly<Record<string, readonly Buffer[]>> = {
  "plain messages": [`\n\n${data(idMark)}`, `\n\n\ufeff ${data(idMark).replaceAll(",", " ,\n ")}`].map(
    (text) => Buffer.from(text),
  ),
  "structured CloudEvents": [
    `${structured}{${context(idMark)},"data":${data(idMark)}}`,
    `${structured}{${context(idMark)},"data":${lacking}}`,
    `${structured}{${context(idMark)},"data_base64":"${Buffer.from(lacking).toString("base64")}"}`,
  ].map((text) => Buffer.from(text)),
  "binary CloudEvents": [
    `ce_specversion: 1.0\nce_id: ${idMark}\nce_source: team_service\nce_type: account.updated\nce_time: 2026-11-21T11:00:00Z\n\n${lacking}`,
    `ce_specversion: 1.0\nce_id: ${idMark}\nce_source: team_service\nce_type: account.updated\n\n${data(idMark)}`,
  ].map((text) => Buffer.from(text)),
};

/** The same with another identity, if it still has one. */
export const numbered = (message: Buffer, number: number): Buffer =>
  Buffer.from(
    message.toString("latin1").replaceAll(idMark, `e-${String(number).padStart(6, "0")}`),
    "latin1",
  );

export type Sent = Omit<SourceEvent, "offset">;

export function messageOf(text: Buffer): Sent {
  const border = text.indexOf("\n\n");
  const lines = text.subarray(0, Math.max(border, 0)).toString("latin1").split("\n");
  const headers = lines
    .filter((line) => line !== "")
    .map((line): EventHeader => {
      const [name = "", value] = line.split(": ");
      return [name, value === undefined ? null : Buffer.from(value, "latin1")];
    });
  const value = border < 0 ? text : text.subarray(border + 2);
  return { key: null, value: Buffer.from(value), headers, timestampMs: nowMs };
}

/** Whether the parse station and the next accept it. Throws unless the outcome is closed, and the canonical text says what the bytes say. */
export function judge(sent: Sent): boolean {
  const parsed = parseEvent({ ...sent, offset: 0 }, { ...defaultParseOptions, nowMs });
  const outcome = parsed.ok ? classify(parsed.envelope, emptyCatalogue) : parsed;
  if (parsed.ok) {
    const bytes = normalJson(new TextDecoder().decode(sent.value ?? undefined));
    const isBinary = sent.headers.some(([name]) => /^ce_(specversion|id|source|type)$/i.test(name));
    const canonical = normalJson(parsed.envelope.canonical);
    const said = isBinary ? canonical.slice(canonical.length - bytes.length - 1, -1) : canonical;
    must(said === bytes, "the canonical text says something else than the bytes");
  }
  if (outcome.ok) return true;
  const { reason, pointer, sentence } = outcome.rejection;
  must(rejectReasons.includes(reason) && reason !== "INTERNAL", `the reason ${reason} is not of the list`);
  must(pointer === "" || pointer.startsWith("/"), `the pointer ${pointer} is none`);
  must(sentence.endsWith("."), `no sentence: ${sentence}`);
  return false;
}
