import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ensurePrivateDirectory } from "../../runtime/private-directory.ts";
import { machineFacts, stateFolders } from "../../runtime/private-folders.ts";

/** Proves that a name is this side's. */
export interface ClaimKey {
  /** Base64url. */
  readonly publicKey: string;
  /** Base64url. */
  sign(text: string): string;
}

/** A key of this process, for a room: it ends with it. */
export function freshKey(): ClaimKey {
  return keyFrom(generateKeyPairSync("ed25519").privateKey);
}

/** The key that a room has in every process. @param seed 32 bytes */
export function keyOf(seed: Uint8Array): ClaimKey {
  const key = Buffer.concat([ED25519_PKCS8, seed]);
  return keyFrom(createPrivateKey({ key, format: "der", type: "pkcs8" }));
}

/** The DER prefix that turns 32 raw bytes into a private key (RFC 8410 §7). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function keyFrom(privateKey: KeyObject): ClaimKey {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  if (x === undefined) throw new TypeError("a key without a raw form");
  return {
    publicKey: x,
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString("base64url"),
  };
}

export interface KeyPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** What the key is for: the project, the relay and the service, in this order. */
  readonly purpose: readonly string[];
}

/**
 * The key of a service, made when it is first needed. It lies in a private folder of the user and outlives restarts of the machine,
 * so that the service's name does.
 * @throws {TunnelError} relay-key
 */
export async function keptKey({ env, home, purpose }: KeyPlace): Promise<ClaimKey> {
  const name = `${createHash("sha256").update(JSON.stringify(purpose)).digest("hex").slice(0, 32)}.pem`;
  let cause: unknown;
  for (const folder of stateFolders(env, home, machineFacts())) {
    try {
      return await keyIn(folder, name);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      cause = error;
    }
  }
  throw new TunnelError("relay-key", { cause });
}

async function keyIn(folder: string, name: string): Promise<ClaimKey> {
  const { platform } = machineFacts();
  await mkdir(path.dirname(folder), { recursive: true });
  await ensurePrivateDirectory(folder, platform);
  const keys = path.join(folder, "relay-keys");
  await ensurePrivateDirectory(keys, platform);
  const file = path.join(keys, name);
  const known = await readKey(file);
  if (known !== undefined) return known;
  const made = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, made, { mode: 0o600, flag: "wx" });
  try {
    // In one step, and never over a key that another process has made meanwhile.
    await link(temporary, file).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  const kept = await readKey(file);
  if (kept === undefined) throw new Error("the key is gone again");
  return kept;
}

async function readKey(file: string): Promise<ClaimKey | undefined> {
  try {
    return keyFrom(createPrivateKey(await readFile(file, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
