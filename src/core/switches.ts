/** What an operator may switch off while the service runs, to shed load: a closed list, each on unless somebody says otherwise. docs/operations.md says what each is. */

export const switchNames = ["publishing", "exports", "tails", "full_text_search", "summaries"] as const;
export type SwitchName = (typeof switchNames)[number];
