import { generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  caProblems,
  certificateOf,
  CERTIFICATES,
  daysLeft,
  proxyProblems,
} from "../../anthropic/certificate.ts";
import { rehearse } from "../../anthropic/rehearsal.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { type Folder, MODES } from "./folder.ts";
import type { RunProgram } from "./programs.ts";

/** Makes keys and certificates. Nothing leaves here before it has been checked. */

export interface Issuing {
  readonly folder: Folder;
  readonly run: RunProgram;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** PEM. */
interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface IssueForProxy extends Issuing {
  readonly ca: Pair;
  readonly domain: string;
  /** The names in front of the domain. */
  readonly labels: readonly string[];
  /** The proxy's key. */
  readonly key: string;
}

export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** @throws {TunnelError} anthropic-openssl-failed */
export async function issueCa({ folder, run, now }: Issuing): Promise<Pair> {
  const key = newKey();
  // A name of its own: two CAs of one tunnel must not be taken for one another.
  const name = `tunnel-mcp CA ${randomBytes(4).toString("hex")}`;
  const cert = await inScratch(folder, async (scratch) => {
    await scratch.put("ca.key", key);
    await scratch.put("ca.cnf", settings(name, CA_EXTENSIONS));
    const days = CERTIFICATES.caDays;
    const own = "-key ca.key -config ca.cnf -extensions own -out ca.crt";
    await openssl(run, scratch.root, `req -x509 -new -sha256 ${own} -set_serial ${serial()} -days ${days}`);
    return scratch.get("ca.crt");
  });
  refuse(caProblems(cert, atOrAfterStart(cert, now)));
  return { cert, key };
}

/** @returns PEM, after a handshake for each name. @throws {TunnelError} anthropic-openssl-failed */
export async function issueForProxy(options: IssueForProxy): Promise<string> {
  const { folder, run, now, ca, domain, labels, key } = options;
  const authority = new X509Certificate(ca.cert);
  // It never outlives the CA.
  const days = Math.max(1, Math.min(CERTIFICATES.proxyDays, daysLeft(authority, now)));
  const cert = await inScratch(folder, async (scratch) => {
    await scratch.put("ca.crt", ca.cert);
    await scratch.put("ca.key", ca.key);
    await scratch.put("tls.key", key);
    await scratch.put("tls.cnf", settings("MCP tunnel proxy", proxyExtensions(domain)));
    await openssl(run, scratch.root, "req -new -sha256 -key tls.key -config tls.cnf -out tls.csr");
    const signing = "x509 -req -sha256 -in tls.csr -CA ca.crt -CAkey ca.key -extfile tls.cnf -extensions own";
    await openssl(run, scratch.root, `${signing} -set_serial ${serial()} -days ${days} -out tls.crt`);
    return scratch.get("tls.crt");
  });
  const hosts = hostsOf(domain, labels);
  refuse(proxyProblems(cert, authority, hosts, atOrAfterStart(cert, now)));
  for (const host of hosts) {
    const problem = await rehearse({ ca: ca.cert, cert, key, host });
    if (problem !== undefined) refuse([`the handshake for ${host} failed: ${problem}`]);
  }
  return cert;
}

export function hostsOf(domain: string, labels: readonly string[]): readonly string[] {
  return [domain, ...labels.map((label) => `${label}.${domain}`)];
}

const CA_EXTENSIONS = [
  "basicConstraints = critical, CA:TRUE",
  "keyUsage = critical, keyCertSign",
  "subjectKeyIdentifier = hash",
];

function proxyExtensions(domain: string): readonly string[] {
  return [
    "authorityKeyIdentifier = keyid",
    "extendedKeyUsage = serverAuth",
    `subjectAltName = DNS:${domain}, DNS:*.${domain}`,
  ];
}

/** A configuration of its own, so that the machine's is not read: it may add extensions. */
function settings(name: string, extensions: readonly string[]): string {
  const lines = ["[req]", "prompt = no", "distinguished_name = name", "[name]", `CN = ${name}`, "[own]"];
  return `${[...lines, ...extensions].join("\n")}\n`;
}

/** `now` was read before it was made. */
function atOrAfterStart(pem: string, now: number): number {
  const start = Date.parse(certificateOf(pem)?.validFrom ?? "");
  return start > now ? start : now;
}

/** Positive, and never the same twice (RFC 5280 §4.1.2.2). */
function serial(): string {
  return `0x7f${randomBytes(15).toString("hex")}`;
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new TunnelError("anthropic-openssl-failed", { detail: problems.join("; ") });
}

/** Every word is one of ours: names of files in the scratch folder, options, numbers. */
async function openssl(run: RunProgram, cwd: string, words: string): Promise<void> {
  const args = words.split(" ");
  const result = await run("openssl", args, cwd);
  if (result.kind === "missing") throw new TunnelError("anthropic-openssl-missing");
  if (result.kind === "failed")
    throw new TunnelError("anthropic-openssl-failed", {
      detail: `${args[0] ?? ""} ended with ${result.code}`,
    });
}

interface Scratch {
  readonly root: string;
  readonly put: (name: string, text: string) => Promise<void>;
  readonly get: (name: string) => Promise<string>;
}

/** A folder for one certificate, inside the one for keys. It is gone afterwards. */
async function inScratch<T>(folder: Folder, work: (scratch: Scratch) => Promise<T>): Promise<T> {
  await folder.folder("ca", MODES.privateFolder);
  const root = folder.pathOf(`ca/${randomBytes(6).toString("hex")}.tmp`);
  try {
    await mkdir(root, { mode: MODES.privateFolder });
    return await work({
      root,
      put: (name, text) => writeFile(path.join(root, name), text, { mode: MODES.secret, flag: "wx" }),
      get: (name) => readFile(path.join(root, name), "utf8"),
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
