/** The history reader contract on MongoDB's protocol. */

import { openFreshMongo } from "../adapters/mongo/fresh.ts";
import { historyReaderContract } from "./history-reader.contract.ts";

historyReaderContract("MongoDB", openFreshMongo);
