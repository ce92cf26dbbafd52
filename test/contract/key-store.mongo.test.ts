/** The key store contract on MongoDB's protocol. */

import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { keyStoreContract } from "./key-store.contract.ts";

keyStoreContract("MongoDB", openFreshMongo);
