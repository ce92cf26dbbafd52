/** The event catalogue: what an operator declares of event types. Trusted input, but a wrong one is refused whole, with every error. */
import { type CatalogueFile, catalogueFile, type FaultFinder, type RuleFile } from "./catalogue-schema.ts";
import type { Action, Processing, Severity } from "./event.ts";
import { guardJson } from "./guard-json.ts";
import { isWithin, pointerSegment } from "./json-pointer.ts";
import { defaultLimits, type ParseLimits } from "./parse-options.ts";

/** What the catalogue says of an event type; undefined where it is silent. */
export type CatalogueRule = {
  readonly entityId: string | undefined;
  readonly action: Action | undefined;
  readonly severity: Severity | undefined;
  readonly resourceType: string | undefined;
  readonly namespace: string | undefined;
  readonly payloadIs: "state" | "merge" | undefined;
  readonly index: readonly string[];
  readonly neverIndex: readonly string[];
  /** Pointers of texts for full text; undefined: the usual ones. */
  readonly search: readonly string[] | undefined;
  readonly processing: Processing | undefined;
  /** By major.minor: the first fault of a payload, or undefined. */
  readonly schemas: ReadonlyMap<string, FaultFinder>;
};

export type Catalogue = {
  /** By event type, or `type.*`. */
  readonly rules: ReadonlyMap<string, CatalogueRule>;
  readonly unknownMajor: "accept" | "reject";
  /** Majors that some schema declares: known to the parse station too. */
  readonly majors: readonly string[];
};

export const emptyCatalogue: Catalogue = { rules: new Map(), unknownMajor: "accept", majors: [] };

type ParsedCatalogue =
  | { readonly ok: true; readonly catalogue: Catalogue }
  | { readonly ok: false; readonly errors: readonly string[] };

const catalogueLimits: ParseLimits = { ...defaultLimits, valueBytesMax: 4_194_304, depthMax: 64 };

export function parseCatalogue(text: string): ParsedCatalogue {
  const guarded = guardJson(new TextEncoder().encode(text), catalogueLimits, { path: [], names: [] });
  if (!guarded.ok)
    return { ok: false, errors: [`${guarded.rejection.pointer || "/"}: ${guarded.rejection.sentence}`] };
  const file = catalogueFile.safeParse(guarded.value);
  if (file.success) return rulesOf(file.data);
  const errors = file.error.issues.map((issue) => {
    const message =
      issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return `${issue.path.map((key) => pointerSegment(String(key))).join("") || "/"}: ${message}`;
  });
  return { ok: false, errors };
}

function rulesOf(file: CatalogueFile): ParsedCatalogue {
  const errors: string[] = [];
  const rules = new Map<string, CatalogueRule>();
  for (const [eventType, given] of Object.entries(file.events)) {
    const general = generalOf(eventType);
    const rule = ruleOf(general === eventType ? given : inherit(given, file.events[general]));
    const { entityId } = rule;
    if (entityId !== undefined && rule.neverIndex.some((never) => isWithin(entityId, never)))
      errors.push(
        `/events${pointerSegment(eventType)}/entity_id: is under never_index, but entity ids are searchable: choose another`,
      );
    rules.set(eventType, rule);
  }
  if (errors.length > 0) return { ok: false, errors };
  const versions = [...rules.values()].flatMap(({ schemas }) => [...schemas.keys()]);
  const majors = new Set(versions.map((version) => version.split(".", 1)[0] ?? version));
  return { ok: true, catalogue: { rules, unknownMajor: file.unknown_major, majors: [...majors] } };
}

/** `account.*` for `account.created`. */
const generalOf = (eventType: string): string => eventType.replace(/\.[^.]+$/, ".*");

/** What the event type says comes before what its entity type says; kind and action go together. */
function inherit(given: RuleFile, general: RuleFile | undefined): RuleFile {
  const { kind, action, ...rest } = general ?? {};
  const saysItself = given.kind !== undefined || given.action !== undefined;
  return saysItself ? { ...rest, ...given } : { ...general, ...given };
}

function ruleOf(given: RuleFile): CatalogueRule {
  const { processing } = given;
  return {
    entityId: given.entity_id,
    action: actionOf(given),
    severity: given.severity,
    resourceType: given.resource_type,
    namespace: given.namespace,
    payloadIs: given.payload_is,
    index: given.index ?? [],
    neverIndex: given.never_index ?? [],
    search: given.search,
    processing: processing && {
      legalBasis: processing.legal_basis,
      purpose: processing.purpose,
      retentionDays: processing.retention_days,
    },
    schemas: given.schemas ?? new Map(),
  };
}

function actionOf(given: RuleFile): Action | undefined {
  if (given.kind === "activity") return { kind: "activity" };
  return given.action && { kind: "change", action: given.action };
}

/** The rule of the event type itself, else of its entity type. */
export const ruleFor = (catalogue: Catalogue, eventType: string): CatalogueRule | undefined =>
  catalogue.rules.size === 0
    ? undefined
    : (catalogue.rules.get(eventType) ?? catalogue.rules.get(generalOf(eventType)));
