/** Believable audit events of about 770 bytes, the same for the same seed: entities by Zipf, 1,000 ownerships or as many as asked for. */

/** mulberry32: small, seeded, good enough to shape a load. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type EventShape = { readonly entities: number; readonly ownerships: number; readonly startMs: number };
export type KeyedEvent = { readonly key: string; readonly value: string };

const verbs = [
  "created",
  "updated",
  "updated",
  "updated",
  "updated",
  "viewed",
  "disabled",
  "enabled",
] as const;
const types = ["account", "order", "customer"] as const;
const producers = ["team_service", "billing_service", "identity_service"] as const;

const hex = (random: () => number, digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
const uuidOf = (n: number, space: number): string =>
  `${space.toString(16).padStart(8, "0")}-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;

/** An endless, seeded stream of events; event n has metadata.event_id n within its producer. */
export function* eventStream(seed: number, shape: EventShape): Generator<KeyedEvent> {
  const random = seededRandom(seed);
  const zipf = zipfSampler(shape.entities, random);
  for (let n = 0; ; n++) {
    const entity = zipf();
    const type = types[entity % types.length] ?? "account";
    const producer = producers[entity % producers.length] ?? "team_service";
    const publicId = uuidOf(entity, 1);
    const value = {
      producer_service: producer,
      producer_service_id: uuidOf(entity % producers.length, 2),
      trace_id: hex(random, 32),
      timestamp: new Date(shape.startMs + n).toISOString(),
      event_type: `${type}.${verbs[Math.floor(random() * verbs.length)]}`,
      payload: {
        id: entity,
        public_id: publicId,
        document_registry: String(10_000_000_000 + entity),
        name: `Customer ${entity}`,
        status: random() < 0.9 ? "active" : "pending",
        balance: Math.floor(random() * 1_000_000),
        address: { street: `Rua ${hex(random, 8)}`, city: "São Paulo", postal_code: hex(random, 8) },
        note: hex(random, 98),
      },
      metadata: {
        event_id: `${seed}-${n}`,
        event_schema_version: "1.0",
        environment: "production",
        user_id: String(1 + Math.floor(random() * 5000)),
        user_role: random() < 0.2 ? "admin" : "clerk",
        user_ip: `10.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}`,
        ownership_id: uuidOf(entity % shape.ownerships, 3),
      },
    };
    yield { key: publicId, value: JSON.stringify(value) };
  }
}

/** P(k) ~ 1/k over 0 … size−1. */
function zipfSampler(size: number, random: () => number): () => number {
  const cumulative = new Float64Array(size);
  let total = 0;
  for (let k = 0; k < size; k++) {
    total += 1 / (k + 1);
    cumulative[k] = total;
  }
  return () => {
    const target = random() * total;
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] ?? total) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
