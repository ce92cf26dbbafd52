/** TLS and passwords towards Kafka and Redis, on servers of this test's own that ask for them; towards MongoDB, before which TLS ends; and certificates that are renewed while all of them are in use. */
import { randomUUID } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openKafkajsSource } from "../../src/adapters/kafkajs/event-source.ts";
import { prepareTopics } from "../../src/adapters/kafkajs/topics.ts";
import { openMongoStore } from "../../src/adapters/mongo/open-mongo-store.ts";
import { openTopicReader } from "../../src/adapters/platformatic-kafka/topic-reader.ts";
import { openRedisHints } from "../../src/adapters/redis/hints.ts";
import { type StoreId, srcOf, type TopicId } from "../../src/core/ids.ts";
import { openUpstreamTls } from "../../src/open-upstream-tls.ts";
import type { ClientTls, ClientTlsSource, KafkaSecurity } from "../../src/ports/client-tls.ts";
import { startCheckThread } from "../../src/run-check-thread.ts";
import { someUids } from "../contract/dedup-hints.contract.ts";
import { numbered, openTestKafka, smallSource } from "../contract/event-source.kafka.ts";
import { recorder } from "../contract/event-source.recorder.ts";
import {
  type Certificate,
  type CertificateAuthority,
  loopbackSan,
  openAuthority,
} from "../support/certificates.ts";
import { silentLog } from "../support/intake.ts";
import { freePort, until } from "../support/lastro.ts";
import { mongoUrl, type RunningServer, redisUrl, startKafka, startRedis } from "../support/servers.ts";
import { type TlsInFront, tlsInFrontOf } from "../support/tls-in-front.ts";

const signal = new AbortController().signal;
const user = { name: "lastro", password: "pass word" };

let dir: string;
let root: CertificateAuthority;
let stranger: CertificateAuthority;
let own: Certificate;
/** What takes the place of root and certificate where these are renewed. */
let nextRoot: CertificateAuthority;
let next: Certificate;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "lastro-tls-"));
  [root, stranger, nextRoot] = await Promise.all([
    openAuthority(),
    openAuthority("stranger.test"),
    openAuthority("next.test"),
  ]);
  own = await root.certify("server", { san: loopbackSan });
  next = await nextRoot.certify("server", { san: loopbackSan });
}, 60_000);
afterAll(() => {
  root[Symbol.dispose]();
  stranger[Symbol.dispose]();
  nextRoot[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});
const upstreamOf = (upstream: { readonly ca: string; readonly cert: string; readonly key: string }) =>
  openUpstreamTls({ upstream }, { now: Date.now, log: silentLog });
const files = (): ClientTls => upstreamOf({ ca: root.caFile, cert: own.certFile, key: own.keyFile }).tls;

type Renewable = ClientTlsSource & {
  /** Root, certificate and key, on disk; the old ones are refused from now on, and every connection is cut. */
  renew(front: TlsInFront): void;
};
function renewable(): Renewable {
  const folder = mkdtempSync(join(dir, "live-"));
  const [ca, cert, key] = [join(folder, "ca.pem"), join(folder, "tls.crt"), join(folder, "tls.key")];
  const put = ({ caFile }: CertificateAuthority, { certFile, keyFile }: Certificate): void => {
    copyFileSync(caFile, ca);
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
  };
  put(root, own);
  const { tls, onChange, files: live } = upstreamOf({ ca, cert, key });
  return {
    tls,
    onChange,
    renew(front) {
      put(nextRoot, next);
      for (const file of live) file.refresh();
      front.become(next, nextRoot);
    },
  };
}

describe("Kafka", () => {
  let kafka: RunningServer;
  let front: TlsInFront;
  const ports = { tls: 0, sasl: 0 };
  beforeAll(async () => {
    Object.assign(ports, { tls: await freePort(), sasl: await freePort() });
    const { certFile, keyFile } = own;
    const port = await freePort();
    front = await tlsInFrontOf({ hostname: "127.0.0.1", port: `${port}` }, own, root);
    kafka = await startKafka({
      dir: join(dir, "kafka"),
      proxied: [{ port, proxyPort: front.port }],
      secured: { ports, certFile, keyFile, caFile: root.caFile, user },
    });
  }, 120_000);
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    await kafka.stop();
  });

  /** Through both clients: one makes topics and would consume, the other reads of them and would send dead letters. */
  async function reach(
    listener: keyof typeof ports,
    security: KafkaSecurity,
    host = "127.0.0.1",
  ): Promise<number> {
    const topic = `t-${randomUUID()}`;
    const client = { brokers: [`${host}:${ports[listener]}`], clientId: "lastro", security };
    await prepareTopics({ ...client, log: silentLog, topic, deadLetterTopic: `${topic}.dlq`, create: true });
    await using reader = openTopicReader(client);
    return (await reader.read(topic, signal)).partitions.length;
  }

  test("R-24 is reached over TLS with a certificate of our own, and not without", async () => {
    expect(await reach("tls", { tls: files(), sasl: undefined })).toBe(6);
    const { ca = [""] } = files();
    // Of itself this Kafka tells an address.
    expect(await reach("tls", { tls: files(), sasl: undefined }, "localhost")).toBe(6);
    await expect(reach("tls", { tls: { ca }, sasl: undefined })).rejects.toMatchObject({
      code: "SOURCE_UNAVAILABLE",
    });
  }, 90_000);

  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "is reached by %s over TLS",
    async (mechanism) => {
      const tls: ClientTls = { ca: [root.ca] };
      const sasl = { mechanism, username: user.name, password: user.password };
      expect(await reach("sasl", { tls, sasl })).toBe(6);
      const wrong = { tls, sasl: { ...sasl, password: "other" } };
      await expect(reach("sasl", wrong)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
    },
    90_000,
  );

  test("a Kafka of another CA is not talked to", async () => {
    const sasl = { mechanism: "plain", username: user.name, password: user.password } as const;
    const security: KafkaSecurity = { tls: { ca: [stranger.ca] }, sasl };
    await expect(reach("sasl", security)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  }, 90_000);

  test("R-24 both clients go on with a certificate and roots that were renewed on disk, once the old ones are refused", async () => {
    await using direct = openTestKafka([kafka.address]);
    const topic = await direct.createTopic();
    const live = renewable();
    const client = {
      brokers: [front.address],
      clientId: "lastro",
      security: { tls: live.tls, sasl: undefined },
    };
    await using topicReader = openTopicReader(client);
    await using source = await openKafkajsSource({
      ...client,
      topic,
      groupId: topic,
      topicReader,
      ...smallSource,
      log: silentLog,
      now: Date.now,
    });
    const seen = recorder(source, () => 0);
    const offsets = () => new Set(seen.events().map(({ offset }) => offset));
    await source.start(seen.handler);
    await direct.produce(topic, numbered(0, 3));
    await until("it reads", async () => offsets().size === 3, 30_000);
    live.renew(front);
    await direct.produce(topic, numbered(3, 3));
    await until(
      "one of them tells",
      async () => (await topicReader.read(topic, signal)) !== undefined,
      30_000,
    );
    await until("the other reads on", async () => offsets().size === 6, 60_000);
  }, 150_000);
});

