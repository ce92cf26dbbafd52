/** What hostile text can do where it is told: on a terminal and in the log. */
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { status } from "@grpc/grpc-js";
import { expect, test } from "@jest/globals";
import { openLog } from "../../src/adapters/pino/log.ts";
import { runLastro } from "../support/run-cli.ts";
import { scriptedTail } from "../support/scripted-tail.ts";

const hostile = "\u001b[2J\u009b1A\u202etcatni\r\n level error";
const shown = "\\u001b[2J\\u009b1A\\u202etcatni\\u000d\n level error";
const rid = "AAAAAAAAAAAAAAAAAAAAAQ.0.1";

test("a server that is verified cannot move the cursor of who verifies it, nor turn the writing round", async () => {
  const server = createServer();
  server.on("stream", (stream) =>
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "3",
        "grpc-message": encodeURIComponent(hostile),
      },
      { endStream: true },
    ),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const { code, out, err } = await runLastro("verify", "record", rid, "--server", `127.0.0.1:${port}`);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(shown);
  } finally {
    server.close();
  }
});

test("a record that is tailed is one line, whatever is in it", async () => {
  const value = `${hostile}\t\u2028\u2029`;
  const entity = { tenant: "t", namespace: value, entityType: value, entityId: value };
  const record = { rid, entity, version: 1n, eventType: value, actor: { ownerId: value } };
  const told = [{ nextIndex: 2n, records: [record], alteredRids: [`x\n${rid}`] }];
  using service = await scriptedTail({ told, end: status.INVALID_ARGUMENT });
  const { out, err } = await runLastro("tail", "--server", service.address, "--count", "1");
  expect(out).toMatch(/^[[^\p{Cc}\p{Bidi_Control}\u2028\u2029]]+\n$/v);
  expect(out).toContain("\\u000d\\u000a level error\\u0009\\u2028\\u2029");
  expect(err).toMatch(/^[[^\p{Cc}]]+\n$/v);
});

test("a wrong argument is told with its controls by their numbers", async () => {
  const { code, err } = await runLastro("verify", "record", hostile, "--bundle", "-");
  expect({ code, err: err.includes(shown) }).toEqual({ code: 2, err: true });
});

test("a log line stays one line, without controls of a terminal", () => {
  const lines: string[] = [];
  const log = openLog({ level: "info", version: "1", lines: { write: (text) => void lines.push(text) } });
  log.error("x", hostile, { name: hostile });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[[^\p{Cc}\p{Bidi_Control}]]*\n$/v);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ message: hostile, "log.level": "error" });
});
