/** What is shown of a record to who may see it and not the persons in it. Entry, hash and places stay, so that it verifies as before. */
import type { Filter } from "../core/filter.ts";
import { normaliseIp } from "../core/ip-address.ts";
import { type FilterField, isIndexedPath, type SearchField } from "../core/search-fields.ts";
import { contentOf, type RecordView } from "./record-view.ts";

/** `named`: a whole value may be asked for, as whoever knows it may ask for its history; a part of one would find persons out. */
const askable: Readonly<Record<SearchField, "open" | "named" | "personal">> = {
  tenant: "open",
  namespace: "open",
  entity_type: "open",
  entity_id: "named",
  kind: "open",
  version: "open",
  event_type: "open",
  action: "open",
  active: "open",
  severity: "open",
  status: "open",
  operation: "open",
  resource_type: "open",
  producer_service: "open",
  trace_id: "open",
  owner_id: "personal",
  owner_ip: "personal",
  owner_role: "open",
  owner_type: "open",
  ownership_id: "personal",
  flags: "open",
  text: "personal",
  action_at: "open",
  recorded_at: "open",
};

/** Whether the answer would tell of what a mask hides: of persons, or of bodies, where indexed paths lead to. */
export function asksPersonal(filter: Filter): boolean {
  if (filter.kind === "not") return asksPersonal(filter.of);
  if (filter.kind !== "compare") return filter.of.some(asksPersonal);
  const { field, operator } = filter;
  if (isIndexedPath(field)) return true;
  return askable[field] === "personal" || (askable[field] === "named" && operator !== "=");
}

/** Whether its values tell of persons. */
export const isPersonal = (field: FilterField): boolean => isIndexedPath(field) || askable[field] !== "open";

const nothing = new Uint8Array();

/** An address is the same in each of its spellings. */
const spelled = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : (normaliseIp(text) ?? text);

/** What was erased or does not open has nothing to hide. */
export function masked(view: RecordView): RecordView {
  const content = contentOf(view);
  if (content === undefined) return view;
  const { id, ip, ...actor } = content.actor;
  const isPerson = [content.ownershipId, id, ip].map(spelled).includes(spelled(content.entityId));
  return {
    ...view,
    content: {
      ...content,
      state: "masked",
      entityId: isPerson ? undefined : content.entityId,
      ownershipId: undefined,
      actor,
      event: nothing,
      payload: nothing,
      metadata: nothing,
    },
  };
}

/** Whether it shows more than a masked record does. */
export const showsBody = (view: RecordView): boolean =>
  "event" in view.content && view.content.state !== "masked";
