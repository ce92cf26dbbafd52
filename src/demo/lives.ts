/** What the services' entities go through: created, changed, disabled, enabled, removed, and read in between. */
import type { Chance } from "./chance.ts";
import { type Act, type JsonObject, type Producer, uuidTrace, w3cTrace } from "./message.ts";
import { type Actor, asActor, nightlyJob, type Person } from "./people.ts";

type Verbs = Readonly<Record<"new" | "update" | "disable" | "enable" | "delete", string>>;
type Species = {
  readonly producer: Producer;
  readonly type: string;
  readonly verbs: Verbs;
  /** Change nothing. */
  readonly acts: readonly [string, ...string[]];
  born(person: Person, shape: Chance): JsonObject;
  grown(state: JsonObject, shape: Chance): JsonObject;
};

const plans = ["basic", "pro", "enterprise"] as const;
const channels = ["web", "android", "ios", "api"] as const;
const cities = ["Recife", "Belém", "Curitiba", "São Paulo", "Salvador", "Goiânia", "Florianópolis"] as const;

const species: readonly [Species, ...Species[]] = [
  {
    producer: "team_service",
    type: "account",
    verbs: { new: "created", update: "updated", disable: "disabled", enable: "enabled", delete: "removed" },
    acts: ["viewed", "viewed", "exported"],
    born: (person) => ({ document_registry: person.document, name: person.name, email: person.email }),
    grown: (state, shape) => ({ ...state, city: shape.pick(cities), plan: shape.pick(plans) }),
  },
  {
    producer: "team_service",
    type: "team",
    verbs: {
      new: "created",
      update: "updated",
      disable: "archived",
      enable: "unarchived",
      delete: "removed",
    },
    acts: ["viewed", "listed"],
    born: (person, shape) => ({ name: `Equipe ${shape.pick(cities)}`, lead: person.name, members: 1 }),
    grown: (state, shape) => ({ ...state, members: shape.below(30) + 2 }),
  },
  {
    producer: "billing_service",
    type: "invoice",
    verbs: { new: "created", update: "updated", disable: "locked", enable: "unlocked", delete: "deleted" },
    acts: ["viewed", "sent", "downloaded"],
    born: (person, shape) => ({ payer: person.name, amount: amountOf(shape), currency: "BRL", paid: false }),
    grown: (state, shape) => ({ ...state, paid: shape.next() < 0.7, discount: amountOf(shape) }),
  },
  {
    producer: "billing_service",
    type: "subscription",
    verbs: { new: "created", update: "changed", disable: "suspended", enable: "resumed", delete: "deleted" },
    acts: ["viewed"],
    born: (person, shape) => ({ holder: person.name, plan: shape.pick(plans), monthly: amountOf(shape) }),
    grown: (state, shape) => ({ ...state, plan: shape.pick(plans), monthly: amountOf(shape) }),
  },
  {
    producer: "identity_service",
    type: "user",
    verbs: {
      new: "registered",
      update: "updated",
      disable: "blocked",
      enable: "unblocked",
      delete: "deleted",
    },
    acts: ["login", "login", "login", "logout", "login_failed", "password_changed"],
    born: (person) => ({ login: person.email, display_name: person.name, mfa: false }),
    grown: (state, shape) => ({ ...state, mfa: shape.next() < 0.8, language: "pt-BR" }),
  },
];

function amountOf(shape: Chance): string {
  return `${shape.below(900) + 10}.${String(shape.below(100)).padStart(2, "0")}`;
}

/** Everything of an act but its time. */
export type Deed = Omit<Act, "atMs">;

type Alive = {
  readonly species: Species;
  readonly id: string;
  readonly person: Person;
  readonly state: JsonObject;
  readonly disabled: boolean;
};

const aliveMin = 60;
const [bornShare, deletedShare, disabledShare, enabledShare, updatedShare] = [0.1, 0.02, 0.05, 0.35, 0.32];

/** Deeds in the order they happen, without end. */
export function* livesOf(
  run: string,
  people: readonly [Person, ...Person[]],
  staff: readonly [Actor, ...Actor[]],
  shape: Chance,
  ids: Chance,
): Generator<Deed, never> {
  const alive: Alive[] = [];
  let deeds = 0;
  const deed = ({ species, id, person }: Alive, verb: string, payload: JsonObject): Deed => {
    deeds += 1;
    const { producer, type } = species;
    return {
      producer,
      eventType: `${type}.${verb}`,
      traceId: producer === "team_service" ? uuidTrace(ids) : w3cTrace(ids),
      eventId: `${run}-${String(deeds).padStart(5, "0")}`,
      actor: actorOf(producer, person, staff, shape),
      ownershipId: person.ownershipId,
      key: id,
      payload: { public_id: id, ...payload },
    };
  };
  for (;;) {
    const place = shape.below(alive.length);
    const one = alive[place];
    if (one === undefined || alive.length < aliveMin || shape.next() < bornShare) {
      const [kind, person] = [shape.pick(species), shape.pick(people)];
      const born = {
        species: kind,
        id: ids.uuid(),
        person,
        state: kind.born(person, shape),
        disabled: false,
      };
      alive.push(born);
      yield deed(born, kind.verbs.new, born.state);
      continue;
    }
    const { change, next } = fateOf(one, shape);
    if (next === undefined) alive.splice(place, 1);
    else alive[place] = next;
    const verb = change === undefined ? shape.pick(one.species.acts) : one.species.verbs[change];
    yield deed(one, verb, change === undefined ? { channel: shape.pick(channels) } : (next ?? one).state);
  }
}

/** What happens to it now; no change: it is only read or used. */
function fateOf(
  one: Alive,
  shape: Chance,
): { readonly change: Exclude<keyof Verbs, "new"> | undefined; readonly next: Alive | undefined } {
  const dice = shape.next();
  if (dice < deletedShare) return { change: "delete", next: undefined };
  if (one.disabled) {
    if (dice >= enabledShare) return { change: undefined, next: one };
    return { change: "enable", next: { ...one, disabled: false, state: { ...one.state, status: "active" } } };
  }
  if (dice < disabledShare)
    return {
      change: "disable",
      next: { ...one, disabled: true, state: { ...one.state, status: "disabled" } },
    };
  if (dice < updatedShare)
    return { change: "update", next: { ...one, state: one.species.grown(one.state, shape) } };
  return { change: undefined, next: one };
}

function actorOf(
  producer: Producer,
  person: Person,
  staff: readonly [Actor, ...Actor[]],
  shape: Chance,
): Actor {
  if (producer === "identity_service") return asActor(shape, person);
  if (producer === "billing_service" && shape.next() < 0.5) return nightlyJob;
  return shape.pick(staff);
}