describe("Redis", () => {
  let redis: RunningServer;
  let tlsPort: number;
  beforeAll(async () => {
    tlsPort = await freePort();
    const more = [
      ...["--tls-port", `${tlsPort}`, "--tls-cert-file", own.certFile, "--tls-key-file", own.keyFile],
      ...["--tls-ca-cert-file", root.caFile, "--tls-auth-clients", "yes"],
    ];
    redis = await startRedis({ dir: join(dir, "redis"), more });
  }, 60_000);
  afterAll(() => redis.stop());

  const open = (tls: ClientTls, address = `127.0.0.1:${tlsPort}`) =>
    openRedisHints({
      url: `rediss://${address}`,
      tls,
      storeId: "00112233445566778899aabbccddeeff" as StoreId,
      ttlMs: 60_000,
      budgetMs: 1_000,
      log: silentLog,
      now: Date.now,
    });

  test("R-24 gives its hints over TLS with a certificate of our own", async () => {
    await using hints = await open(files());
    const uids = someUids(3);
    await until("Redis answers", async () => hints.isConnected(), 5_000);
    await hints.remember(uids, signal);
    expect(await hints.known(uids, signal)).toEqual(new Set(uids));
  });

  test("one of another CA, and one that wants a certificate we do not have, give none", async () => {
    const each: readonly ClientTls[] = [{ ...files(), ca: [stranger.ca] }, { ca: [root.ca] }];
    for (const tls of each) {
      await using hints = await open(tls);
      expect(await hints.known(someUids(1), signal)).toBe("unavailable");
      expect(hints.isConnected()).toBe(false);
    }
  });

  test("R-24 it helps again with a certificate and roots that were renewed on disk, once the old ones are refused", async () => {
    const live = renewable();
    await using front = await tlsInFrontOf(new URL(redisUrl()), own, root);
    await using hints = await open(live.tls, front.address);
    const answers = async () => (await hints.known(someUids(1), signal)) !== "unavailable";
    await until("Redis answers", answers, 5_000);
    live.renew(front);
    await until("Redis answers again", answers, 20_000);
  }, 60_000);
});

