/** What the REST server tells of its requests: the route as it is declared, never what was asked for. */

export type ObservedRequest = {
  /** What `work` sets off belongs to the request. */
  within<T>(work: () => T): T;
  /** Called once, when the answer has left or the client has gone. */
  end(status: number): void;
};

export type ObserveRequest = (request: {
  readonly method: string;
  /** Such as `/api/v1/audit-logs/:id`; undefined: no route has the path. */
  readonly route: string | undefined;
  /** The header `traceparent` (W3C Trace Context), which may hold anything. */
  readonly traceparent: string | undefined;
}) => ObservedRequest;
