import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Where there is none, what needs it is skipped and says so. */
export const HAS_OPENSSL = spawnSync("openssl", ["version"]).status === 0;

export const CA = [
  "basicConstraints = critical, CA:TRUE",
  "keyUsage = critical, keyCertSign",
  "subjectKeyIdentifier = hash",
];
export const LEAF = (domain: string): string[] => [
  "authorityKeyIdentifier = keyid",
  "extendedKeyUsage = serverAuth",
  `subjectAltName = DNS:${domain}, DNS:*.${domain}`,
];

interface Made {
  readonly cert: string;
  readonly key: string;
}

export interface Wish {
  readonly extensions: readonly string[];
  /** Arguments of `openssl genpkey`. */
  readonly key?: readonly string[];
  readonly days?: number;
  readonly hash?: string;
  readonly ca?: Made;
}

const EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** A certificate as somebody else might make it, by other commands than the program's. */
export function certificate(
  folder: string,
  { extensions, key = EC, days = 30, hash = "sha256", ca }: Wish,
): Made {
  const at = (name: string): string => path.join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "pipe" });
  openssl("genpkey", ...key, "-out", at("x.key"));
  const own = [
    "[req]",
    "prompt=no",
    "distinguished_name=n",
    "[n]",
    `CN=x${Math.random()}`,
    "[e]",
    ...extensions,
  ];
  writeFileSync(at("x.cnf"), `${own.join("\n")}\n`);
  const common = ["-key", at("x.key"), "-config", at("x.cnf")];
  if (ca === undefined) {
    openssl(
      "req",
      "-x509",
      "-new",
      `-${hash}`,
      ...common,
      "-extensions",
      "e",
      "-days",
      String(days),
      "-out",
      at("x.crt"),
    );
  } else {
    writeFileSync(at("ca.crt"), ca.cert);
    writeFileSync(at("ca.key"), ca.key);
    openssl("req", "-new", ...common, "-out", at("x.csr"));
    const signing = ["-in", at("x.csr"), "-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-set_serial", "7"];
    const extra = ["-extfile", at("x.cnf"), "-extensions", "e", "-days", String(days), "-out", at("x.crt")];
    openssl("x509", "-req", `-${hash}`, ...signing, ...extra);
  }
  return { cert: readFileSync(at("x.crt"), "utf8"), key: readFileSync(at("x.key"), "utf8") };
}
