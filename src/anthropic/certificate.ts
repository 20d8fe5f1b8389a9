import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";

/**
 * The rules for the two certificates of a tunnel, as Anthropic documents them: a CA that is registered in the Console, and the
 * proxy's own, signed directly by it. Each check returns what is wrong, one sentence each, without any part of a key.
 */

/** Days, and bytes of PEM. */
export const CERTIFICATES = { caDays: 1_825, proxyDays: 90, renewWithinDays: 30, maxCaBytes: 8_192 } as const;

const DAY_MS = 86_400_000;

/** Object identifiers as they are encoded (RFC 5280 §4.2.1, RFC 5758, RFC 4055). */
const OID = { ski: "551d0e", keyUsage: "551d0f", basicConstraints: "551d13", aki: "551d23" } as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** ECDSA and RSA with SHA-256, -384 and -512; RSA-PSS. */
const SIGNATURES = new Set([
  "2a8648ce3d040302",
  "2a8648ce3d040303",
  "2a8648ce3d040304",
  "2a864886f70d01010b",
  "2a864886f70d01010c",
  "2a864886f70d01010d",
  "2a864886f70d01010a",
]);
const MIN_RSA_BITS = 2_048;
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** The certificate of a PEM text that has exactly one. */
export function certificateOf(pem: string): X509Certificate | undefined {
  if (pem.split("-----BEGIN CERTIFICATE-----").length !== 2) return undefined;
  try {
    return new X509Certificate(pem);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** The key of a PEM text without a password. */
export function keyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Whole days until it ends; negative afterwards. */
export function daysLeft(certificate: X509Certificate, now: number): number {
  return Math.floor((Date.parse(certificate.validTo) - now) / DAY_MS);
}

export function isDue(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validTo) - now <= CERTIFICATES.renewWithinDays * DAY_MS;
}

/** The CA as it is registered in the Console. */
export function caProblems(pem: string, now: number): string[] {
  const ca = certificateOf(pem);
  if (ca === undefined) return ["it is not exactly one certificate in PEM form"];
  const own = extensionsOf(ca);
  const constraints = own.get(OID.basicConstraints);
  const usage = own.get(OID.keyUsage);
  return [
    ...(pem.length > CERTIFICATES.maxCaBytes ? [`it has more than ${CERTIFICATES.maxCaBytes} bytes`] : []),
    ...(ca.ca && constraints?.isCritical === true ? [] : ["it is no CA: basicConstraints critical, CA:TRUE"]),
    ...(own.has(OID.ski) ? [] : ["subjectKeyIdentifier is missing"]),
    ...(usage !== undefined && signsCertificates(usage.value) ? [] : ["keyUsage has no keyCertSign"]),
    ...commonProblems(ca, now),
  ];
}

/** The proxy's certificate, for the hosts that Anthropic will ask for. */
export function proxyProblems(
  pem: string,
  ca: X509Certificate,
  hosts: readonly string[],
  now: number,
): string[] {
  const leaf = certificateOf(pem);
  if (leaf === undefined) return ["it is not exactly one certificate in PEM form"];
  const isSigned = leaf.checkIssued(ca) && leaf.verify(ca.publicKey);
  const named = keyIdentifier(extensionsOf(leaf).get(OID.aki)?.value);
  const own = extensionsOf(ca).get(OID.ski)?.value.subarray(2).toString("hex");
  // `keyUsage` of X509Certificate is the extended one.
  const uses: readonly string[] | undefined = leaf.keyUsage;
  const unnamed = hosts.filter((host) => leaf.checkHost(host, { subject: "never" }) === undefined);
  return [
    ...(isSigned ? [] : ["it is not signed by the CA beside it"]),
    ...(named !== undefined && named === own ? [] : ["authorityKeyIdentifier is not the CA's key"]),
    ...(unnamed.length === 0 ? [] : [`it does not name ${unnamed.join(", ")}`]),
    ...(uses === undefined || uses.includes(SERVER_AUTH) ? [] : ["extendedKeyUsage lacks serverAuth"]),
    ...commonProblems(leaf, now),
  ];
}

function commonProblems(certificate: X509Certificate, now: number): string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const isStrong =
    type === "ec"
      ? CURVES.includes(details?.namedCurve ?? "")
      : type === "rsa" && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return [
    ...(isStrong ? [] : ["its key is neither RSA of 2048 bits or more nor P-256 or larger"]),
    ...(SIGNATURES.has(signatureOf(certificate)) ? [] : ["it is not signed with SHA-256 or stronger"]),
    ...(now < Date.parse(certificate.validFrom) ? [`it is not valid before ${certificate.validFrom}`] : []),
    ...(now >= Date.parse(certificate.validTo) ? [`it ended on ${certificate.validTo}`] : []),
  ];
}

/** One element of DER (X.690 §8.1): its tag, and the place of its content. */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

function elementsOf(der: Buffer): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at + 2 <= der.length;) {
    const tag = der.readUInt8(at);
    const first = der.readUInt8(at + 1);
    const more = first < 0x80 ? 0 : first & 0x7f;
    const length = more === 0 ? first : der.readUIntBE(at + 2, Math.min(more, 4));
    const start = at + 2 + more;
    found.push({ tag, content: der.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}

function partsOf({ raw }: X509Certificate): readonly Element[] {
  return elementsOf(elementsOf(raw)[0]?.content ?? raw);
}

interface Extension {
  readonly isCritical: boolean;
  readonly value: Buffer;
}

/** X509Certificate tells neither these values nor which of them are critical. */
function extensionsOf(certificate: X509Certificate): ReadonlyMap<string, Extension> {
  const body = elementsOf(partsOf(certificate)[0]?.content ?? certificate.raw);
  const wrapped = body.find(({ tag }) => tag === 0xa3);
  const list =
    wrapped === undefined ? [] : elementsOf(elementsOf(wrapped.content)[0]?.content ?? wrapped.content);
  return new Map(
    list.flatMap(({ content }): readonly (readonly [string, Extension])[] => {
      const [oid, ...rest] = elementsOf(content);
      const value = rest.at(-1)?.content;
      if (oid === undefined || value === undefined) return [];
      return [[oid.content.toString("hex"), { isCritical: rest[0]?.tag === 0x01, value }]];
    }),
  );
}

function signatureOf(certificate: X509Certificate): string {
  const algorithm = partsOf(certificate)[1];
  return (
    (algorithm === undefined ? undefined : elementsOf(algorithm.content)[0])?.content.toString("hex") ?? ""
  );
}

/** KeyUsage is a string of bits; keyCertSign is the sixth (RFC 5280 §4.2.1.3). */
function signsCertificates(value: Buffer): boolean {
  return (((elementsOf(value)[0]?.content ?? value)[1] ?? 0) & 0x04) !== 0;
}

/** The key's own identifier in an authorityKeyIdentifier, which may hold the issuer's name as well. */
function keyIdentifier(value: Buffer | undefined): string | undefined {
  const parts = value === undefined ? [] : elementsOf(elementsOf(value)[0]?.content ?? value);
  return parts.find(({ tag }) => tag === 0x80)?.content.toString("hex");
}
