/** How a connection to Kafka, Redis or MongoDB is protected; the certificates may be replaced while connections stand. */

/**
 * PEM texts. Without `ca` the roots of Node are trusted; `cert` and `key` come together. Each lies in a list in which it is replaced: the
 * clients' libraries copy options when they are opened, but not lists, and give these to TLS anew with each connection.
 */
export type ClientTls = { readonly ca?: [string]; readonly cert?: [string]; readonly key?: [string] };

export type ClientTlsSource = {
  /** Always the newest. */
  readonly tls: ClientTls;
  /** Called after each replacement. Connections that stand are not cut. */
  onChange(listener: () => void): void;
};

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
