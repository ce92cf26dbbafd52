/** The part of the composition root that joins who may ask: access file, tokens, certificates; and reads their files again while the service runs. */

import { type AccessRules, parseAccessRules } from "./access/access-rules.ts";
import { authenticator } from "./access/authenticate.ts";
import { oidcVerifier } from "./access/oidc.ts";
import { remembering } from "./access/remembered.ts";
import { type ViewerTokens, viewerTokens } from "./access/viewer-tokens.ts";
import { type FreshFiles, openFreshFiles } from "./adapters/files/fresh-files.ts";
import { parseServerTls } from "./adapters/files/server-tls.ts";
import type { Config } from "./config.ts";
import { anyone } from "./core/caller.ts";
import type { CertificateTerm } from "./core/certificate-term.ts";
import { LastroError } from "./core/errors.ts";
import { keepFresh } from "./keep-fresh.ts";
import type { Authenticate } from "./ports/authenticate.ts";
import type { Clock, Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { Observer } from "./ports/observer.ts";
import type { ServerTls, ServerTlsSource } from "./ports/server-tls.ts";

type Around = {
  /** 32 bytes, the same in all processes of the store. */
  readonly viewerKey: Uint8Array;
  readonly now: Clock;
  readonly random: Randomness;
  readonly observer: Pick<Observer, "callerRefused">;
  readonly log: Log;
};

export type Access = {
  readonly authenticate: Authenticate;
  readonly viewers: ViewerTokens;
  /** Hears of every new access file that holds. */
  onRulesChange(listener: (rules: AccessRules) => void): void;
  /** Undefined: the listeners speak in the clear. */
  readonly tls: ServerTlsSource | undefined;
  /** Of the listeners' certificate. */
  certificateTerm(): CertificateTerm | undefined;
};

/** Throws CONFIG_INVALID. */
export function openAccess(config: Config, around: Around, signal: AbortSignal): Access {
  const viewers = viewerTokens({ key: around.viewerKey, now: around.now, random: around.random });
  const listeners: ((rules: AccessRules) => void)[] = [];
  const changed = (next: AccessRules): void => {
    for (const listener of listeners) listener(next);
  };
  const rules = config.auth && openRules(config.auth.accessFile, around.log, changed);
  const tls = config.tls && openTls(config.tls, around);
  const files = [rules, tls?.files].filter((one) => one !== undefined);
  keepFresh(files, config.filesRefreshMs, signal);
  return {
    authenticate:
      config.auth && rules ? authenticateBy(config.auth, rules, viewers, around) : async () => anyone,
    viewers,
    onRulesChange: (listener) => void listeners.push(listener),
    tls: tls?.source,
    certificateTerm: () => tls?.source.current().term,
  };
}

function authenticateBy(
  { oidc, audience }: NonNullable<Config["auth"]>,
  rules: FreshFiles<AccessRules>,
  viewers: ViewerTokens,
  { now, observer, log }: Around,
): Authenticate {
  return authenticator({
    rules: rules.current,
    oidc: oidc && { issuer: oidc.issuer, verify: remembering(oidcVerifier(oidc, now), now) },
    audience,
    viewers,
    now,
    observer,
    log,
  });
}

const openRules = (path: string, log: Log, changed: (rules: AccessRules) => void): FreshFiles<AccessRules> =>
  openFreshFiles({
    paths: [path],
    what: "access file",
    log,
    changed,
    parse([text = ""]) {
      const parsed = parseAccessRules(text);
      if (parsed.ok) return parsed.rules;
      throw new LastroError("CONFIG_INVALID", `${path} is not used:\n${parsed.errors.join("\n")}`);
    },
  });

function openTls(
  { certFile, keyFile, clientCaFile, clientsRequired }: NonNullable<Config["tls"]>,
  { now, log }: Around,
) {
  const listeners: ((tls: ServerTls) => void)[] = [];
  const files = openFreshFiles({
    paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
    what: "certificate",
    log,
    parse: (texts) => parseServerTls(texts, clientsRequired, now),
    changed(tls) {
      for (const listener of listeners) listener(tls);
    },
  });
  const source: ServerTlsSource = {
    current: files.current,
    onChange: (listener) => void listeners.push(listener),
  };
  return { files, source };
}
