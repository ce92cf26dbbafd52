/** A service that reaches each of its servers through a link of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { primaryPort } from "./forged-answers.ts";
import { freePort, type LastroOptions, type LastroProcess } from "./lastro.ts";
import { type Link, openLink, through } from "./link.ts";
import { redisUrl, startKafka } from "./servers.ts";
import { makeWorld, type World } from "./world.ts";

export const linkNames = ["kafka", "store", "redis"] as const;
export type LinkName = (typeof linkNames)[number];
export type Links = Readonly<Record<LinkName, Link>>;

/** A broker that tells each comer to come again through the link that it came by. */
export type LinkedKafka = AsyncDisposable & {
  readonly address: string;
  /** A link that nobody has taken. */
  takeLink(): Link;
};

export async function startLinkedKafka(linkCount: number): Promise<LinkedKafka> {
  await using opening = new AsyncDisposableStack();
  const links: Link[] = [];
  const proxied: { readonly port: number; readonly proxyPort: number }[] = [];
  for (let count = 0; count < linkCount; count++) {
    const port = await freePort();
    const link = opening.use(await openLink(port));
    links.push(link);
    proxied.push({ port, proxyPort: link.port });
  }
  const dir = mkdtempSync(join(tmpdir(), "lastro-kafka-"));
  opening.defer(() => rmSync(dir, { recursive: true, force: true }));
  const server = await startKafka({ dir, proxied });
  opening.defer(() => server.stop());
  const opened = opening.move();
  return {
    address: server.address,
    takeLink() {
      const link = links.pop();
      if (link === undefined) throw new Error(`all ${linkCount} links are taken`);
      return link;
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

export type LinkedWorld = AsyncDisposable & {
  readonly world: World;
  /** As `world.start`, with links of its own before its servers. */
  start(
    kafkaLink: Link,
    options?: Partial<LastroOptions>,
  ): Promise<{ readonly lastro: LastroProcess; readonly links: Links }>;
};

export async function makeLinkedWorld(
  kafka: LinkedKafka,
  env: Readonly<Record<string, string>>,
): Promise<LinkedWorld> {
  await using opening = new AsyncDisposableStack();
  const world = opening.use(await makeWorld("mongodb", { ...env, LASTRO_KAFKA_BROKERS: kafka.address }));
  const opened = opening.move();
  return {
    world,
    async start(kafkaLink, options) {
      const links: Links = {
        kafka: kafkaLink,
        store: opened.use(await openLink(await primaryPort())),
        redis: opened.use(await openLink(Number(new URL(redisUrl()).port))),
      };
      const linked = {
        LASTRO_KAFKA_BROKERS: kafkaLink.address,
        LASTRO_STORE_URL: through(world.env["LASTRO_STORE_URL"] ?? "", links.store),
        LASTRO_REDIS_URL: through(redisUrl(), links.redis),
      };
      return { lastro: await world.start({ ...options, env: { ...linked, ...options?.env } }), links };
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
