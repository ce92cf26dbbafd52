/** `node src/main.ts`: runs the service until it is told to stop. */
import { runService } from "./app.ts";

process.exitCode = await runService(process.env);
