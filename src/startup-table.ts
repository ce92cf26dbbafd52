/** The one table printed when the service is ready: each part, where it runs, what it is, what it fell back to and how to change that. */
import Table from "cli-table3";
import type { Config } from "./config.ts";
import { formatSecretReference } from "./core/secret-reference.ts";
import type { LaunchedPart } from "./launched-parts.ts";

export type RunningParts = {
  readonly store: string;
  readonly grpc: string;
  readonly rest: string;
  readonly http: string;
};

const plainStyle = { head: [], border: [], compact: true };

export function startupTable(config: Config, running: RunningParts): string {
  const table = new Table({
    head: ["part", "where", "what", "note"],
    style: plainStyle,
    wordWrap: true,
    wrapOnWordBoundary: false,
    colWidths: [9, 34, 34, 58],
  });
  for (const { part, where, what, fellBack, change } of rowsOf(config, running)) {
    table.push([part, where, what, [fellBack, change].filter((note) => note !== undefined).join("; ")]);
  }
  return table.toString();
}

function witnessRow({ witnesses: { list, quorum } }: Config): LaunchedPart {
  return list.length === 0
    ? {
        part: "witness",
        where: "none",
        what: "nobody cosigns the log",
        change: "docs/witness.md; LASTRO_WITNESSES names some",
      }
    : {
        part: "witness",
        where: list.map(({ url }) => new URL(url).host).join(","),
        what: `${quorum} of ${list.length} must cosign`,
        change: "LASTRO_WITNESSES names others",
      };
}

function anchorRow({ anchors: { folder, authority } }: Config): LaunchedPart {
  return {
    part: "anchor",
    where: folder ?? "none",
    what:
      folder === undefined
        ? "nobody keeps checkpoints"
        : authority === undefined
          ? "keeps checkpoints"
          : `keeps checkpoints, stamped by ${new URL(authority.url).host}`,
    change: `docs/anchors.md; LASTRO_ANCHOR_FOLDER names ${folder === undefined ? "one" : "another"}`,
  };
}

const accessRow = ({ auth }: Config): LaunchedPart => ({
  part: "access",
  where: auth?.accessFile ?? "none",
  what: auth === undefined ? "everybody may ask" : "whom the file names may ask",
  change: `docs/access.md; LASTRO_AUTH=${auth === undefined ? "on asks who it is" : "none lets everybody ask"}`,
});

/** What the launcher found out about a part is more than the service knows. */
function rowsOf(config: Config, running: RunningParts): readonly LaunchedPart[] {
  const { keys, hints } = config;
  const spoken = config.tls === undefined ? "" : "TLS: ";
  const launched = new Map(config.launched.map((part) => [part.part, part]));
  const known: readonly LaunchedPart[] = [
    {
      part: "kafka",
      where: config.kafka.brokers.join(","),
      what: `topic ${config.kafka.topic}`,
      change: "LASTRO_KAFKA_BROKERS names another",
    },
    {
      part: "redis",
      where: hints.redisUrl === undefined ? "in the process" : "configured",
      what: hints.redisUrl === undefined ? `a map of ${hints.entriesMax} uids` : "Redis",
      change: "LASTRO_REDIS_URL names another",
    },
    {
      part: "store",
      where: config.store.kind,
      what: running.store,
      change: "LASTRO_STORE_URL names another",
    },
    {
      part: "keys",
      where: keys.ringSecret === undefined ? keys.ringFile : formatSecretReference(keys.ringSecret),
      what: `key ring${keys.ringSecret === undefined ? ", mode 0600" : ""}: back it up apart from the data`,
      change: "LASTRO_KEY_RING_FILE or LASTRO_KEY_RING names another",
    },
    config.transparency.enabled
      ? {
          part: "log",
          where: config.transparency.keyFile,
          what: "signing key, mode 0600: back it up apart from the data",
          change: "LASTRO_LOG_KEY_FILE names another, LASTRO_LOG=off leaves the log to others",
        }
      : { part: "log", where: "off", what: "not extended here", change: "LASTRO_LOG=on" },
    witnessRow(config),
    anchorRow(config),
    accessRow(config),
    {
      part: "gRPC",
      where: running.grpc,
      what: `${spoken}history, ownership, operations, health`,
      change: "LASTRO_GRPC_ADDRESS names another",
    },
    {
      part: "REST",
      where: running.rest,
      what: "/api/v1: audit logs in and out; openapi.json lists it",
      change: "LASTRO_REST_ADDRESS names another",
    },
    {
      part: "HTTP",
      where: running.http,
      what: `${spoken}/metrics /livez /readyz`,
      change: "LASTRO_HTTP_ADDRESS names another",
    },
  ];
  return known.map((row) => launched.get(row.part) ?? row);
}
