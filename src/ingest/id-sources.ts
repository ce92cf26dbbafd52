/** Watches from where entities of a type take their ids: a second source splits one entity into two streams. A warning, nothing more. */
import type { Projection } from "../core/record.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";

type Found = {
  readonly idPointer: string;
  readonly projection: Pick<Projection, "namespace" | "entityType">;
};

export type IdSources = { note(entities: Iterable<Found>): void };

/** Entity types watched; later ones go unwatched. */
const typesMax = 10_000;

export function watchIdSources(observer: Pick<Observer, "entityIdSourceChanged">, log: Log): IdSources {
  const pointers = new Map<string, Set<string>>();
  return {
    note(entities) {
      for (const { idPointer, projection } of entities) {
        const { namespace, entityType: type } = projection;
        const name = `${namespace}/${type}`;
        const known = pointers.get(name);
        if (known === undefined) {
          if (pointers.size < typesMax) pointers.set(name, new Set([idPointer]));
        } else if (!known.has(idPointer)) {
          known.add(idPointer);
          observer.entityIdSourceChanged(type);
          log.warn(
            "entity_id_source_changed",
            "ids of this entity type come from more than one place, so one entity may have two streams: pin entity_id for its event types in the catalogue",
            { namespace, entityType: type, idPointer },
          );
        }
      }
    },
  };
}
