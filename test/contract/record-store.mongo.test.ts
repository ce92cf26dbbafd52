/** The record store contract on MongoDB's protocol. */

import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { recordStoreContract } from "./record-store.contract.ts";

recordStoreContract("MongoDB", openFreshMongo);
