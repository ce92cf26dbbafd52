/** Types of servers.mjs, for the tests that start private servers. */
export type StartOptions = {
  /** Data, settings and the log file live here; started again on the same folder and port, it has everything. */
  readonly dir: string;
  readonly port?: number | undefined;
  readonly log?: (line: string) => void;
};

export type RunningServer = {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly what: string;
  readonly owned: boolean;
  readonly pid: number;
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
};

export function startKafka(options: StartOptions): Promise<RunningServer>;
export function startRedis(options: StartOptions & { readonly appendonly?: boolean }): Promise<RunningServer>;
export function startMongo(options: StartOptions): Promise<RunningServer>;
