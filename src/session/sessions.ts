import { hostname, userInfo } from "node:os";
import type { LookupFunction } from "node:net";
import { isForbiddenDialAddress } from "../net/address.ts";
import { equalBytes, toHex } from "../protocol/base/bytes.ts";
import { makeWorkContext, type WorkContext, type ClientProgram } from "../protocol/room/work-context.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { SESSION } from "../protocol/base/limits.ts";
import { parseLink, type InviteLink } from "../protocol/handshake/invite-link.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import { checkGoal, checkName, checkText, isName } from "../protocol/base/text.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Provider, TunnelProgress } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import type { Config } from "./config.ts";
import type { TunnelId } from "./handle.ts";
import { Hosting } from "./hosting.ts";
import type { LocalFiles } from "./files/local-files.ts";
import type { CallId } from "./inbox.ts";
import type { Invite } from "./issued-invites.ts";
import { Joined } from "./joined.ts";
import { Transcripts } from "./transcript/transcripts.ts";

export type OpenTunnel = Hosting | Joined;

export interface SessionsOptions {
  readonly config: Config;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly lookup: LookupFunction;
  readonly localFiles: LocalFiles;
  readonly providers: (name: ProviderName) => Provider;
}

/** What those who show tunnels want to hear of. */
export type SessionsChange =
  { readonly what: "tunnels" } | { readonly what: "transcript"; readonly tunnelId: TunnelId };

/** Ended tunnels that can still be read; older ones are forgotten. */
const MAX_ENDED = 8;

