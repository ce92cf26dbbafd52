/** Hints in a real Redis keep the contract. */
import { randomBytes } from "node:crypto";
import { describe } from "@jest/globals";
import { openRedisHints } from "../../src/adapters/redis/hints.ts";
import type { StoreId } from "../../src/core/ids.ts";
import { redisUrl } from "../support/servers.ts";
import { dedupHintsContract } from "./dedup-hints.contract.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("dedup hints in Redis", () =>
  dedupHintsContract(() =>
    openRedisHints({
      url: redisUrl(),
      storeId: randomBytes(16).toString("hex") as StoreId,
      ttlMs: 60_000,
      budgetMs: 2_000,
      log: silent,
      now: Date.now,
    }),
  ));
