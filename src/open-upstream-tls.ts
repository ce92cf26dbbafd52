/** The part of the composition root that keeps the certificates towards Kafka, Redis and MongoDB, and reads their files again while the process runs. */
import { clientTlsParts, parseClientTls, replaceClientTls } from "./adapters/files/client-tls.ts";
import { type FreshFiles, openFreshFiles } from "./adapters/files/fresh-files.ts";
import type { Config } from "./config.ts";
import type { CertificateTerm } from "./core/certificate-term.ts";
import type { ClientTlsSource } from "./ports/client-tls.ts";
import type { Clock } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";

export type UpstreamTls = ClientTlsSource & {
  /** Of the certificate that is shown; undefined where there is none. */
  term(): CertificateTerm | undefined;
  /** To be kept fresh; none where nothing is configured. */
  readonly files: readonly Pick<FreshFiles<unknown>, "refresh">[];
};

/** Throws CONFIG_INVALID. */
export function openUpstreamTls(
  { upstream }: Pick<Config, "upstream">,
  { now, log }: { readonly now: Clock; readonly log: Log },
): UpstreamTls {
  const listeners: (() => void)[] = [];
  const given = clientTlsParts.flatMap((part) => {
    const path = upstream[part];
    return path === undefined ? [] : [{ part, path }];
  });
  const fresh = openFreshFiles({
    paths: given.map(({ path }) => path),
    what: "certificate towards Kafka, Redis and MongoDB",
    log,
    parse: (texts) =>
      parseClientTls(Object.fromEntries(given.map(({ part }, at) => [part, texts[at] ?? ""])), now),
    changed(next) {
      replaceClientTls(tls, next.tls);
      for (const listener of listeners) listener();
    },
  });
  const { tls } = fresh.current();
  return {
    tls,
    onChange: (listener) => void listeners.push(listener),
    term: () => fresh.current().term,
    files: given.length === 0 ? [] : [fresh],
  };
}
