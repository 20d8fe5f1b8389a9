import { lstat, mkdir } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ensurePrivateDirectory } from "../../runtime/private-directory.ts";
import { reportedVersion } from "./command.ts";
import type { BinaryEnvironment } from "./environment.ts";
import { isRunnableFile, isWorldWritable, sha256OfFile } from "./files.ts";
import { isSupportedVersion, type PinnedRelease } from "./pins.ts";

export type BinaryOrigin = "explicit" | "cache" | "path" | "npm";

export interface Binary {
  readonly path: string;
  readonly origin: BinaryOrigin;
  readonly version: string;
  /** Whether its SHA-256 was found to be the pinned one just now. */
  readonly verified: boolean;
}

export type Located =
  | { readonly kind: "found"; readonly binary: Binary }
  /** Our own copy is there, but is not what was pinned. */
  | { readonly kind: "corrupt"; readonly path: string }
  | { readonly kind: "absent" };

export interface Search {
  readonly environment: BinaryEnvironment;
  readonly explicitPath: string | undefined;
  readonly release: PinnedRelease | undefined;
  readonly signal: AbortSignal;
}

const ABSENT: Located = { kind: "absent" };

/**
 * Finds a cloudflared without fetching anything: the one the user names, our verified copy, PATH, the npm package.
 * Throws `cloudflared-missing` when the user names one that cannot be used.
 */
export async function locateBinary(search: Search): Promise<Located> {
  if (search.explicitPath !== undefined) return found(await explicitBinary(search, search.explicitPath));
  const cached = await cachedBinary(search);
  if (cached.kind !== "absent") return cached;
  const other = (await binaryOnPath(search)) ?? (await npmNeighbour(search)) ?? (await npmInProject(search));
  return other === undefined ? ABSENT : found(other);
}

/** Where our own copy of a release lives; undefined when the user has no cache directory. */
export function cachePath({ cacheHome, platform }: BinaryEnvironment, version: string): string | undefined {
  if (cacheHome === undefined) return undefined;
  return join(cacheHome, "tunnel-mcp", `cloudflared-${version}`, programName(platform));
}

/** Makes both directories of our own above `path` private, and the cache around them, or throws; see ensurePrivateDirectory. */
export async function ensureCacheDirectory(path: string, platform: string): Promise<void> {
  await mkdir(dirname(dirname(dirname(path))), { recursive: true });
  await ensurePrivateDirectory(dirname(dirname(path)), platform);
  await ensurePrivateDirectory(dirname(path), platform);
}

function found(binary: Binary): Located {
  return { kind: "found", binary };
}

function programName(platform: string): string {
  return platform === "win32" ? "cloudflared.exe" : "cloudflared";
}

async function explicitBinary({ environment, signal }: Search, named: string): Promise<Binary> {
  const path = isAbsolute(named) ? named : resolve(environment.cwd, named);
  if (!(await isRunnableFile(path, environment.platform))) {
    throw new TunnelError("cloudflared-missing", {
      detail: "there is no such program, or it is not executable",
    });
  }
  const version = await reportedVersion(path, environment.childEnv, signal);
  if (signal.aborted) throw new TunnelError("cancelled");
  if (version === undefined) {
    throw new TunnelError("cloudflared-missing", {
      detail: "it does not report a version as cloudflared does",
    });
  }
  return { path, origin: "explicit", version, verified: false };
}

async function cachedBinary({ environment, release, signal }: Search): Promise<Located> {
  const path = release === undefined ? undefined : cachePath(environment, release.version);
  if (release === undefined || path === undefined) return ABSENT;
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return ABSENT;
  try {
    await ensureCacheDirectory(path, environment.platform);
  } catch (cause) {
    throw new TunnelError("cloudflared-missing", {
      detail: "the cache directory is not private to this user",
      cause,
    });
  }
  const intact = file.isFile() && (await sha256OfFile(path, signal)) === release.binarySha256;
  if (!intact) return { kind: "corrupt", path };
  return found({ path, origin: "cache", version: release.version, verified: true });
}

async function binaryOnPath(search: Search): Promise<Binary | undefined> {
  const { platform, searchPath } = search.environment;
  for (const directory of searchPath) {
    const path = join(directory, programName(platform));
    if (!(await isRunnableFile(path, platform)) || (await isWorldWritable(directory, platform))) continue;
    const binary = await supported(search, path, "path");
    if (binary !== undefined) return binary;
  }
  return undefined;
}

/** The npm package next to ours, installed by the same person. */
async function npmNeighbour(search: Search): Promise<Binary | undefined> {
  const { ownDirectory, platform } = search.environment;
  const parts = ownDirectory.split(sep);
  for (let depth = parts.length; depth > 0; depth--) {
    if (parts[depth - 1] !== "node_modules") continue;
    const path = join(parts.slice(0, depth).join(sep), "cloudflared", "bin", programName(platform));
    const binary = (await isRunnableFile(path, platform)) ? await supported(search, path, "npm") : undefined;
    if (binary !== undefined) return binary;
  }
  return undefined;
}

/**
 * The npm package of the project the agent works in. A cloned repository can bring any file along, `node_modules`
 * included, so only the pinned program itself is taken from there.
 */
async function npmInProject({ environment, release, signal }: Search): Promise<Binary | undefined> {
  if (release === undefined) return undefined;
  const { cwd, platform } = environment;
  const path = join(cwd, "node_modules", "cloudflared", "bin", programName(platform));
  if (!(await isRunnableFile(path, platform))) return undefined;
  if ((await sha256OfFile(path, signal)) !== release.binarySha256) return undefined;
  return { path, origin: "npm", version: release.version, verified: true };
}

async function supported(
  { environment, signal }: Search,
  path: string,
  origin: BinaryOrigin,
): Promise<Binary | undefined> {
  const version = await reportedVersion(path, environment.childEnv, signal);
  if (version === undefined || !isSupportedVersion(version)) return undefined;
  return { path, origin, version, verified: false };
}
