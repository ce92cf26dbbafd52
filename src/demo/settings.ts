/** Where the running service and its Kafka are: the environment, else what the launcher wrote down, else the defaults. */
import * as z from "zod";
import { hostPort, hostPortText, list } from "../lib/env-values.ts";

const Settings = z.object({
  LASTRO_KAFKA_BROKERS: list.prefault("127.0.0.1:9092"),
  LASTRO_KAFKA_TOPIC: z.string().min(1).prefault("audit"),
  LASTRO_GRPC_ADDRESS: hostPort.prefault("127.0.0.1:50051"),
});

export type Settings = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly grpcAddress: string;
};
export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly errors: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

/** `running` is the launcher's note: the same variables as JSON, or nothing when it left none. */
export function readSettings(env: Environment, running: string | undefined): SettingsResult {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const parsed = Settings.safeParse({ ...noted(running), ...given });
  if (!parsed.success)
    return {
      ok: false,
      errors: parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`),
    };
  const { LASTRO_KAFKA_BROKERS: brokers, LASTRO_KAFKA_TOPIC: topic, LASTRO_GRPC_ADDRESS: grpc } = parsed.data;
  return { ok: true, settings: { brokers, topic, grpcAddress: hostPortText(grpc) } };
}

/** A note that cannot be read is no note. */
function noted(running: string | undefined): Environment {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(running ?? "{}"));
  } catch {
    return {};
  }
}
