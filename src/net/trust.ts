import { readFileSync } from "node:fs";
import * as tls from "node:tls";

/** The certificates that outgoing TLS trusts, put together at the first call. */
export type Trust = () => tls.SecureContext;

type Variables = Readonly<Record<string, string | undefined>>;

/** Where systems keep all their certificates in one file; the first that can be read is taken. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, Arch
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora, RHEL
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/ssl/cert.pem", // macOS, BSD
];

/**
 * Node's own list, the system's, `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`, and the files in `more`. A company whose proxy opens TLS has its
 * certificate in the system's store, which Node does not read by itself.
 * @param more files of settings; an absent one adds nothing
 */
export function trustOf(
  env: Variables,
  more: readonly (string | undefined)[] = [],
  readFile: (path: string) => string = readText,
): Trust {
  let context: tls.SecureContext | undefined;
  const named = [env["NODE_EXTRA_CA_CERTS"], env["SSL_CERT_FILE"], ...more];
  return () => (context ??= tls.createSecureContext({ ca: [...certificates(named, readFile)] }));
}

function certificates(
  named: readonly (string | undefined)[],
  readFile: (path: string) => string,
): Iterable<string> {
  const texts = [
    systemCertificates() ?? firstReadable(BUNDLES, readFile),
    ...named.map((file) => (file ? readable(file, readFile) : [])),
  ];
  // Much of the system's list is Node's as well, with other line ends, and each certificate costs half a millisecond.
  return new Map(
    [...tls.rootCertificates, ...texts.flat()].map((one) => [one.replace(/\s/g, ""), one]),
  ).values();
}

/** Node 22.15 and later read the store of Windows, macOS and the usual bundle by themselves. */
function systemCertificates(): string[] | undefined {
  const read: unknown = Reflect.get(tls, "getCACertificates");
  if (typeof read !== "function") return undefined;
  const found: unknown = Reflect.apply(read, tls, ["system"]);
  const isList = Array.isArray(found) && found.every((one): one is string => typeof one === "string");
  return isList && found.length > 0 ? found : undefined;
}

function firstReadable(files: readonly string[], readFile: (path: string) => string): string[] {
  for (const file of files) {
    const found = readable(file, readFile);
    if (found.length > 0) return found;
  }
  return [];
}

/** A file that is missing or no PEM adds nothing: Node itself only warns of one. */
function readable(file: string, readFile: (path: string) => string): string[] {
  try {
    return readFile(file).match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  } catch (error) {
    if (error instanceof Error) return [];
    throw error;
  }
}

function readText(file: string): string {
  return readFileSync(file, "utf8");
}
