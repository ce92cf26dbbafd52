/** The store state contract on MongoDB's protocol. */

import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { storeStateContract } from "./store-state.contract.ts";

storeStateContract("MongoDB", openFreshMongo);
