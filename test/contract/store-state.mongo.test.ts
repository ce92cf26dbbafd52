/** The store state contract on MongoDB's protocol. */

import { openFreshMongo } from "../adapters/mongo/fresh.ts";
import { storeStateContract } from "./store-state.contract.ts";

storeStateContract("MongoDB", openFreshMongo);
