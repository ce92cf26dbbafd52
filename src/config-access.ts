/** Variables of who may ask and of TLS: on the listeners, and towards Kafka, Redis and MongoDB. */
import * as z from "zod";
import { httpUrl, number, optional, type Rule, second, text, variable } from "./config-variable.ts";
import { hostPort, isLoopback, isPrivateEnough, list, onOff } from "./lib/env-values.ts";

const saslMechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;
/** Whoever can answer in its place can let anybody in. */
export const providerUrl = httpUrl.refine(isPrivateEnough, "must be an https:// address, or on loopback");

// biome-ignore format: a table
export const accessVariables = {
  LASTRO_AUTH: variable(z.enum(["none", "on"], "must be none or on"), "none", { description: "Who may ask: `on`, whom LASTRO_ACCESS_FILE names; `none`, everybody, only while every listener is on loopback" }),
  LASTRO_ACCESS_FILE: optional(text, { description: "What is granted to whom (JSON); read again while running", defaultText: "none" }),
  LASTRO_AUDIENCE: variable(list.refine((items) => items.length > 0, "must name at least one"), "lastro", { description: "Whom tokens must be meant for (`aud`), separated by commas; one is enough" }),
  LASTRO_OIDC_ISSUER: optional(providerUrl, { description: "OpenID provider whose access tokens are taken, as its tokens name it (`iss`)", defaultText: "none" }),
  LASTRO_OIDC_JWKS_URL: optional(providerUrl, { description: "Where its keys are", defaultText: "as its discovery document says" }),
  LASTRO_TLS_CERT_FILE: optional(text, { description: "Certificate chain (PEM) of the gRPC and HTTP listeners; read again while running", defaultText: "none: no TLS" }),
  LASTRO_TLS_KEY_FILE: optional(text, { description: "Its private key (PEM)", defaultText: "none" }),
  LASTRO_TLS_CLIENT_CA_FILE: optional(text, { description: "Certificates (PEM) that clients' certificates must lead to", defaultText: "none: clients are asked for no certificate" }),
  LASTRO_TLS_CLIENTS: variable(z.enum(["required", "optional"], "must be required or optional"), "required", { description: "Whether a client needs a certificate where LASTRO_TLS_CLIENT_CA_FILE is set" }),
  LASTRO_TLS_ELSEWHERE: variable(onOff, "off", { description: "A proxy or mesh in front gives TLS, so listeners may be reached from other machines without it; only with LASTRO_AUTH=on" }),
  LASTRO_SWITCHES_FILE: optional(text, { description: "What is switched off for now, to shed load (JSON); read again while running", defaultText: "none: everything is on" }),
  LASTRO_FILES_REFRESH_MS: number(100, 3_600 * second, 10 * second, "ms", "How often the access file, the switches and the certificates are read again; SIGHUP does it at once"),
  LASTRO_KAFKA_TLS: variable(onOff, "off", { description: "TLS towards Kafka" }),
  LASTRO_KAFKA_SASL: variable(z.enum(["none", ...saslMechanisms], `must be none, ${saslMechanisms.join(", ")}`), "none", { description: "How Lastro says to Kafka who it is: `plain`, `scram-sha-256`, `scram-sha-512`" }),
  LASTRO_KAFKA_USERNAME: optional(text, { description: "User for SASL", defaultText: "none" }),
  LASTRO_KAFKA_PASSWORD: optional(text, { description: "Password for SASL", secret: true, hidden: true, defaultText: "none" }),
  LASTRO_UPSTREAM_CA_FILE: optional(text, { description: "Root certificates (PEM) that Kafka, Redis and MongoDB must lead to; read again while running", defaultText: "those of Node" }),
  LASTRO_UPSTREAM_CERT_FILE: optional(text, { description: "Certificate (PEM) that Lastro shows to Kafka, Redis and MongoDB; read again while running", defaultText: "none" }),
  LASTRO_UPSTREAM_KEY_FILE: optional(text, { description: "Its private key (PEM)", defaultText: "none" }),
};

/** Listeners are bound by rules that are about them, too. */
const Known = z.object({
  ...accessVariables,
  LASTRO_GRPC_ADDRESS: hostPort,
  LASTRO_HTTP_ADDRESS: hostPort,
  LASTRO_REST_ADDRESS: hostPort,
});
type Values = z.output<typeof Known>;

const isProtected = (v: Values): boolean =>
  v.LASTRO_AUTH === "on" && (v.LASTRO_TLS_CERT_FILE !== undefined || v.LASTRO_TLS_ELSEWHERE);

/** Listeners that others can reach. */
const listener = (
  name: "LASTRO_GRPC_ADDRESS" | "LASTRO_HTTP_ADDRESS" | "LASTRO_REST_ADDRESS",
): Rule<Values> => ({
  about: [name, "LASTRO_AUTH", "LASTRO_TLS_CERT_FILE", "LASTRO_TLS_ELSEWHERE"],
  holds: (v) => isLoopback(v[name]) || isProtected(v),
  otherwise:
    "must be on loopback (127.0.0.1, [::1], localhost), or LASTRO_AUTH on together with LASTRO_TLS_CERT_FILE or LASTRO_TLS_ELSEWHERE",
});

