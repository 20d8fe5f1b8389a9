import type { Clock } from "../../runtime/clock.ts";
import type { TunnelProgress } from "../../tunnel/provider.ts";
import type { CheckedRequest } from "./request.ts";
import type { Upstream } from "../upstream.ts";
import { findService, type FindOptions as FindServiceOptions } from "../target/find.ts";
import type { FolderRules } from "../target/folder/locate.ts";
import { serveFolder } from "../target/folder/serve.ts";
import { targetName } from "../target/parse.ts";

/** What finding a target takes, the same for all of them. */
export type FindOptions = Omit<FindServiceOptions, "clock" | "signal" | "hostHeader" | "onProgress"> & {
  readonly folders: FolderRules;
};

/** A target that was found, and is harmless enough to be exposed. */
export interface FoundTarget {
  readonly upstream: Upstream;
  /** For people: the address, or the folder. */
  readonly description: string;
  /** Of a GET of `/`; undefined where it was too slow. */
  readonly status: number | undefined;
  readonly server: string | undefined;
  readonly warnings: readonly string[];
  /** Ends what was started for it. */
  close(): Promise<void>;
}

/**
 * Finds the service, or serves the folder.
 * @throws {TunnelError} expose-target-*, expose-folder-refused, cancelled
 */
export async function findTarget(
  { target, hostHeader }: Pick<CheckedRequest, "target" | "hostHeader">,
  { clock, find }: { readonly clock: Clock; readonly find: FindOptions },
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: TunnelProgress) => void },
): Promise<FoundTarget> {
  const description = targetName(target);
  if (target.kind === "folder") {
    const served = await serveFolder(target.path, find.folders);
    const { upstream, warnings } = served;
    const close = (): Promise<void> => served.close();
    return { upstream, description, status: undefined, server: undefined, warnings, close };
  }
  const { upstream, status, server, warnings } = await findService(target, {
    ...find,
    clock,
    signal,
    hostHeader,
    onProgress,
  });
  return { upstream, description, status, server, warnings, close: () => Promise.resolve() };
}
