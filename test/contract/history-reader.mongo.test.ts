/** The history reader contract on MongoDB's protocol. */

import { jest } from "@jest/globals";
import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { historyReaderContract } from "./history-reader.contract.ts";

/** Its stand-in looks at all records for each page, and some tests read many small ones. */
jest.setTimeout(120_000);

historyReaderContract("MongoDB", openFreshMongo);