export const accessRules: readonly Rule<Values>[] = [
  listener("LASTRO_GRPC_ADDRESS"),
  listener("LASTRO_HTTP_ADDRESS"),
  listener("LASTRO_REST_ADDRESS"),
  {
    about: ["LASTRO_ACCESS_FILE", "LASTRO_AUTH"],
    holds: (v) => (v.LASTRO_AUTH === "on") === (v.LASTRO_ACCESS_FILE !== undefined),
    otherwise: "and LASTRO_AUTH=on must be set together: without it nobody is granted anything",
  },
  {
    about: ["LASTRO_OIDC_ISSUER", "LASTRO_AUTH"],
    holds: (v) => v.LASTRO_OIDC_ISSUER === undefined || v.LASTRO_AUTH === "on",
    otherwise: "needs LASTRO_AUTH=on: else nobody is asked for a token",
  },
  {
    about: ["LASTRO_OIDC_JWKS_URL", "LASTRO_OIDC_ISSUER"],
    holds: (v) => v.LASTRO_OIDC_JWKS_URL === undefined || v.LASTRO_OIDC_ISSUER !== undefined,
    otherwise: "needs LASTRO_OIDC_ISSUER: the tokens must name it",
  },
  {
    about: ["LASTRO_TLS_KEY_FILE", "LASTRO_TLS_CERT_FILE"],
    holds: (v) => (v.LASTRO_TLS_CERT_FILE === undefined) === (v.LASTRO_TLS_KEY_FILE === undefined),
    otherwise: "and LASTRO_TLS_CERT_FILE must be set together",
  },
  {
    about: ["LASTRO_TLS_CLIENT_CA_FILE", "LASTRO_TLS_CERT_FILE"],
    holds: (v) => v.LASTRO_TLS_CLIENT_CA_FILE === undefined || v.LASTRO_TLS_CERT_FILE !== undefined,
    otherwise: "needs LASTRO_TLS_CERT_FILE",
  },
  {
    about: ["LASTRO_KAFKA_SASL", "LASTRO_KAFKA_USERNAME", "LASTRO_KAFKA_PASSWORD"],
    holds: (v) =>
      (v.LASTRO_KAFKA_SASL !== "none") === (v.LASTRO_KAFKA_USERNAME !== undefined) &&
      (v.LASTRO_KAFKA_SASL !== "none") === (v.LASTRO_KAFKA_PASSWORD !== undefined),
    otherwise: "must be set together with LASTRO_KAFKA_USERNAME and LASTRO_KAFKA_PASSWORD",
  },
  {
    about: ["LASTRO_KAFKA_SASL", "LASTRO_KAFKA_TLS"],
    holds: (v) => v.LASTRO_KAFKA_SASL !== "plain" || v.LASTRO_KAFKA_TLS,
    otherwise: "must not be plain without LASTRO_KAFKA_TLS: the password would travel in the clear",
  },
  {
    about: ["LASTRO_UPSTREAM_KEY_FILE", "LASTRO_UPSTREAM_CERT_FILE"],
    holds: (v) => (v.LASTRO_UPSTREAM_CERT_FILE === undefined) === (v.LASTRO_UPSTREAM_KEY_FILE === undefined),
    otherwise: "and LASTRO_UPSTREAM_CERT_FILE must be set together",
  },
];

const upstreamFiles = (v: Values) => ({
  ca: v.LASTRO_UPSTREAM_CA_FILE,
  cert: v.LASTRO_UPSTREAM_CERT_FILE,
  key: v.LASTRO_UPSTREAM_KEY_FILE,
});

export const kafkaSecurity = (v: Values) => ({
  tls: v.LASTRO_KAFKA_TLS,
  sasl:
    v.LASTRO_KAFKA_SASL === "none"
      ? undefined
      : {
          mechanism: v.LASTRO_KAFKA_SASL,
          username: v.LASTRO_KAFKA_USERNAME ?? "",
          password: v.LASTRO_KAFKA_PASSWORD ?? "",
        },
});

function authOf(v: Values) {
  const accessFile = v.LASTRO_ACCESS_FILE;
  if (v.LASTRO_AUTH === "none" || accessFile === undefined) return undefined;
  const [issuer, audience] = [v.LASTRO_OIDC_ISSUER, v.LASTRO_AUDIENCE];
  return {
    accessFile,
    audience,
    oidc: issuer === undefined ? undefined : { issuer, audience, jwksUrl: v.LASTRO_OIDC_JWKS_URL },
  };
}

function tlsOf(v: Values) {
  const [certFile, keyFile] = [v.LASTRO_TLS_CERT_FILE, v.LASTRO_TLS_KEY_FILE];
  if (certFile === undefined || keyFile === undefined) return undefined;
  return {
    certFile,
    keyFile,
    clientCaFile: v.LASTRO_TLS_CLIENT_CA_FILE,
    clientsRequired: v.LASTRO_TLS_CLIENTS === "required",
  };
}

export const accessShape = (v: Values) => ({
  /** Undefined: everybody may ask. */
  auth: authOf(v),
  /** Undefined: the listeners speak in the clear. */
  tls: tlsOf(v),
  /** Towards Kafka, Redis and MongoDB, where these are spoken to by TLS. */
  upstream: upstreamFiles(v),
  switchesFile: v.LASTRO_SWITCHES_FILE,
  filesRefreshMs: v.LASTRO_FILES_REFRESH_MS,
});
