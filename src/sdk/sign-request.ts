/** Headers by which a service says who it is: a token it signs with its own private key, for one audience and a minute. */
import { type CryptoKey, importPKCS8, type JWK, SignJWT } from "jose";

export type SignRequestOptions = {
  /** As the access file names it. */
  readonly service: string;
  /** PKCS #8 (PEM), or a key that is opened already. */
  readonly privateKey: string | CryptoKey | JWK;
  /** What the key signs by. */
  readonly algorithm?: string;
  /** One of the server's LASTRO_AUDIENCE. */
  readonly audience?: string;
};
export type SignedHeaders = {
  readonly Authorization: string;
  readonly "X-M2M-Service": string;
  readonly "Content-Type": string;
};

const life = "60s";

export async function signRequest({
  service,
  privateKey,
  algorithm = "EdDSA",
  audience = "lastro",
}: SignRequestOptions): Promise<SignedHeaders> {
  const key = typeof privateKey === "string" ? await importPKCS8(privateKey, algorithm) : privateKey;
  const token = await new SignJWT()
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .setIssuer(service)
    .setSubject(service)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(life)
    .sign(key);
  return {
    Authorization: `Bearer ${token}`,
    "X-M2M-Service": service,
    "Content-Type": "application/json",
  };
}