/** All tunnels of this process, open and ended. It outlives any MCP connection, which may be made twice. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly transcripts: Transcripts;
  readonly #tunnels = new Map<TunnelId, OpenTunnel>();
  /** Links being joined at this moment, so that two calls cannot use one up together. */
  readonly #joining = new Set<string>();
  readonly #listeners = new Set<(change: SessionsChange) => void>();
  readonly #watchers = new Set<() => void>();
  #opening = 0;
  #isShutDown = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.transcripts = new Transcripts(options.primitives, options.clock);
  }

  onChange(listener: (change: SessionsChange) => void): void {
    this.#listeners.add(listener);
  }

  #changed(change: SessionsChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  get localFiles(): LocalFiles {
    return this.#options.localFiles;
  }

  get all(): readonly OpenTunnel[] {
    return [...this.#tunnels.values()];
  }

  get open(): readonly OpenTunnel[] {
    return this.all.filter((tunnel) => tunnel.end === undefined);
  }

  /** Of all tunnels together. */
  get unread(): number {
    return this.all.reduce((sum, tunnel) => sum + tunnel.inbox.unread, 0);
  }

  /**
   * Calls `watcher` whenever there is a new tunnel, or something has come or ended in one of them; the returned function
   * ends that. It must not throw, and is told nothing: it looks for itself.
   */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** @throws {TunnelError} goal-invalid, name-invalid, too-many-tunnels, and all of the provider and the relay */
  async host(request: {
    goal: string;
    invites: number;
    history: boolean;
    transport: ProviderName | undefined;
    name: string | undefined;
    client?: ClientProgram | undefined;
    signal: AbortSignal;
    onProgress: (progress: TunnelProgress) => void;
  }): Promise<{ hosting: Hosting; invites: Invite[] }> {
    const { config, primitives, clock, providers } = this.#options;
    const goal = checkGoal(request.goal);
    const name = this.#name(request.name, "host");
    const transport = request.transport ?? config.transport;
    const provider = providers(transport);
    const { signal, onProgress, invites, history } = request;
    return this.#opened(async () => {
      const workContext = await this.#workContext(request.client);
      const opened = await Hosting.open({
        tunnelId: this.#newId(),
        goal,
        name,
        workContext,
        invites,
        history,
        idleMs: config.idleMinutes * 60_000,
        inviteMs: config.inviteMinutes * 60_000,
        // Behind a tunnel program nobody but this machine has any business with the port.
        bind: provider.dialsLoopbackOnly ? "127.0.0.1" : config.bind,
        port: config.port,
        transport,
        provider,
        standby: config.standby && provider.canHaveSpare,
        primitives,
        clock,
        signal,
        onProgress,
      });
      await this.#keep(opened.hosting);
      return opened;
    });
  }

  /** @throws {TunnelError} link-*, own-link, already-joined, host-unreachable, name-invalid, too-many-tunnels, and all of joining */
  async join(request: {
    joinLink: string;
    name: string | undefined;
    client?: ClientProgram | undefined;
    signal: AbortSignal;
  }): Promise<Joined> {
    const { primitives, clock, lookup } = this.#options;
    const link = parseLink(request.joinLink);
    if (!URL.canParse(link.origin))
      throw new TunnelError("link-malformed", { detail: "its address is not one" });
    if (isForbiddenDialAddress(new URL(link.origin).hostname)) throw new TunnelError("link-address");
    const name = this.#name(request.name, "guest");
    if (this.open.some((tunnel) => tunnel.role === "host" && tunnel.isRoom(link.room))) {
      throw new TunnelError("own-link");
    }
    const known = this.open.find((tunnel) => tunnel.role === "member" && tunnel.room === link.room);
    if (known?.role === "member") return this.#rejoined(known, link, request.signal);
    if (this.#joining.has(link.room)) throw new TunnelError("already-joined");
    this.#joining.add(link.room);
    try {
      return await this.#opened(async () => {
        const tunnelId = this.#newId();
        const joined = await Joined.join({
          tunnelId,
          link,
          name,
          workContext: await this.#workContext(request.client),
          primitives,
          clock,
          lookup,
          signal: request.signal,
        });
        await this.#keep(joined);
        return joined;
      });
    } finally {
      this.#joining.delete(link.room);
    }
  }

  /** A second link to a room that this process is in: the way back where its address has died. */
  async #rejoined(tunnel: Joined, { origin, hostKey }: InviteLink, signal: AbortSignal): Promise<Joined> {
    if (!equalBytes(tunnel.hostKey, hostKey)) throw new TunnelError("link-other-host");
    if (tunnel.link.name === "connected") throw new TunnelError("already-joined");
    await tunnel.rejoin(origin, signal);
    return tunnel;
  }

  /**
   * The tunnel a call means: the named one, or the only open one, or the one that ended last.
   * @throws {TunnelError} no-tunnel, tunnel-unknown, tunnel-ambiguous (naming the open ones)
   */
  resolve(tunnelId: TunnelId | undefined): OpenTunnel {
    if (tunnelId !== undefined) {
      const named = this.#tunnels.get(tunnelId);
      if (named === undefined) throw new TunnelError("tunnel-unknown");
      return named;
    }
    const { open } = this;
    if (open.length > 1) {
      throw new TunnelError("tunnel-ambiguous", { detail: open.map((tunnel) => tunnel.tunnelId).join(", ") });
    }
    const found = open[0] ?? this.all.at(-1);
    if (found === undefined) throw new TunnelError("no-tunnel");
    return found;
  }

  /** Text of this side's agent as it may be sent. @throws {TunnelError} text-invalid, text-too-long */
  checkedText(text: string): string {
    return checkText(this.#options.primitives, text);
  }

  /** A tool call arrived: whatever earlier calls returned has been received. */
  callArrived(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.inbox.settle();
  }

  callCancelled(call: CallId): void {
    for (const tunnel of this.#tunnels.values()) tunnel.inbox.cancelled(call);
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    await Promise.allSettled(
      this.all.map((tunnel) => (tunnel.role === "host" ? tunnel.close("host-stopped") : tunnel.close())),
    );
    await this.localFiles.close();
  }

  async #opened<Result>(open: () => Promise<Result>): Promise<Result> {
    if (this.open.length + this.#opening >= SESSION.maxTunnels) throw new TunnelError("too-many-tunnels");
    this.#opening += 1;
    try {
      return await open();
    } finally {
      this.#opening -= 1;
    }
  }

  async #keep(tunnel: OpenTunnel): Promise<void> {
    if (this.#isShutDown) {
      await tunnel.close();
      throw new TunnelError("cancelled");
    }
    const ended = this.all.filter((one) => one.end !== undefined);
    for (const old of ended.slice(0, Math.max(0, ended.length - MAX_ENDED + 1)))
      this.#tunnels.delete(old.tunnelId);
    const { tunnelId, inbox } = tunnel;
    this.#tunnels.set(tunnelId, tunnel);
    inbox.onEntry = () => this.#changed({ what: "transcript", tunnelId });
    this.#changed({ what: "tunnels" });
    inbox.watch(() => this.#tell());
    this.#tell();
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher();
  }

  /** What the others are told of where this side works, unless its human has switched that off. */
  async #workContext(client: ClientProgram | undefined): Promise<WorkContext | undefined> {
    if (!this.#options.config.context) return undefined;
    const found = await this.localFiles.context();
    const repository = found && { ...found, name: found.repository };
    return makeWorkContext({ ...(repository && { repository }), ...(client && { client }) });
  }

  #newId(): TunnelId {
    return toHex(this.#options.primitives.random(6));
  }

  /** The name asked for, or the configured one, or the user's name on this machine. */
  #name(asked: string | undefined, fallback: string): string {
    if (asked !== undefined) return checkName(asked);
    return this.#options.config.name ?? machineName() ?? fallback;
  }
}

/** `user@machine` would tell the peer more than it needs: the user name alone, where there is one. */
function machineName(): string | undefined {
  try {
    const { username } = userInfo();
    return [username, hostname().split(".")[0] ?? ""].find((name) => isName(name));
  } catch (error) {
    // Containers may run under a user id without an entry; that is no reason to fail.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
