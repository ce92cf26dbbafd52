/** The history reader contract on MongoDB's protocol. */

import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { historyReaderContract } from "./history-reader.contract.ts";

historyReaderContract("MongoDB", openFreshMongo);
