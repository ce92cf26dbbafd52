/** Rows of the start-up table that the launcher hands over: what it found or started for the service. */
import * as z from "zod";

const LaunchedPart = z.object({
  part: z.string(),
  where: z.string(),
  what: z.string(),
  fellBack: z.string().optional(),
  change: z.string().optional(),
});
export type LaunchedPart = z.output<typeof LaunchedPart>;
/** From the JSON text of the variable. */
export const launched = z.string().transform((json, context): LaunchedPart[] => {
  try {
    return z.array(LaunchedPart).parse(JSON.parse(json));
  } catch {
    context.addIssue("is written by the launcher; do not set it");
    return z.NEVER;
  }
});
