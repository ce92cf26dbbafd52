/** The search index contract on MongoDB's protocol. */
import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { searchIndexContract } from "./search-index.contract.ts";

searchIndexContract("MongoDB", openFreshMongo);
