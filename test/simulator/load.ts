/** What producers send: events of few entities, copies of them, others under the same identity, and what is no event. */
import type { Draw } from "../support/draw.ts";
import { auditEvent } from "../support/intake.ts";

export type Message = { readonly partition: number; readonly value: string | undefined };

const types = ["created", "updated", "updated", "disabled", "enabled", "removed", "viewed"] as const;
const poison = "{ not json";
/** Names its producer, and no event type. */
const refused = auditEvent({ type: "nothing" });

export type LoadShape = { readonly spreads: boolean; readonly floods: boolean; readonly owners: number };

/** Each value that is an event has the identity that `idOf` tells; two of one identity and other bytes are in conflict. */
export function makeLoad(
  draw: Draw,
  count: number,
  partitions: number,
  { spreads, floods, owners }: LoadShape,
): readonly Message[] {
  const sent: Message[] = [];
  for (let n = 0; n < count; n++) {
    const fate = draw(20);
    const earlier = sent[draw(sent.length)];
    const entity = draw(4);
    const partition = spreads ? draw(partitions) : entity % partitions;
    if (floods && draw(3) === 0) sent.push({ partition, value: refused });
    else if (fate === 0) sent.push({ partition, value: poison });
    else if (fate === 1) sent.push({ partition, value: undefined });
    else if (fate < 6 && earlier?.value !== undefined) sent.push(again(draw, earlier, partition, fate));
    else
      sent.push({
        partition,
        value: eventOf(n, entity, types[draw(types.length)] ?? "updated", owners),
      });
  }
  return sent;
}

const [minutes, minuteStep] = [60, 17];

/** Producers do not send in the order of their clocks. Where there are several owners, there are several producers. */
function eventOf(n: number, entity: number, type: string, owners: number): string {
  const minute = String((n * minuteStep) % minutes).padStart(2, "0");
  return auditEvent({
    id: `a-${entity}`,
    eventId: `e${n}`,
    type: `account.${type}`,
    name: `e${n}`,
    at: `2026-11-21T11:${minute}:00Z`,
    ...(owners > 1 && { owner: `owner-${n % owners}`, producer: `service-${entity % 2}` }),
  });
}

/** A copy, of the same partition or another, or a conflict, which also tells of an earlier time. */
function again(draw: Draw, { value = poison, partition }: Message, other: number, fate: number): Message {
  const to = draw(2) === 0 ? partition : other;
  return {
    partition: to,
    value: fate === 2 ? value.replace("21T11:", "21T10:") : value,
  };
}

/** Undefined for what is no event. */
export const idOf = (value: string): string | undefined => /"event_id":"([^"]+)"/.exec(value)?.[1];
