import { hostname, userInfo } from "node:os";
import type { LookupFunction } from "node:net";
import { isForbiddenDialAddress } from "../net/address.ts";
import { equalBytes, toHex } from "../protocol/base/bytes.ts";
import { makeWorkContext, type WorkContext, type ClientProgram } from "../protocol/room/work-context.ts";
import { asTunnelError, TunnelError } from "../errors/tunnel-error.ts";
import { wait } from "../runtime/wait.ts";
import { ROOM, SESSION } from "../protocol/base/limits.ts";
import type { InviteLink } from "../protocol/handshake/invite-link.ts";
import { inviteLinkIn } from "../arguments/invite-text.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import { checkGoal, checkName, isName } from "../protocol/base/text.ts";
import { Overseer, type OversightSettings } from "../oversight/overseer.ts";
import type { Clock } from "../runtime/clock.ts";
import { Emitter, when, type Observable, type Subscribe } from "../runtime/emitter.ts";
import type { DialOptions } from "../transport/guest-socket.ts";
import { Listeners } from "../transport/listeners.ts";
import type { Provider } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import type { SessionEvent, TunnelId } from "./session.ts";
import { HostSession } from "./host-session.ts";
import { masked } from "../oversight/gates/mask.ts";
import type { OutboundText } from "../oversight/filter/filter.ts";
import type { TextScanner } from "./saying/judging.ts";
import type { LocalFiles } from "./files/local-files.ts";
import type { CallId } from "./saying/sent.ts";
import { Joinings } from "./joinings.ts";
import { Openings, type Hosted, type HostRequest } from "./openings.ts";
import { GuestSession } from "./guest-session.ts";
import { Transcripts } from "./transcript/transcripts.ts";
import { typedText, type TypedText } from "../protocol/base/typed-text.ts";

/** A session of either role, open or ended. */
export type Session = HostSession | GuestSession;

/** The settings that sessions work with. */
interface SessionSettings extends OversightSettings {
  readonly transport: ProviderName;
  /** IP address to listen on. */
  readonly bind: string;
  /** TCP port to listen on; 0 takes any free one. */
  readonly port: number;
  /** The name of this side in a room unless a call says otherwise. */
  readonly name: string | undefined;
  /** Whether a spare tunnel is kept once there are members. */
  readonly standby: boolean;
  readonly idleMinutes: number;
  readonly inviteMinutes: number;
  /** Whether the others are told of the repository and the client that this side works in. */
  readonly context: boolean;
}

export interface SessionsOptions {
  readonly config: SessionSettings;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly lookup: LookupFunction;
  /** Proxies and certificates of outgoing connections; without them everything is dialled directly. */
  readonly network?: DialOptions;
  readonly localFiles: LocalFiles;
  readonly scanner: TextScanner;
  readonly providers: (name: ProviderName) => Provider;
  /** The server of this user, other than this one, that listens on a port, in words; undefined where none is known. */
  readonly portHolder?: (port: number) => Promise<string | undefined>;
}

/** Labels by the place that the filter names. */
const LABELS: Readonly<Partial<Record<OutboundText["where"], string>>> = {
  goal: "goal",
  "member-name": "name",
};

/** News of one session; `opened` when it is new. */
export interface SessionsEvent {
  readonly type: "opened" | SessionEvent["type"];
  readonly tunnelId: TunnelId;
}

/** So long a call waits for the host's person to let it in, and so often it looks: below the limits of clients (60 s). */
const ASKED_MS = 40_000;
const ASK_AGAIN_MS = 2_000;

/** Ended tunnels that can still be read; older ones are forgotten. */
const MAX_ENDED = 8;

