/** The audit reader contract on MongoDB's protocol. */
import { openFreshMongo } from "../integration/mongo/fresh.ts";
import { auditReaderContract } from "./audit-reader.contract.ts";

auditReaderContract("MongoDB", openFreshMongo);
