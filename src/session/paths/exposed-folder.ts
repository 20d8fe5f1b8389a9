import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { readFailure } from "./failures.ts";
import { faultBehind, lexicalPath, outsideRoots, type Reach } from "./roots.ts";
import { sensitiveName } from "./sensitive.ts";

/** A name that no folder for visitors has: programs keep their own things in it. */
const HIDDEN = /^\./;

/**
 * The real path of a folder that may be exposed: one of those that files are shared from, or below it. Unlike a single file, nobody can
 * let another one pass: what is in it tomorrow was seen by nobody.
 * @throws {TunnelError} expose-folder-refused, path-invalid, root-missing, working-directory-gone
 */
export async function exposedFolder(given: string, reach: Reach): Promise<string> {
  const wanted = lexicalPath(given, reach.cwd);
  const folder = await realpath(wanted).catch((error: unknown) => {
    const fault = faultBehind(readFailure(error), { ...reach, given, kind: "shareRoots" });
    if (fault instanceof TunnelError && fault.code !== "share-not-found") throw fault;
    throw refused("it does not exist", error);
  });
  const found = await stat(folder).catch((error: unknown) => {
    throw refused("it cannot be read", error);
  });
  if (!found.isDirectory()) throw refused("it is a file, and not a folder; tunnel_share offers a file");
  const { isOutside, reason } = await outsideRoots(folder, reach);
  if (isOutside) throw refused(reason ?? "it is outside the folders that may be shared from");
  if (HIDDEN.test(path.basename(folder)) || sensitiveName(path.join(folder, "x")) !== undefined)
    throw refused("a folder of this name holds what nobody should see");
  return folder;
}

function refused(detail: string, cause?: unknown): TunnelError {
  return new TunnelError("expose-folder-refused", { detail, cause });
}
