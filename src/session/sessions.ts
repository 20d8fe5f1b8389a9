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
import { PROVIDER_NAMES, type ProviderName } from "../tunnel/registry/registry.ts";
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
import { keptSession } from "./keeping/kept-session.ts";
import { resumableStay, type ResumableStay } from "./resumable.ts";
import type { KeptStay, Stays } from "./stays/stays.ts";
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
  /** A stay is kept so long after its process ended. */
  readonly keepMinutes: number;
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
  /** The stays that outlive a process of this user; none do where left out. */
  readonly stays?: Pick<Stays, "begin" | "resume" | "resumable"> | undefined;
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

/** The process before this one has so long to end, and is looked at so often. */
const IN_USE_MS = 3_000;
const IN_USE_AGAIN_MS = 200;

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
  /** Tunnels that are being joined, or taken up again, for calls which may end before. */
  readonly joinings = new Joinings<Session>();
  #opening = 0;
  #isShutDown = false;
  /** Tunnels that are not kept although they should be. */
  readonly #unkept = new Set<TunnelId>();
  /** Stays that are being taken up. */
  readonly #resuming = new Map<TunnelId, Promise<Session>>();

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
    const { config } = this.#options;
    const goal = checkGoal(request.goal);
    const name = this.#name(request.name, "host");
    const transport = request.transport ?? config.transport;
    await this.#assertClear([
      { where: "goal", text: goal },
      { where: "member-name", text: name },
    ]);
    const { signal, onProgress, invites, history } = request;
    return this.#opened(async () => {
      // The last one may still hold the port or the name that this one is to have.
      await Promise.all(this.#endings);
      const workContext = await this.#workContext(request.client);
      const tunnelId = request.tunnelId ?? this.#newId();
      const stay = await this.#stayFor(tunnelId);
      const opened = await HostSession.open({
        ...this.#hosting(tunnelId, transport),
        goal,
        name,
        workContext,
        invites,
        history,
        idleMs: config.idleMinutes * 60_000,
        inviteMs: config.inviteMinutes * 60_000,
        stay,
        folder: this.localFiles.cwd,
        signal,
        onProgress,
      }).catch(async (thrown: unknown) => {
        await stay?.remove();
        return this.#portTaken(thrown);
      });
      if (request.signOff === true) opened.hosting.signing.demand();
      await this.#keep(opened.hosting);
      return opened;
    });
  }

  /** How a room of this process is reached, and what it works with. */
  #hosting(tunnelId: TunnelId, transport: ProviderName) {
    const { config, primitives, clock, providers, scanner } = this.#options;
    const provider = providers(transport);
    return {
      tunnelId,
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
    };
  }

  /** The place in which a new tunnel is kept; undefined where it is not, which is a problem where it should be. */
  async #stayFor(tunnelId: TunnelId): Promise<KeptStay | undefined> {
    const { stays, config } = this.#options;
    if (stays === undefined || config.keepMinutes === 0) return undefined;
    const stay = await stays.begin(tunnelId);
    if (stay === undefined) this.notKept(tunnelId);
    return stay;
  }

  /** A tunnel goes on, and will not survive a restart. */
  notKept(tunnelId: TunnelId): void {
    this.#unkept.add(tunnelId);
  }

  /** What is wrong at this moment and concerns a human. */
  get problems(): readonly TunnelError[] {
    return this.open.some(({ tunnelId }) => this.#unkept.has(tunnelId))
      ? [new TunnelError("stay-not-kept")]
      : [];
  }

  /** The stays of this project folder that a process has left, and that can be taken up. */
  async resumable(): Promise<readonly ResumableStay[]> {
    const { stays, primitives, clock } = this.#options;
    const found = (await stays?.resumable()) ?? [];
    const here = { folder: this.localFiles.cwd, primitives, clock };
    return found.flatMap((one) => resumableStay(one, here) ?? []);
  }

  /**
   * Takes up a stay that an earlier process of this project folder has left, where it was.
   * @throws {TunnelError} tunnel-unknown, stay-*, too-many-tunnels, tunnel-closed, and why it cannot be reached
   */
  async resume(
    request: Pick<HostRequest, "signal" | "onProgress"> & { readonly tunnelId: TunnelId },
  ): Promise<Session> {
    const { tunnelId } = request;
    const here = this.open.find((tunnel) => tunnel.tunnelId === tunnelId);
    if (here !== undefined) return here;
    const running = this.#resuming.get(tunnelId);
    if (running !== undefined) return running;
    const resuming = this.#opened(() => this.#resume(request)).finally(() => this.#resuming.delete(tunnelId));
    this.#resuming.set(tunnelId, resuming);
    return resuming;
  }

  /** A process that has just been told to end may still have it for a moment. @throws {TunnelError} */
  async #takenUp(
    stays: Pick<Stays, "resume">,
    tunnelId: TunnelId,
    signal: AbortSignal,
  ): ReturnType<Stays["resume"]> {
    const { clock } = this.#options;
    const until = clock.now() + IN_USE_MS;
    for (;;) {
      try {
        return await stays.resume(tunnelId);
      } catch (thrown) {
        if (asTunnelError(thrown).code !== "stay-in-use" || clock.now() >= until) throw thrown;
        if ((await wait(clock, IN_USE_AGAIN_MS, { signal })) === "aborted")
          throw new TunnelError("cancelled");
      }
    }
  }

  async #resume({
    tunnelId,
    signal,
    onProgress,
  }: Pick<HostRequest, "signal" | "onProgress"> & { readonly tunnelId: TunnelId }): Promise<Session> {
    const { stays, lookup, network } = this.#options;
    if (stays === undefined) throw new TunnelError("tunnel-unknown");
    // The last one may still hold the port or the name that this one is to have.
    await Promise.all(this.#endings);
    const { kept: stay, changes, floors } = await this.#takenUp(stays, tunnelId, signal);
    try {
      const kept = keptSession(changes.session);
      if (kept.folder !== this.localFiles.cwd) throw new TunnelError("tunnel-unknown");
      const hosting = this.#hosting(
        tunnelId,
        PROVIDER_NAMES.find((name) => name === kept.transport) ?? this.#options.config.transport,
      );
      const { primitives, clock, overseer, scanner } = hosting;
      const { localFiles } = this;
      const common = { tunnelId, stay, kept, changes: changes.machine, localFiles, signal };
      const session =
        kept.role === "host"
          ? await HostSession.resume({ ...hosting, ...common, floors, onProgress })
          : await GuestSession.resume({
              ...common,
              primitives,
              clock,
              overseer,
              scanner,
              floor: floors.said,
              lookup,
              network,
            });
      await this.#keep(session);
      return session;
    } catch (thrown) {
      const error = asTunnelError(thrown);
      // Nobody can come back to a room that has ended; for the rest there may be another try.
      if (error.code === "tunnel-closed") await stay.remove();
      else stay.leave();
      throw error;
    }
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
          folder: this.localFiles.cwd,
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
  async #joined(
    options: Omit<Parameters<typeof GuestSession.join>[0], "stay">,
    joinLink: string,
  ): Promise<GuestSession> {
    const { clock, signal, tunnelId } = options;
    const until = clock.now() + ASKED_MS;
    for (;;) {
      const stay = await this.#stayFor(tunnelId);
      try {
        // The key in a link is wiped with the session that has used it.
        return await GuestSession.join({ ...options, stay, link: inviteLinkIn(joinLink) });
      } catch (thrown) {
        await stay?.remove();
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
    for (const tunnel of this.#tunnels.values()) tunnel.settle();
  }

  callCancelled(call: CallId): void {
    for (const { inbox, own } of this.#tunnels.values()) {
      inbox.cancelled(call);
      own.cancelled(call);
    }
  }

  /** The process is about to end: from now on nothing is given up that a later one can go on with. */
  expectEnd(): void {
    for (const tunnel of this.open) tunnel.expectEnd();
  }

  /** The process ends: stays that are kept wait for a later one, all else is over. Resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    this.expectEnd();
    const openings = Promise.all([this.#openings.cancelAll(), this.joinings.cancelAll()]);
    await Promise.allSettled(this.#resuming.values());
    await Promise.allSettled(this.all.map((tunnel) => tunnel.depart()));
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
