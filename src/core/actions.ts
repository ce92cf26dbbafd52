/** What the verb of an event type does to its entity, and what it is called. A verb that is not in the table never changes state: it is an activity. */
import {
  type Action,
  type ActionType,
  type EnvelopeFlag,
  type Severity,
  type Status,
  statuses,
} from "./event.ts";

type VerbMeaning = {
  readonly action: Action;
  readonly severity: Severity;
  readonly flags: readonly EnvelopeFlag[];
};

/** Verbs whose payload is the entity's state after the act. */
const changes: Readonly<Record<ActionType, readonly string[]>> = {
  new: ["created", "create", "new", "added", "add", "registered", "register", "inserted", "insert"],
  update: ["updated", "update", "changed", "change", "modified", "modify", "edited", "edit", "replaced", "replace"],
  delete: ["deleted", "delete", "removed", "remove", "destroyed", "destroy"],
  disable: [
    "disabled", "disable", "deactivated", "deactivate", "suspended", "suspend", "blocked", "block", "locked", "lock", "archived", "archive",
  ],
  enable: [
    "enabled", "enable", "activated", "activate", "reactivated", "reactivate", "resumed", "resume", "unblocked", "unblock", "unlocked", "unlock",
    "unarchived", "unarchive", "restored", "restore",
  ],
}; // biome-ignore format: a table

/** Verbs that tell of an act and carry no state of the entity. */
const activities: Readonly<Record<Severity, readonly string[]>> = {
  LOW: [
    "viewed", "view", "read", "accessed", "access", "listed", "list", "searched", "search", "login", "logged_in", "logout", "logged_out",
    "opened", "closed", "sent", "received", "notified", "printed", "validated",
  ],
  MEDIUM: [
    "approved", "approve", "rejected", "reject", "completed", "complete", "cancelled", "canceled", "cancel", "submitted", "assigned",
    "unassigned", "signed", "shared", "downloaded", "download", "imported", "import", "uploaded",
  ],
  HIGH: [
    "exported", "export", "password_changed", "password_change", "password_reset", "config_updated", "config_update", "setting_changed",
    "setting_change", "key_rotated",
  ],
  CRITICAL: [
    "login_failed", "access_denied", "role_assigned", "role_assign", "role_removed", "role_remove", "permission_granted", "permission_grant",
    "permission_revoked", "permission_revoke", "mfa_disabled",
  ],
}; // biome-ignore format: a table

const meanings: ReadonlyMap<string, VerbMeaning> = new Map([
  ...Object.entries(changes).flatMap(([action, verbs]) =>
    verbs.map((verb): [string, VerbMeaning] => [
      verb,
      { action: { kind: "change", action: action as ActionType }, severity: "MEDIUM", flags: [] },
    ]),
  ),
  ...Object.entries(activities).flatMap(([severity, verbs]) =>
    verbs.map((verb): [string, VerbMeaning] => [
      verb,
      { action: { kind: "activity" }, severity: severity as Severity, flags: [] },
    ]),
  ),
]);

const unknownVerb: VerbMeaning = { action: { kind: "activity" }, severity: "LOW", flags: ["unknown_verb"] };

/** Hyphens and underscores in a verb are the same. */
const spelled = (verb: string): string => verb.replaceAll("-", "_");
export const verbMeaning = (verb: string): VerbMeaning => meanings.get(spelled(verb)) ?? unknownVerb;

/** Its last word, as the tables here spell it. */
export const verbOf = (eventType: string): string => spelled(eventType.slice(eventType.lastIndexOf(".") + 1));

/** What acts are called in answers, whatever spelling of the verb a producer uses. */
const operations: Readonly<Record<string, readonly string[]>> = {
  CREATE: changes.new,
  UPDATE: changes.update,
  DELETE: changes.delete,
  DISABLE: changes.disable,
  ENABLE: changes.enable,
  READ: ["viewed", "view", "read", "accessed", "access", "listed", "list", "searched", "search"],
  LOGIN: ["login", "logged_in"],
  LOGOUT: ["logout", "logged_out"],
  PASSWORD_CHANGE: ["password_changed", "password_change"],
  EXPORT: ["exported", "export"],
  IMPORT: ["imported", "import"],
  APPROVE: ["approved", "approve"],
  REJECT: ["rejected", "reject"],
  COMPLETE: ["completed", "complete"],
  CANCEL: ["cancelled", "canceled", "cancel"],
  ROLE_ASSIGN: ["role_assigned", "role_assign"],
  ROLE_REMOVE: ["role_removed", "role_remove"],
  PERMISSION_GRANT: ["permission_granted", "permission_grant"],
  PERMISSION_REVOKE: ["permission_revoked", "permission_revoke"],
  CONFIG_UPDATE: ["config_updated", "config_update"],
  SETTING_CHANGE: ["setting_changed", "setting_change"],
};
const operationNames = new Map(
  Object.entries(operations).flatMap(([name, verbs]) => verbs.map((verb): [string, string] => [verb, name])),
);

/** `CREATE` for account.created and account.added; a verb without a name of its own in capitals. */
export function operationOf(eventType: string): string {
  const verb = verbOf(eventType);
  return operationNames.get(verb) ?? verb.toUpperCase();
}

const failing = /(?:^|_)(?:failed|denied)$/;
const pending = /(?:^|_)(?:requested|submitted|scheduled|queued|pending)$/;

/** How an act ended: what the producer says in `metadata.status`, else what its verb says. */
export function statusOf(eventType: string, told: unknown): Status {
  const said = statuses.find((status) => status === told);
  if (said !== undefined) return said;
  const verb = verbOf(eventType);
  if (failing.test(verb)) return "FAILURE";
  return pending.test(verb) ? "PENDING" : "SUCCESS";
}
