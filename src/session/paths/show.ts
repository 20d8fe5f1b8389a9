import { lstat, realpath } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { readFailure } from "./failures.ts";
import { protectedPlace } from "./protected.ts";
import { sensitiveName } from "./sensitive.ts";
import { faultBehind, lexicalPath, segmentsInRoots, type Reach } from "./roots.ts";

/**
 * A folder whose files may be shown to others, by its real path: inside the roots for sharing, and none of those that hold keys,
 * settings or instructions.
 * @throws {TunnelError} expose-folder-refused, path-invalid, root-missing, working-directory-gone
 */
export async function resolveShownFolder(given: string, reach: Reach): Promise<string> {
  const wanted = lexicalPath(given, reach.cwd);
  const real = await realpath(wanted).catch((error: unknown) => {
    const failure = faultBehind(readFailure(error), { ...reach, given, kind: "shareRoots" });
    throw failure instanceof TunnelError && failure.code === "share-not-found"
      ? refused("there is no such folder", error)
      : failure;
  });
  const found = await lstat(real).catch((error: unknown) => {
    throw readFailure(error);
  });
  if (!found.isDirectory()) throw refused("it is no folder");
  const segments = await segmentsInRoots(real, reach).catch((error: unknown) => {
    throw error instanceof TunnelError ? refused(error.detail ?? OUTSIDE, error) : error;
  });
  const purpose = protectedPlace(segments.filter((segment) => segment !== "node_modules"));
  if (purpose !== undefined) throw refused(`it holds ${purpose}`);
  return real;
}

/**
 * Why a file of this path is not among those that are shown. Nobody is asked for each of them, as for one that is shared, so this
 * rule is the wider one: certificates look like keys.
 */
export function secretNameToShow(file: string): string | undefined {
  return sensitiveName(file) ?? (/\.(?:pem|key|p8)$/i.test(file) ? "private key" : undefined);
}

const OUTSIDE = "it lies outside the working directory and the folders that may be shared";

function refused(detail: string, cause?: unknown): TunnelError {
  return new TunnelError("expose-folder-refused", { detail, cause });
}
