import type { TunnelProgress } from "../../tunnel/provider.ts";
import { findMcp, type FindMcpOptions, type FoundMcp } from "../mcp/find.ts";
import type { CheckedRequest } from "./request.ts";
import type { ServiceQuestion, Upstream } from "../upstream.ts";
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
  /** Looked at while nobody visits; undefined where there is no port that could be. */
  readonly watched: Upstream | undefined;
  /** By which it is asked through the address whether it answers; a GET of `/` when left out. */
  readonly question?: ServiceQuestion;
  /** Of an MCP server: what it says of itself. */
  readonly mcp?: FoundMcp;
  /** Ends what was started for it. */
  close(): Promise<void>;
}

/**
 * Finds the service, serves the folder, or puts a bridge before the MCP server.
 * @throws {TunnelError} expose-target-*, expose-folder-refused, mcp-*, cancelled
 */
export async function findTarget(
  { target, hostHeader }: Pick<CheckedRequest, "target" | "hostHeader">,
  { clock, find, primitives, stdio }: Omit<FindMcpOptions, "find"> & { readonly find: FindOptions },
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: TunnelProgress) => void },
): Promise<FoundTarget> {
  if (target.kind === "mcp")
    return findMcp(target, { clock, primitives, stdio, find: { ...find, clock, signal, onProgress } });
  const description = targetName(target);
  if (target.kind === "folder") {
    const served = await serveFolder(target.path, find.folders);
    const { upstream, warnings } = served;
    const close = (): Promise<void> => served.close();
    const watched = upstream;
    return { upstream, watched, description, status: undefined, server: undefined, warnings, close };
  }
  const { upstream, status, server, warnings } = await findService(target, {
    ...find,
    clock,
    signal,
    hostHeader,
    onProgress,
  });
  const close = (): Promise<void> => Promise.resolve();
  return { upstream, watched: upstream, description, status, server, warnings, close };
}
