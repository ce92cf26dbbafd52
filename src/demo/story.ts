/** The one account the report looks at: it begins with the reference event, under its alias names, and lives through the day. */
import type { Chance } from "./chance.ts";
import { type Act, type JsonObject, uuidTrace, w3cTrace } from "./message.ts";
import { type Actor, asActor, type Person } from "./people.ts";

export type StoryStep = {
  /** Share of the day that has passed. */
  readonly at: number;
  readonly act: Omit<Act, "atMs">;
  /** What is sent again at that share of the day: the same, or the same event id with other content. */
  readonly again?: { readonly at: number; readonly as: "copy" | "conflict" };
};

export type Story = {
  readonly person: Person;
  readonly accountId: string;
  readonly steps: readonly StoryStep[];
  /** A share of the day at which version 2 was the newest. */
  readonly moment: number;
};

const admin: Actor = { id: "789", role: "admin", ip: "192.168.1.100", type: "user" };

export function storyOf(run: string, shape: Chance, ids: Chance): Story {
  const accountId = ids.uuid();
  const person: Person = {
    ownershipId: ids.uuid(),
    name: "John Doe",
    email: "john.doe@exemplo.com.br",
    document: "12345678900",
  };
  // The payload of the reference event.
  const created: JsonObject = {
    id: 123,
    public_id: accountId,
    document_registry: person.document,
    name: person.name,
  };
  const complete: JsonObject = { ...created, email: person.email, plan: "basic" };
  const disabled: JsonObject = { ...complete, status: "disabled", status_reason: "documents missing" };
  const enabled: JsonObject = { ...complete, status: "active" };
  const upgraded: JsonObject = { ...enabled, name: "John Doe da Silva", plan: "pro" };
  const team = (at: number, verb: string, payload: JsonObject, eventId: string | undefined): StoryStep => ({
    at,
    act: {
      producer: "team_service",
      eventType: `account.${verb}`,
      traceId: uuidTrace(ids),
      eventId: eventId && `${run}-john-${eventId}`,
      actor: admin,
      ownershipId: person.ownershipId,
      key: accountId,
      payload,
    },
  });
  const other = (
    at: number,
    producer: Act["producer"],
    eventType: string,
    id: string,
    payload: JsonObject,
  ): StoryStep => ({
    at,
    act: {
      producer,
      eventType,
      traceId: w3cTrace(ids),
      eventId: `${run}-john-${eventType}-${at}`,
      actor: asActor(shape, person),
      ownershipId: person.ownershipId,
      key: id,
      payload: { public_id: id, ...payload },
    },
  });
  const [userId, invoiceId] = [ids.uuid(), ids.uuid()];
  const viewed = { public_id: accountId, screen: "account" };
  return {
    person,
    accountId,
    moment: 0.47,
    steps: [
      { ...team(0.3, "created", created, undefined), again: { at: 0.34, as: "copy" } },
      team(0.36, "viewed", viewed, "viewed-1"),
      other(0.38, "identity_service", "user.registered", userId, { login: person.email, mfa: false }),
      { ...team(0.42, "updated", complete, "updated-1"), again: { at: 0.421, as: "copy" } },
      other(0.45, "identity_service", "user.login", userId, { method: "password" }),
      other(0.5, "billing_service", "invoice.created", invoiceId, {
        amount: "49.90",
        currency: "BRL",
        paid: false,
      }),
      team(0.52, "disabled", disabled, "disabled-1"),
      team(0.6, "enabled", enabled, "enabled-1"),
      other(0.65, "billing_service", "invoice.updated", invoiceId, {
        amount: "49.90",
        currency: "BRL",
        paid: true,
      }),
      { ...team(0.7, "updated", upgraded, "updated-2"), again: { at: 0.71, as: "conflict" } },
      team(0.8, "viewed", viewed, "viewed-2"),
    ],
  };
}
