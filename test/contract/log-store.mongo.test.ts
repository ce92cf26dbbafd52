/** The log store contract on MongoDB's protocol. */
import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { logStoreContract } from "./log-store.contract.ts";

logStoreContract("MongoDB", openFreshMongo);
