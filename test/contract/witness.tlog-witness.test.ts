import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, jest, test } from "@jest/globals";
import { httpWitness } from "../../src/adapters/tlog-witness/witness.ts";
import { freePort } from "../support/lastro.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { startWitnessProcess } from "../support/witness.ts";
import { log, witnessContract } from "./witness.contract.ts";

const open = new DisposableStack();
afterAll(() => open.dispose());

async function listen(answer: RequestListener): Promise<string> {
  const server: Server = open.adopt(createServer(answer), (opened) => {
    opened.closeAllConnections();
    opened.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a witness over HTTP, and the witness program as a process of its own", () => {
  witnessContract(async () => {
    const folder = open.use(temporaryFolder());
    const { vkey, url, process } = await startWitnessProcess({ folder: folder.path, logs: [log.vkey] });
    open.defer(() => process.kill("SIGKILL"));
    return {
      witness: httpWitness({ vkey, url }),
      absent: httpWitness({ vkey, url: `http://127.0.0.1:${await freePort()}` }),
      silent: httpWitness({ vkey, url: await listen(() => undefined) }),
    };
  });
});

describe("what another server may answer", () => {
  const ask = async (answer: RequestListener) =>
    httpWitness({ vkey: "", url: `${await listen(answer)}/prefix/` }).addCheckpoint(
      await log.request(0, 70),
      new AbortController().signal,
    );

  test("the call goes to the submission prefix", async () => {
    const asked: (string | undefined)[] = [];
    await ask((request, response) => {
      asked.push(request.method, request.url);
      response.end("— a b\n");
    });
    expect(asked).toEqual(["POST", "/prefix/add-checkpoint"]);
  });

  test("is waited for as long as the caller waits, who knows the setting", async () => {
    const otherBound = jest.spyOn(AbortSignal, "timeout").mockReturnValue(AbortSignal.abort());
    const verdict = await ask((_request, response) => response.end("— a b\n")).finally(() =>
      otherBound.mockRestore(),
    );
    expect(verdict).toEqual({ kind: "cosigned", lines: ["— a b"] });
  });

  test.each([
    ["a 409 without a size", 409, "who knows\n", { kind: "refused", status: 409 }],
    ["a 409 with a size that is no size", 409, "-1\n", { kind: "refused", status: 409 }],
    ["a 409 with a size that no number holds", 409, "9007199254740993\n", { kind: "refused", status: 409 }],
    ["a 500", 500, "oops", { kind: "refused", status: 500 }],
    ["a 200 with nothing", 200, "", { kind: "cosigned", lines: [] }],
  ] as const)("%s is no more than it is", async (_, status, body, expected) => {
    const verdict = await ask((_request, response) => response.writeHead(status).end(body));
    expect(verdict).toEqual(expected);
  });

  test.each<readonly [string, RequestListener]>([
    ["an answer of more than 64 KiB", (_, response) => response.end("x".repeat(65 * 1_024))],
    ["a redirect", (_, response) => response.writeHead(307, { location: "http://127.0.0.1:9/" }).end()],
    ["a connection that is cut", (request) => request.socket.destroy()],
  ])("%s is WITNESS_UNAVAILABLE", async (_, answer) => {
    await expect(ask(answer)).rejects.toMatchObject({ code: "WITNESS_UNAVAILABLE" });
  });
});
