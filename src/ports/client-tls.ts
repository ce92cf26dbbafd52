/** How a connection to Kafka, Redis or MongoDB is protected. */

/** PEM texts. Without `ca` the roots of Node are trusted; `cert` and `key` come together. */
export type ClientTls = { readonly ca?: string; readonly cert?: string; readonly key?: string };

export type KafkaSecurity = {
  /** Undefined: in the clear. */
  readonly tls: ClientTls | undefined;
  readonly sasl:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
};
