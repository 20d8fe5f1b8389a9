import { tmpdir } from "node:os";
import path from "node:path";
import type { Config } from "../cli/settings.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { isFolder, isWritableFolder } from "../runtime/places.ts";
import { missingRoots } from "../session/paths/roots.ts";

interface Surroundings {
  readonly config: Config;
  readonly cwd: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * What is wrong at this moment with the folders that the program works with. Looked at anew for every answer: a disk may be
 * mounted, and a folder removed, while the server runs.
 */
export function surroundingProblems({ config, cwd, home, env }: Surroundings): TunnelError[] {
  const { saveRoots, shareRoots, transport, cloudflaredPath } = config;
  const isCacheElsewhere = isWritableFolder(env["XDG_CACHE_HOME"] ?? env["LOCALAPPDATA"] ?? "");
  const needsCache = transport === "cloudflared" && cloudflaredPath === undefined && !isCacheElsewhere;
  const problems = [
    isFolder(cwd) ? undefined : new TunnelError("working-directory-gone"),
    ...missingRoots({ saveRoots, shareRoots }),
    needsCache && !isWritableFolder(home) ? new TunnelError("home-unusable") : undefined,
    isWritableFolder(tmpdir()) && path.isAbsolute(tmpdir()) ? undefined : new TunnelError("temp-unusable"),
  ];
  return problems.filter((problem) => problem !== undefined);
}
