/** What `npm run bench` measures with; docs/performance.md says what each variable means. */
export const benchSetting = (name: string, preset: number): number =>
  Number(process.env[`LASTRO_TEST_BENCH_${name}`] ?? preset);

export const events = benchSetting("EVENTS", 300_000);
/** Of one round into FerretDB. */
export const storedEvents = benchSetting("STORED_EVENTS", Math.min(events, 10_000));
export const pairs = benchSetting("PAIRS", 3);
export const latencySeconds = benchSetting("LATENCY_SECONDS", 60);
export const records = benchSetting("RECORDS", 1_000_000);
