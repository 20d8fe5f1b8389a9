import { basename, dirname } from "node:path";
import { httpsClient, type HttpsClient } from "../../net/https.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { systemClock, type Clock } from "../../runtime/clock.ts";
import { downloadBinary } from "./download.ts";
import type { BinaryEnvironment } from "./environment.ts";
import { sha256OfFile } from "./files.ts";
import {
  cachePath,
  ensureCacheDirectory,
  locateBinary,
  type Binary,
  type BinaryOrigin,
  type Search,
} from "./find.ts";
import { pinnedRelease, type PinnedRelease } from "./pins.ts";
import type { TunnelProgress } from "../provider.ts";

export interface BinaryOptions {
  readonly environment: BinaryEnvironment;
  /** Config.cloudflaredPath. */
  readonly explicitPath?: string | undefined;
  /** The release to fetch and to check against; the pinned one unless a test brings its own. */
  readonly release?: PinnedRelease | undefined;
  readonly client?: HttpsClient;
  readonly clock?: Clock;
}

/**
 * A cloudflared that may be started now: found, or else fetched. Our own copy is hashed on every call; one that was
 * altered is fetched again, once, and a fresh download that does not match is fatal (`cloudflared-hash-mismatch`).
 */
export async function acquireBinary(
  options: BinaryOptions,
  signal: AbortSignal,
  onProgress: (progress: TunnelProgress) => void,
): Promise<Binary> {
  const search = searchFor(options, signal);
  try {
    const located = await locateBinary(search);
    if (located.kind === "found") return located.binary;
    onProgress({
      message:
        located.kind === "corrupt"
          ? "fetching cloudflared again: the copy here was altered"
          : "fetching cloudflared",
    });
    const fetched = fetchBinary(options, search, onProgress);
    return await (located.kind === "corrupt" ? fetched.catch(saidToBeAltered) : fetched);
  } catch (error) {
    throw signal.aborted ? new TunnelError("cancelled", { cause: error }) : asTunnelError(error);
  }
}

/** The failure to replace a copy that was altered, which a person must hear of. */
function saidToBeAltered(error: unknown): never {
  const { code, detail } = asTunnelError(error);
  if (code === "internal" || code === "cancelled") throw error;
  const why = detail === undefined ? "" : ` (${detail})`;
  throw new TunnelError(code, {
    detail: `the copy here has been altered and was not run, and no other one could be fetched${why}`,
    cause: error,
  });
}

const CACHE_VARIABLES = "HOME or XDG_CACHE_HOME (LOCALAPPDATA on Windows)";

async function fetchBinary(
  options: BinaryOptions,
  search: Search,
  onProgress: (progress: TunnelProgress) => void,
): Promise<Binary> {
  const { environment, release, signal } = search;
  if (release === undefined) throw unsupported(environment);
  const path = cachePath(environment, release.version);
  if (path === undefined)
    throw new TunnelError("cloudflared-download-failed", {
      detail: `no cache directory is known; ${CACHE_VARIABLES} must name one`,
    });
  await ensureCacheDirectory(path, environment.platform).catch((cause: unknown) => {
    throw new TunnelError("cloudflared-download-failed", {
      detail: `the cache directory cannot be used; ${CACHE_VARIABLES} must name one that can be written to`,
      cause,
    });
  });
  const message = `fetching cloudflared ${release.version}`;
  const download = downloadBinary({
    release,
    directory: dirname(path),
    fileName: basename(path),
    client: options.client ?? httpsClient,
    clock: options.clock ?? systemClock,
    signal,
    onFraction: (fraction) => onProgress(fraction === undefined ? { message } : { message, fraction }),
  });
  await download.catch(async (error: unknown) => {
    // Windows refuses to replace a program that is running: then another process has just put the same file there.
    if ((await sha256OfFile(path, signal).catch(() => undefined)) !== release.binarySha256) throw error;
  });
  return { path, origin: "cache", version: release.version, verified: true };
}

export interface BinaryReport {
  readonly origin: BinaryOrigin | "none";
  readonly path?: string;
  readonly version?: string;
  readonly sha256?: string;
  /** Whether the file is the pinned program, byte for byte. */
  readonly verified: boolean;
  /** Why opening a tunnel would fail, or what it would have to repair; absent when it would just work or download. */
  readonly problem?: TunnelError;
}

/** The program that `acquireBinary` would use, for diagnosis. Fetches and changes nothing. */
export async function inspectBinary(
  options: BinaryOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<BinaryReport> {
  const search = searchFor(options, signal);
  try {
    const located = await locateBinary(search);
    switch (located.kind) {
      case "found": {
        const { path, origin, version } = located.binary;
        const sha256 = await sha256OfFile(path, signal);
        return { origin, path, version, sha256, verified: sha256 === search.release?.binarySha256 };
      }
      case "corrupt": {
        const problem = new TunnelError("cloudflared-hash-mismatch", { detail: "it will be fetched again" });
        return { origin: "cache", path: located.path, verified: false, problem };
      }
      case "absent":
        return search.release === undefined
          ? { origin: "none", verified: false, problem: unsupported(search.environment) }
          : { origin: "none", verified: false };
    }
  } catch (error) {
    const origin = options.explicitPath === undefined ? "none" : "explicit";
    return { origin, verified: false, problem: asTunnelError(error) };
  }
}

function unsupported({ platform, arch }: BinaryEnvironment): TunnelError {
  return new TunnelError("cloudflared-unsupported", { detail: `${platform} on ${arch}` });
}

function searchFor(options: BinaryOptions, signal: AbortSignal): Search {
  const { environment, explicitPath } = options;
  const release = options.release ?? pinnedRelease(environment.platform, environment.arch);
  return { environment, explicitPath, release, signal };
}
