/** What an operator sees and does from outside: readiness, health, metrics, OperationsService. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type GetIntakeResponse,
  OperationsService,
  PartitionState,
  type ResumePartitionRequestSchema,
} from "../../src/gen/lastro/v1/operations_pb.ts";
import { call, callRaw, connect } from "./grpc-client.ts";
import { type LastroProcess, until } from "./lastro.ts";

type Part = { readonly ok: boolean; readonly required: boolean; readonly detail?: string };
export type ReadyAnswer = {
  readonly status: "ok" | "degraded" | "unavailable";
  readonly parts: Readonly<Record<string, Part>>;
};

export async function readiness(lastro: LastroProcess): Promise<ReadyAnswer> {
  const answer = await fetch(`${lastro.httpUrl}/readyz`);
  const { status, parts } = (await answer.json()) as ReadyAnswer;
  if (answer.ok !== (status !== "unavailable")) throw new Error(`${answer.status} beside ${status}`);
  return { status, parts };
}

/** Waits for an answer of /readyz that fits. */
export async function untilReadiness(
  lastro: LastroProcess,
  what: string,
  fits: (answer: ReadyAnswer) => boolean,
  timeoutMs = 30_000,
): Promise<void> {
  await until(what, async () => fits(await readiness(lastro)), timeoutMs, lastro);
}

const healthStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

export async function grpcHealth(lastro: LastroProcess): Promise<string> {
  using client = connect(lastro.grpcAddress);
  const [, status = 0] = await callRaw(client, "/grpc.health.v1.Health/Check", new Uint8Array());
  return healthStatuses[status] ?? "UNKNOWN";
}

/** Sum over the labels. */
export async function metric(lastro: LastroProcess, name: string): Promise<number> {
  const lines = (await (await fetch(`${lastro.httpUrl}/metrics`)).text()).split("\n");
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

export async function getIntake(lastro: LastroProcess): Promise<GetIntakeResponse> {
  using client = connect(lastro.grpcAddress);
  return await call(client, OperationsService, "getIntake", {});
}

export async function resumePartition(
  lastro: LastroProcess,
  request: MessageInitShape<typeof ResumePartitionRequestSchema>,
): Promise<void> {
  using client = connect(lastro.grpcAddress);
  await call(client, OperationsService, "resumePartition", request);
}

/** Waits until each of so many partitions stands still for this reason. */
export async function untilStopped(lastro: LastroProcess, reason: string, count: number): Promise<void> {
  const stopped = async (): Promise<boolean> =>
    (await getIntake(lastro)).partitions.filter(
      (partition) => partition.state === PartitionState.STOPPED && partition.reason === reason,
    ).length === count;
  await until(`${count} partitions stop: ${reason}`, stopped, 45_000, lastro);
}
