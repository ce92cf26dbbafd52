/** Reads V8's CPU profiles: how long each function worked itself, and which station of the way it worked for. */
export type CallFrame = {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
};
type ProfileNode = {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
};
export type CpuProfile = {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** A function as called by those above it. */
export type Call = {
  readonly frame: CallFrame;
  readonly selfUs: number;
  readonly children: readonly Call[];
};

const idle = "(idle)";

/** The tree of calls without the time in which nothing was done. */
export function callTree({ nodes, samples, timeDeltas }: CpuProfile): Call {
  const selfUs = new Map<number, number>();
  for (const [at, id] of samples.entries())
    selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[at + 1] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callOf = (id: number): Call[] => {
    const node = byId.get(id);
    if (node === undefined || node.callFrame.functionName === idle) return [];
    const { callFrame: frame, children = [] } = node;
    return [{ frame, selfUs: selfUs.get(id) ?? 0, children: children.flatMap(callOf) }];
  };
  const [root] = nodes[0] === undefined ? [] : callOf(nodes[0].id);
  if (root === undefined) throw new Error("the profile is empty");
  return root;
}

/** Our own files, by the station they belong to. What several stations use has none: it counts for its caller. */
const ourFiles: readonly (readonly [station: string, files: RegExp])[] = [
  ["heads", /\/src\/ingest\/head-cache\.ts$/],
  ["parse", /\/src\/(core\/(guard-|parse-|envelope|cloudevents|json|timestamp|ip-address|event\.|catalogue)|ingest\/prepare\.)/],
  ["identity", /\/src\/core\/(identity|entity|message|owner|actions)\.ts$/],
  ["entry", /\/src\/core\/(leaf|projection|record)\.ts$/],
  ["seal", /\/src\/(privacy\/|ingest\/seal-candidates|core\/sealed-parts)/],
  ["account", /\/src\/(ingest\/(account|fate)|adapters\/(sqlite\/accounts|mongo\/account))/],
  ["own and deactivate", /\/src\/(ingest\/follow-ups|adapters\/(sqlite\/ownerships|mongo\/(follow-ups|facts)))/],
  ["version", /\/src\/(ingest\/(append-versions|settle)|core\/versions)\.ts$/],
  ["store", /\/src\/adapters\/(sqlite|mongo)\//],
  ["hints", /\/src\/adapters\/(redis|memory)\//],
  ["Kafka client", /\/src\/adapters\/(kafkajs|platformatic-kafka)\//],
  ["telemetry", /\/src\/adapters\/(otel|pino)\//],
  ["log", /\/src\/log\//],
  ["rest of ingest", /\/src\/ingest\//],
]; // biome-ignore format: a table

/** Libraries that work without one of our files above them. */
const libraries: readonly (readonly [station: string, files: RegExp])[] = [
  ["Kafka client", /\/node_modules\/(kafkajs|@platformatic|snappy|lz4-napi)\//],
  ["hints", /\/node_modules\/(ioredis|@ioredis|redis-)/],
  ["store's driver", /\/node_modules\/(mongodb|bson)\//],
  ["telemetry", /\/node_modules\/(@opentelemetry|pino|fastify)/],
  ["start", /^node:internal\/(modules|bootstrap|main|process\/(esm|execution|pre))|\/node_modules\//],
]; // biome-ignore format: a table

const collector = "(garbage collector)";
export const elsewhere = "Node itself";

/** `stack` from the root to the function that works: the innermost of our files decides, then the innermost library. */
export function stationOf(stack: readonly CallFrame[]): string {
  if (stack.at(-1)?.functionName === collector) return "collections";
  for (const rules of [ourFiles, libraries])
    for (const { url } of stack.toReversed()) {
      const rule = rules.find(([, files]) => files.test(url));
      if (rule !== undefined) return rule[0];
    }
  return elsewhere;
}

/** Microseconds by station. */
export function timeByStation(root: Call): ReadonlyMap<string, number> {
  const stations = new Map<string, number>();
  const walk = (call: Call, above: readonly CallFrame[]): void => {
    const stack = [...above, call.frame];
    if (call.selfUs > 0) {
      const station = stationOf(stack);
      stations.set(station, (stations.get(station) ?? 0) + call.selfUs);
    }
    for (const child of call.children) walk(child, stack);
  };
  walk(root, []);
  return stations;
}
