/** Time stamps (RFC 3161): what a time-stamping authority signs is that these bytes existed at its time. The replies are those that `openssl ts` reads and writes. */
import { createHash } from "node:crypto";
import * as asn1js from "asn1js";
import {
  AlgorithmIdentifier,
  Certificate,
  ExtKeyUsage,
  id_ExtKeyUsage,
  id_eContentType_TSTInfo,
  MessageImprint,
  PKIStatus,
  SignedData,
  TimeStampReq,
  TimeStampResp,
  TSTInfo,
} from "pkijs";

const sha256Oid = "2.16.840.1.101.3.4.2.1";
const timeStampingOid = "1.3.6.1.5.5.7.3.8";

const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

export type TimeStampRequest = { readonly der: Uint8Array; readonly nonce: bigint };

/** DER of a request for a time stamp of these bytes, which asks for the authority's certificate too; the answer to it repeats the nonce, made of these random bytes. */
export function timeStampRequest(bytes: Uint8Array, random: Uint8Array): TimeStampRequest {
  const nonce = BigInt(`0x${Buffer.from(random).toString("hex")}`);
  const request = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: sha256Oid, algorithmParams: new asn1js.Null() }),
      hashedMessage: new asn1js.OctetString({ valueHex: new Uint8Array(digestOf(bytes)).buffer }),
    }),
    nonce: asn1js.Integer.fromBigInt(nonce),
    certReq: true,
  });
  return { der: new Uint8Array(request.toSchema().toBER()), nonce };
}

/** Certificates of a PEM text, in its order. Throws a RangeError when there is none, or one that cannot be read. */
export function readCertificates(pem: string): readonly Certificate[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g);
  const certificates = [...blocks].map(([, base64 = ""]) => {
    try {
      return Certificate.fromBER(Buffer.from(base64, "base64"));
    } catch (cause) {
      throw new RangeError("a certificate in it cannot be read", { cause });
    }
  });
  if (certificates.length === 0) throw new RangeError("no certificate is in it");
  return certificates;
}

export type TimeStamp = { readonly atMs: number; readonly nonce: bigint | undefined };

/**
 * Reads the DER of a reply (TimeStampResp) and verifies it: it stamps these bytes, by a certificate for time stamping that leads to a
 * trusted one as it was valid then. Throws a RangeError that says what is wrong. Revocation is not looked up.
 */
export async function verifyTimeStamp(
  reply: Uint8Array,
  bytes: Uint8Array,
  trusted: readonly Certificate[],
): Promise<TimeStamp> {
  const { token, info } = readReply(reply);
  const { hashAlgorithm, hashedMessage } = info.messageImprint;
  if (
    hashAlgorithm.algorithmId !== sha256Oid ||
    !digestOf(bytes).equals(hashedMessage.valueBlock.valueHexView)
  )
    throw new RangeError("it stamps other bytes");
  const data = new Uint8Array(bytes).buffer;
  const verified = await token
    .verify({ signer: 0, data, trustedCerts: [...trusted], checkChain: true, extendedMode: true })
    .catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : "unknown";
      throw new RangeError(`its signature cannot be verified: ${why}`, { cause });
    });
  if (verified.signatureVerified !== true) throw new RangeError("its signature does not verify");
  if (!isForTimeStamping(verified.signerCertificate))
    throw new RangeError("its certificate is not for time stamping alone");
  return { atMs: info.genTime.getTime(), nonce: info.nonce?.toBigInt() };
}

function readReply(reply: Uint8Array): { readonly token: SignedData; readonly info: TSTInfo } {
  let response: TimeStampResp;
  try {
    response = TimeStampResp.fromBER(reply);
  } catch (cause) {
    throw new RangeError("it is no reply of RFC 3161", { cause });
  }
  const { status, timeStampToken } = response;
  if (status.status !== PKIStatus.granted && status.status !== PKIStatus.grantedWithMods)
    throw new RangeError(`the authority refused, status ${status.status}`);
  try {
    const token = new SignedData({ schema: timeStampToken?.content });
    const { eContentType, eContent } = token.encapContentInfo;
    if (eContentType !== id_eContentType_TSTInfo || eContent === undefined)
      throw new RangeError("there is no TSTInfo");
    return { token, info: TSTInfo.fromBER(eContent.getValue()) };
  } catch (cause) {
    throw new RangeError("it holds no time-stamp token", { cause });
  }
}

/** RFC 3161 section 2.3: the extension is critical, and names nothing else. */
function isForTimeStamping(certificate: Certificate | null | undefined): boolean {
  const usage = certificate?.extensions?.find(({ extnID }) => extnID === id_ExtKeyUsage);
  if (usage?.critical !== true || !(usage.parsedValue instanceof ExtKeyUsage)) return false;
  const { keyPurposes } = usage.parsedValue;
  return keyPurposes.length === 1 && keyPurposes[0] === timeStampingOid;
}
