/** Who acts in the day, and whose data it is about. Invented; addresses are of the ranges kept for documentation. */
import type { Chance } from "./chance.ts";

const firstNames = [
  "Ana", "Beatriz", "Caio", "Camila", "Davi", "Eduarda", "Felipe", "Gabriela", "Heitor", "Isabela", "João", "Júlia", "Larissa", "Lúcia",
  "Marcelo", "Mariana", "Otávio", "Patrícia", "Rafael", "Renata", "Sérgio", "Tainá", "Vinícius", "Yara",
] as const; // biome-ignore format: a list
const lastNames = [
  "Almeida", "Araújo", "Barbosa", "Cardoso", "Conceição", "Dias", "Fernandes", "Gonçalves", "Lima", "Magalhães", "Moreira", "Nascimento",
  "Oliveira", "Pacheco", "Queiroz", "Ribeiro", "Santana", "Souza", "Teixeira", "Vasconcelos",
] as const; // biome-ignore format: a list
const domains = ["exemplo.com.br", "correio.example", "empresa.example"] as const;
const networks = ["192.0.2.", "198.51.100.", "203.0.113."] as const;

/** The person whose data events are about: the ownership. */
export type Person = {
  readonly ownershipId: string;
  readonly name: string;
  readonly email: string;
  readonly document: string;
};

/** Who acts: the owner of the event. */
export type Actor = {
  readonly id: string;
  readonly role: string;
  readonly ip: string;
  readonly type: "user" | "service";
};

const asciiOf = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export function drawPerson(shape: Chance, ids: Chance, nth: number): Person {
  const [first, last] = [shape.pick(firstNames), shape.pick(lastNames)];
  return {
    ownershipId: ids.uuid(),
    name: `${first} ${shape.pick(lastNames)} ${last}`,
    email: `${asciiOf(first)}.${asciiOf(last)}${nth}@${shape.pick(domains)}`,
    document: `000${String(nth).padStart(6, "0")}00`,
  };
}

const addressOf = (shape: Chance): string =>
  shape.next() < 0.15
    ? `2001:db8::${(shape.below(0xfffe) + 1).toString(16)}`
    : shape.pick(networks) + String(shape.below(253) + 1);

const roles = ["admin", "support", "finance", "auditor"] as const;

export const drawStaff = (shape: Chance, nth: number): Actor => ({
  id: String(700 + nth),
  role: shape.pick(roles),
  ip: addressOf(shape),
  type: "user",
});

/** A person acting in their own name. */
export const asActor = (shape: Chance, person: Person): Actor => ({
  id: person.ownershipId.slice(0, 8),
  role: "customer",
  ip: addressOf(shape),
  type: "user",
});

export const nightlyJob: Actor = { id: "nightly-billing", role: "batch", ip: "192.0.2.250", type: "service" };