/** All tunnels of this process, open and ended. It outlives any MCP connection, which may be made twice. */
export class Sessions implements Observable<SessionsEvent> {
  readonly #options: SessionsOptions;
  readonly transcripts: Transcripts;
  /** One for all tunnels of this process: what a person is asked has one list. */
  readonly overseer: Overseer;
  readonly #tunnels = new Map<TunnelId, Session>();
  /** Links being joined at this moment, so that two calls cannot use one up together. */
  readonly #joining = new Set<string>();
  readonly #events = new Emitter<SessionsEvent>();
  /** Wakes when there is a new session, or something has come or ended in one of them. */
  readonly onNews: Subscribe = when(this, ({ type }) => type === "opened" || type === "news");
  /** Ends of sessions on their way: a program may outlive its room by a moment. */
  readonly #endings = new Set<Promise<void>>();
  readonly #openings: Openings;
  readonly #listeners = new Listeners();
  /** Tunnels that are being joined for calls which may end before. */
  readonly joinings = new Joinings<GuestSession>();
  #opening = 0;
  #isShutDown = false;

  constructor(options: SessionsOptions) {
    const { primitives, clock, localFiles, config } = options;
    this.#options = options;
    this.overseer = new Overseer({ settings: config, clock, primitives });
    this.transcripts = new Transcripts({ primitives, clock, root: localFiles.cwd });
    this.#openings = new Openings({
      newId: () => this.#newId(),
      host: (request) => this.host(request),
    });
  }

  subscribe(listener: (event: SessionsEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Opens public addresses, for tunnels and for exposures alike. */
  get providers(): SessionsOptions["providers"] {
    return this.#options.providers;
  }

  /** The outbound filter. */
  get scanner(): TextScanner {
    return this.#options.scanner;
  }

  get localFiles(): LocalFiles {
    return this.#options.localFiles;
  }

  get all(): readonly Session[] {
    return [...this.#tunnels.values()];
  }

  get open(): readonly Session[] {
    return this.all.filter((tunnel) => tunnel.end === undefined);
  }

  /** The unread entries of all tunnels together. */
  get unread(): number {
    return this.all.reduce((sum, tunnel) => sum + tunnel.inbox.unread, 0);
  }

  /** Tunnels that are being opened for calls which may end before. */
  get openings(): Openings {
    return this.#openings;
  }

  /** @throws {TunnelError} goal-invalid, name-invalid, too-many-tunnels, and all of the provider and the relay */
  async host(request: HostRequest): Promise<Hosted> {
    const { config, primitives, clock, providers, scanner } = this.#options;
    const goal = checkGoal(request.goal);
    const name = this.#name(request.name, "host");
    const transport = request.transport ?? config.transport;
    const provider = providers(transport);
    await this.#assertClear([
      { where: "goal", text: goal },
      { where: "member-name", text: name },
    ]);
    const { signal, onProgress, invites, history } = request;
    return this.#opened(async () => {
      // The last one may still hold the port or the name that this one is to have.
      await Promise.all(this.#endings);
      const workContext = await this.#workContext(request.client);
      const opened = await HostSession.open({
        tunnelId: request.tunnelId ?? this.#newId(),
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
        listeners: this.#listeners,
        transport,
        provider,
        standby: config.standby && provider.canHaveSpare,
        primitives,
        clock,
        overseer: this.overseer,
        scanner,
        signal,
        onProgress,
      }).catch((thrown: unknown) => this.#portTaken(thrown));
      if (request.signOff === true) opened.hosting.signing.demand();
      await this.#keep(opened.hosting);
      return opened;
    });
  }

  /** Where another server of this user holds the port, the error says so. @throws the error */
  async #portTaken(thrown: unknown): Promise<never> {
    const { config, portHolder } = this.#options;
    const isTaken = thrown instanceof TunnelError && thrown.code === "port-in-use";
    const holder = isTaken ? await portHolder?.(config.port) : undefined;
    if (holder === undefined) throw thrown;
    const detail = `port ${config.port}, by ${holder}`;
    throw new TunnelError("port-in-use-ours", { detail, cause: thrown });
  }

  /** The ports on which this process listens for members. */
  get ports(): readonly number[] {
    return this.#listeners.ports;
  }

  /**
   * @param request `joinLink`: the link, or a text with it; `as`: what its holder wants to be
   * @throws {TunnelError} link-*, observer-link, member-link, own-link, already-joined, host-unreachable, name-invalid, too-many-tunnels, and all of joining
   */
  async join(request: {
    joinLink: string;
    name: string | undefined;
    as?: "member" | "observer";
    client?: ClientProgram | undefined;
    signal: AbortSignal;
  }): Promise<GuestSession> {
    const { primitives, clock, lookup, network, scanner } = this.#options;
    const link = inviteLinkIn(request.joinLink);
    if (!URL.canParse(link.origin))
      throw new TunnelError("link-malformed", { detail: "its address is not one" });
    if (isForbiddenDialAddress(new URL(link.origin).hostname)) throw new TunnelError("link-address");
    const isObserver = request.as === "observer";
    if (isObserver !== (link.role !== undefined))
      throw new TunnelError(isObserver ? "member-link" : "observer-link");
    const name = isObserver ? observerName(request.name) : this.#name(request.name, "guest");
    if (this.open.some((tunnel) => tunnel.role === "host" && tunnel.isRoom(link.room))) {
      throw new TunnelError("own-link");
    }
    const known = this.open.find((tunnel) => tunnel.role === "member" && tunnel.room === link.room);
    if (known?.role === "member") return this.#rejoined(known, link, request.signal);
    if (this.#joining.has(link.room)) throw new TunnelError("already-joined");
    this.#joining.add(link.room);
    try {
      await this.#assertClear([{ where: "member-name", text: name }]);
      return await this.#opened(async () => {
        const tunnelId = this.#newId();
        const options = {
          tunnelId,
          link,
          name,
          // An observer tells nothing of where it works.
          workContext: isObserver ? undefined : await this.#workContext(request.client),
          primitives,
          clock,
          overseer: this.overseer,
          scanner,
          lookup,
          network,
          signal: request.signal,
        };
        const joined = await this.#joined(options, request.joinLink);
        await this.#keep(joined);
        return joined;
      });
    } finally {
      this.#joining.delete(link.room);
    }
  }

  /** Where the host's person is asked first, it is tried again for a while: most answer at once. @throws {TunnelError} */
  async #joined(options: Parameters<typeof GuestSession.join>[0], joinLink: string): Promise<GuestSession> {
    const { clock, signal } = options;
    const until = clock.now() + ASKED_MS;
    for (;;) {
      try {
        // The key in a link is wiped with the session that has used it.
        return await GuestSession.join({ ...options, link: inviteLinkIn(joinLink) });
      } catch (thrown) {
        if (asTunnelError(thrown).code !== "admission-pending" || clock.now() >= until) throw thrown;
        if ((await wait(clock, ASK_AGAIN_MS, { signal })) === "aborted") throw new TunnelError("cancelled");
      }
    }
  }

  /** A second link to a room that this process is in leads back where its address has died. */
  async #rejoined(
    tunnel: GuestSession,
    { origin, hostKey }: InviteLink,
    signal: AbortSignal,
  ): Promise<GuestSession> {
    if (!equalBytes(tunnel.hostKey, hostKey)) throw new TunnelError("link-other-host");
    if (tunnel.connection.name === "connected") throw new TunnelError("already-joined");
    await tunnel.rejoin(origin, signal);
    return tunnel;
  }

  /**
   * The tunnel a call means: the named one, or the only open one, or the one that ended last.
   * @throws {TunnelError} no-tunnel, tunnel-unknown, tunnel-ambiguous (naming the open ones)
   */
  resolve(tunnelId: TunnelId | undefined): Session {
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
  checkedText(text: string): TypedText {
    return typedText(text);
  }

  /** A tool call arrived, so the results of earlier calls have been received. */
  callArrived(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.inbox.settle();
  }

  callCancelled(call: CallId): void {
    for (const { inbox, own } of this.#tunnels.values()) {
      inbox.cancelled(call);
      own.cancelled(call);
    }
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    const openings = Promise.all([this.#openings.cancelAll(), this.joinings.cancelAll()]);
    await Promise.allSettled(this.all.map((tunnel) => tunnel.close("host-stopped")));
    await Promise.allSettled([openings, ...this.#endings, ...this.all.map((tunnel) => tunnel.gone())]);
    this.localFiles.close();
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

  async #keep(tunnel: Session): Promise<void> {
    if (this.#isShutDown) {
      await tunnel.gone();
      throw new TunnelError("cancelled");
    }
    const ended = this.all.filter((one) => one.end !== undefined);
    for (const old of ended.slice(0, Math.max(0, ended.length - MAX_ENDED + 1)))
      this.#tunnels.delete(old.tunnelId);
    const { tunnelId } = tunnel;
    this.#tunnels.set(tunnelId, tunnel);
    tunnel.subscribe(({ type }) => {
      if (type === "ended") this.#ends(tunnel);
      this.#events.emit({ type, tunnelId });
    });
    this.#events.emit({ type: "opened", tunnelId });
  }

  #ends(tunnel: Session): void {
    const ending = tunnel
      .gone()
      // Whoever closes it is told; the next opening must not be.
      .catch(() => undefined)
      .finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }

  /** The work context that the others are told, unless the human has switched that off. */
  async #workContext(client: ClientProgram | undefined): Promise<WorkContext | undefined> {
    if (!this.#options.config.context) return undefined;
    const found = await this.localFiles.context();
    const repository = found && { ...found, name: found.repository };
    const made = makeWorkContext({ ...(repository && { repository }), ...(client && { client }) });
    if (made === undefined) return undefined;
    const text = JSON.stringify(made);
    const { kind } = await this.#options.scanner.scanTexts([{ where: "work-context", text }]);
    // A branch with a token in its name is told to nobody; the rest of it is no loss.
    return kind === "clear" ? made : undefined;
  }

  /** The beginning of a file as a person is shown it. @throws {TunnelError} scan-failed */
  async withoutSecrets(text: string): Promise<string> {
    const verdict = await this.#options.scanner.scanTexts([{ where: "file", text }]);
    return verdict.kind === "found" ? masked(text, verdict.findings, "file") : text;
  }

  /**
   * Labels that everybody sees from the first moment on. Nobody can be asked about them yet, so they do not leave.
   * @throws {TunnelError} secret-found, scan-failed
   */
  async #assertClear(texts: readonly OutboundText[]): Promise<void> {
    const verdict = await this.#options.scanner.scanTexts(texts);
    const [finding] = verdict.kind === "found" ? verdict.findings : [];
    if (finding !== undefined)
      throw new TunnelError("secret-found", { detail: `${finding.rule}, in the ${LABELS[finding.where]}` });
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

/** Shorter than a member's (Q2). @throws {TunnelError} name-invalid */
function observerName(asked: string | undefined): string {
  const name = asked === undefined ? (machineName() ?? "observer") : checkName(asked);
  if (asked !== undefined && Array.from(name).length > ROOM.maxObserverNameChars)
    throw new TunnelError("name-invalid", {
      detail: `an observer's has at most ${ROOM.maxObserverNameChars} characters`,
    });
  const short = Array.from(name).slice(0, ROOM.maxObserverNameChars).join("").trimEnd();
  return isName(short) ? short : "observer";
}

/** `user@machine` would tell the peer more than it needs: the user name alone, where there is one. */
function machineName(): string | undefined {
  try {
    const { username } = userInfo();
    return [username, hostname().replace(/\..*$/s, "")].find((name) => isName(name));
  } catch (error) {
    // Containers may run under a user id without an entry; that is no reason to fail.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
