import type { Clock } from "../../runtime/clock.ts";
import type { TunnelProgress } from "../../tunnel/provider.ts";
import { findMcp, type FindMcpOptions, type FoundMcp } from "../mcp/find.ts";
import type { CheckedRequest } from "./request.ts";
import { connects } from "./service-watch.ts";
import type { ServiceQuestion, Upstream } from "../upstream.ts";
import { findService, type FindOptions as FindServiceOptions } from "../target/find.ts";
import type { FolderRules } from "../target/folder/locate.ts";
import { serveFolder } from "../target/folder/serve.ts";
import { tcpTarget, type TcpTarget } from "../target/dial.ts";
import { TCP_LIMITS } from "../tcp/passage.ts";
import { targetName, type ServiceTarget } from "../target/parse.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** What finding a target takes, the same for all of them. */
export type FindOptions = Omit<FindServiceOptions, "clock" | "signal" | "hostHeader" | "onProgress"> & {
  readonly folders: FolderRules;
};

/** A target that was found, and is harmless enough to be exposed. */
export type FoundTarget = FoundHttp | FoundTcp;

interface FoundFacts {
  /** For people: the address, or the folder. */
  readonly description: string;
  /** Of a GET of `/`; undefined where it was too slow. */
  readonly status: number | undefined;
  readonly server: string | undefined;
  readonly warnings: readonly string[];
  /** The words of an MCP server on itself. */
  readonly mcp?: FoundMcp;
  /** Whether it takes a connection; undefined where there is no port that could be looked at. */
  readonly takesConnections: (() => Promise<boolean>) | undefined;
  /** Ends what was started for it. */
  close(): Promise<void>;
}

export interface FoundHttp extends FoundFacts {
  readonly protocol: "http";
  readonly upstream: Upstream;
  /** By which it is asked through the address whether it answers; a GET of `/` when left out. */
  readonly question?: ServiceQuestion;
}

export interface FoundTcp extends FoundFacts {
  readonly protocol: "tcp";
  readonly tcp: TcpTarget;
}

/**
 * Finds the service, serves the folder, or puts a bridge before the MCP server.
 * @throws {TunnelError} expose-target-*, expose-folder-refused, mcp-*, cancelled
 */
export async function findTarget(
  { target, hostHeader, protocol }: Pick<CheckedRequest, "target" | "hostHeader" | "protocol">,
  { clock, find, primitives, stdio }: Omit<FindMcpOptions, "find"> & { readonly find: FindOptions },
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: TunnelProgress) => void },
): Promise<FoundTarget> {
  if (target.kind === "mcp") {
    const asking = { ...find, clock, signal, onProgress };
    const { watched, ...found } = await findMcp(target, { clock, primitives, stdio, find: asking });
    return { protocol: "http", ...found, takesConnections: watched && (() => connects(watched)) };
  }
  const description = targetName(target, protocol);
  if (target.kind === "folder") {
    const served = await serveFolder(target.path, find.folders);
    const { upstream, warnings } = served;
    const close = (): Promise<void> => served.close();
    const takesConnections = (): Promise<boolean> => connects(upstream);
    const facts = { description, status: undefined, server: undefined, warnings, takesConnections, close };
    return { protocol: "http", upstream, ...facts };
  }
  if (protocol === "tcp") return findTcp(target, { clock, find, description });
  const { upstream, status, server, warnings } = await findService(target, {
    ...find,
    clock,
    signal,
    hostHeader,
    onProgress,
  });
  return {
    protocol: "http",
    upstream,
    description,
    status,
    server,
    warnings,
    takesConnections: () => connects(upstream),
    close: () => Promise.resolve(),
  };
}

/** @throws {TunnelError} expose-target-* */
async function findTcp(
  target: ServiceTarget,
  {
    clock,
    find,
    description,
  }: { readonly clock: Clock; readonly find: FindOptions; readonly description: string },
): Promise<FoundTcp> {
  const tcp = await tcpTarget(target, { ...find, clock, dialMs: TCP_LIMITS.dialMs });
  const takesConnections = async (): Promise<boolean> => {
    const socket = await tcp.dial();
    socket?.destroy();
    return socket !== undefined;
  };
  if (!(await takesConnections()))
    throw new TunnelError("expose-target-silent", { detail: `nobody listens on ${description}` });
  return {
    protocol: "tcp",
    tcp,
    description,
    status: undefined,
    server: undefined,
    warnings: [],
    takesConnections,
    close: () => Promise.resolve(),
  };
}
