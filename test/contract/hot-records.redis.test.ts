/** Hot records in a real Redis keep the contract. */
import { randomBytes } from "node:crypto";
import { describe } from "@jest/globals";
import { openRedisHotRecords } from "../../src/adapters/redis/hot-records.ts";
import type { StoreId } from "../../src/core/ids.ts";
import { silentLog } from "../support/intake.ts";
import { redisUrl } from "../support/servers.ts";
import { hotRecordsContract } from "./hot-records.contract.ts";

describe("hot records in Redis", () => {
  const storeId = randomBytes(16).toString("hex") as StoreId;
  hotRecordsContract((ttlMs) =>
    openRedisHotRecords({
      url: redisUrl(),
      storeId,
      ttlMs,
      budgetMs: 2_000,
      log: silentLog,
      now: () => performance.now(),
    }),
  );
});