describe("what routes TLS by the name that is asked for", () => {
  const router = "localhost";
  const tls = (): ClientTls => ({ ca: [root.ca] });
  const openHints = (host: string, port: number) =>
    openRedisHints({
      url: `rediss://${host}:${port}`,
      tls: tls(),
      storeId: "00112233445566778899aabbccddeeff" as StoreId,
      ttlMs: 60_000,
      budgetMs: 1_000,
      log: silentLog,
      now: Date.now,
    });

  test("R-24 leads to Kafka, for both of its clients", async () => {
    const port = await freePort();
    await using front = await tlsInFrontOf(
      { hostname: "127.0.0.1", port: `${port}` },
      own,
      undefined,
      router,
    );
    const kafka = await startKafka({
      dir: join(dir, "kafka-by-name"),
      proxied: [{ port, proxyPort: front.port, proxyHost: router }],
    });
    try {
      const topic = `t-${randomUUID()}`;
      const security = { tls: tls(), sasl: undefined };
      const client = { brokers: [`${router}:${front.port}`], clientId: "lastro", security };
      await prepareTopics({
        ...client,
        log: silentLog,
        topic,
        deadLetterTopic: `${topic}.dlq`,
        create: true,
      });
      await using topicReader = openTopicReader(client);
      expect((await topicReader.read(topic, signal)).partitions.length).toBe(6);
    } finally {
      await kafka.stop();
    }
  }, 120_000);

  test("R-24 leads to Redis, and no address is asked for as a name", async () => {
    const behind = new URL(redisUrl());
    await using front = await tlsInFrontOf(behind, own, undefined, router);
    await using hints = await openHints(router, front.port);
    const uids = someUids(3);
    await until("Redis answers", async () => hints.isConnected(), 5_000);
    await hints.remember(uids, signal);
    expect(await hints.known(uids, signal)).toEqual(new Set(uids));
    await using plain = await tlsInFrontOf(behind, own);
    await using direct = await openHints("127.0.0.1", plain.port);
    await until("Redis answers", async () => direct.isConnected(), 5_000);
    expect([[...front.names], [...plain.names]]).toEqual([[router], []]);
  });
});

describe("MongoDB", () => {
  const open = async (tls: ClientTls, options = "tls=true&directConnection=true") => {
    const behind = new URL(mongoUrl());
    await using front = await tlsInFrontOf(behind, own, root);
    const url = `mongodb://${front.address}/${`t${randomUUID()}`}?${options}`;
    await using store = await openMongoStore({ url, tls, serverSelectionTimeoutMs: 1_500 });
    return store.description;
  };

  test("R-24 is the store over TLS with a certificate of our own", async () => {
    expect(await open(files())).toMatch(/MongoDB/);
  });

  test("one of another CA, one that wants a certificate we do not have, and one that is asked in the clear are none", async () => {
    const unavailable = { code: "STORE_UNAVAILABLE" };
    await expect(open({ ...files(), ca: [stranger.ca] })).rejects.toMatchObject(unavailable);
    await expect(open({ ca: [root.ca] })).rejects.toMatchObject(unavailable);
    await expect(open(files(), "directConnection=true")).rejects.toMatchObject(unavailable);
  });

  test("R-24 the store, and the thread of a check, go on with a certificate and roots that were renewed on disk, once the old ones are refused", async () => {
    const live = renewable();
    await using front = await tlsInFrontOf(new URL(mongoUrl()), own, root);
    const url = `mongodb://${front.address}/t${randomUUID()}?tls=true&directConnection=true`;
    await using store = await openMongoStore({ url, tls: live.tls, serverSelectionTimeoutMs: 1_500 });
    const config = { kind: "mongodb", url, allowUnsafe: false, queryMaxMs: 30_000 } as const;
    const checkHere = () => Promise.reject(new Error("the thread checks"));
    await using thread = startCheckThread({ store: config }, live, checkHere);
    const range = { src: srcOf("AAAAAAAAAAAAAAAAAAAAAA" as TopicId, 0), from: 0, to: 1 };
    const size = () => store.log.size(signal);
    const checked = () => thread.checkRange(range, 1, signal);
    expect(await size()).toBe(0);
    const before = await checked();
    live.renew(front);
    await until("the store answers", async () => (await size()) === 0, 20_000);
    await until("the thread answers", async () => (await checked()) !== undefined, 20_000);
    expect(await checked()).toEqual(before);
  }, 60_000);
});
