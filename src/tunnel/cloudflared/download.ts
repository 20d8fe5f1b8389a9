import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { deadline, orAborted } from "../../net/deadline.ts";
import type { HttpsClient, HttpsResponse } from "../../net/https.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { extractFile } from "./archive.ts";
import { MAX_BINARY_BYTES } from "./files.ts";
import type { PinnedRelease } from "./pins.ts";

export interface Download {
  readonly release: PinnedRelease;
  /** An existing directory that only this user can write; temporary files go there too, so that renaming is atomic. */
  readonly directory: string;
  readonly fileName: string;
  readonly client: HttpsClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** 0 to 1, or undefined when the server did not tell the size. */
  readonly onFraction: (fraction: number | undefined) => void;
}

/** Without a single byte for this long the download has stalled. */
const STALL_MS = 30_000;
const MAX_REDIRECTS = 5;

/**
 * Fetches the release, checks it, and puts the program in its place; returns its path. Nothing unchecked is ever at that
 * path, and nothing is left behind on failure or abort. Several processes may do this at once: the last rename wins, and
 * all of them rename the same bytes.
 */
export async function downloadBinary(download: Download): Promise<string> {
  const { release, directory, fileName, signal } = download;
  const temporary = (): string => join(directory, `.${fileName}.${randomBytes(8).toString("hex")}.part`);
  const asset = temporary();
  const unpacked = temporary();
  const target = join(directory, fileName);
  try {
    await fetchAsset(download, asset);
    const program = release.asset.endsWith(".tgz") ? unpacked : asset;
    if (program === unpacked) await unpack(asset, unpacked, release.binarySha256, signal);
    await rename(program, target);
    return target;
  } catch (error) {
    throw downloadError(error, signal);
  } finally {
    await Promise.all([asset, unpacked].map((path) => rm(path, { force: true })));
  }
}

async function unpack(asset: string, target: string, sha256: string, signal: AbortSignal): Promise<void> {
  const archive = createGunzip();
  // A failure of either stream surfaces where `archive` is read.
  pipeline(createReadStream(asset), archive, () => undefined);
  try {
    await writeChecked(target, extractFile(archive, "cloudflared", MAX_BINARY_BYTES), sha256, signal);
  } finally {
    archive.destroy();
  }
}

async function fetchAsset(download: Download, path: string): Promise<void> {
  const limit = deadline(download.clock, STALL_MS, download.signal);
  try {
    const response = await follow(download, limit.signal);
    try {
      const body = watched(response, download.onFraction, limit);
      await writeChecked(path, body, download.release.assetSha256, limit.signal);
    } finally {
      response.discard();
    }
  } finally {
    limit.clear();
  }
}

/** The asset's response, after redirects; GitHub sends one, to the host of its assets. */
async function follow({ client, release }: Download, signal: AbortSignal): Promise<HttpsResponse> {
  let url = new URL(release.url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (url.protocol !== "https:") throw failed("it was redirected to an address without TLS");
    const response = await orAborted(signal, client({ url, signal }));
    if (response.status === 200) return response;
    response.discard();
    const redirected = response.status >= 301 && response.status <= 308 && response.location !== undefined;
    if (!redirected) throw failed(`the server answered with status ${response.status}`);
    url = new URL(response.location, url);
  }
  throw failed("too many redirects");
}

async function* watched(
  { body, length }: HttpsResponse,
  onFraction: Download["onFraction"],
  limit: { readonly signal: AbortSignal; restart(): void },
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let received = 0;
  for (;;) {
    const next = await orAborted(limit.signal, iterator.next());
    if (next.done === true) break;
    limit.restart();
    received += next.value.length;
    if (received > MAX_BINARY_BYTES) throw failed("the file is larger than a cloudflared can be");
    onFraction(length === undefined ? undefined : Math.min(1, received / length));
    yield next.value;
  }
  if (length !== undefined && received !== length) throw failed("the connection ended early");
}

/** Writes a new file, 0755 and on disk, and rejects unless its SHA-256 is the expected one. */
async function writeChecked(
  path: string,
  content: AsyncIterable<Uint8Array>,
  sha256: string,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o700);
  try {
    for await (const chunk of content) {
      signal.throwIfAborted();
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (hash.digest("hex") !== sha256)
      throw new TunnelError("cloudflared-hash-mismatch", { detail: "fresh download" });
    await file.chmod(0o755);
    await file.sync();
  } finally {
    await file.close();
  }
}

function failed(detail: string): TunnelError {
  return new TunnelError("cloudflared-download-failed", { detail });
}

function downloadError(error: unknown, signal: AbortSignal): TunnelError {
  if (signal.aborted) return new TunnelError("cancelled", { cause: error });
  if (error instanceof TunnelError) return error;
  return new TunnelError("cloudflared-download-failed", { cause: error });
}
