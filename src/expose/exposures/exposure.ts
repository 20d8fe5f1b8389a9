import { toHex } from "../../protocol/base/bytes.ts";
import { must } from "../../errors/must.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";
import { TunnelPool, type PoolEvent } from "../../tunnel/pool/pool.ts";
import type { LocalRelay, Provider, RelayProof, Tunnel, TunnelProgress } from "../../tunnel/provider.ts";
import { Access, type AccessControl, type AccessWays, type ClaimState } from "../access/access.ts";
import type { ExposeContext } from "./context.ts";
import { openGateway } from "../gateway/gateway.ts";
import type { Gateway, GatewayNews } from "../gateway/options.ts";
import type { Exchange } from "../inspector/exchange.ts";
import { Inspector } from "../inspector/inspector.ts";
import type { ReplayInput } from "../inspector/replay/input.ts";
import { replay, type Replayed } from "../inspector/replay/replay.ts";
import { McpAccess, MCP_PATH } from "../mcp/access.ts";
import { MCP_LIMITS } from "../mcp/limits.ts";
import type { SignInNotice } from "../oauth/notices.ts";
import { EXPOSE } from "./limits.ts";
import { watchService } from "./service-watch.ts";
import { proveAddress, reasonNotTo, type Proof } from "../proving/prove.ts";
import { proveTcp } from "../proving/tcp.ts";
import type { Passage, PassageStats } from "../passage.ts";
import { openTcpPassage } from "../tcp/passage.ts";
import type { CheckedRequest } from "./request.ts";
import { findTarget, type FoundHttp, type FoundTarget, type FoundTcp } from "./found.ts";

/** Why an exposure is over. */
export type ExposureEnd = "stopped" | "stopped-by-person" | "expired" | "address-lost" | "server-ended";

/** How an exposure stands. */
export type ExposureState =
  | { readonly name: "checking" }
  /** A person is asked. */
  | { readonly name: "held"; readonly askId: number }
  | { readonly name: "opening"; readonly progress: TunnelProgress | undefined }
  | {
      readonly name: "running";
      readonly publicUrl: URL;
      readonly proof: Proof;
      /** Why no address leads here at the moment; another one is being opened. */
      readonly lost: TunnelError | undefined;
    }
  | { readonly name: "failed"; readonly error: TunnelError }
  | { readonly name: "over"; readonly why: ExposureEnd; readonly at: number };

export type ExposureEvent =
  | { readonly type: "state"; readonly state: ExposureState; readonly before: ExposureState["name"] }
  | { readonly type: "progress"; readonly progress: TunnelProgress }
  /** Somebody has used a claim link. */
  | { readonly type: "claimed"; readonly claim: string; readonly isFirst: boolean }
  | { readonly type: "service"; readonly isThere: boolean }
  /** The address is another one from now on, or there is none at the moment. */
  | { readonly type: "address"; readonly publicUrl: URL | undefined }
  /** A request is over. */
  | { readonly type: "visit"; readonly exchange: Exchange }
  | { readonly type: "ends-soon"; readonly leftMs: number }
  /** Its end is another one from now on. */
  | { readonly type: "extended" }
  /** A person has decided whether it may be open for longer or for more people. */
  | { readonly type: "widened"; readonly isDone: boolean }
  /** A client asks to be let in, or has been answered. It may hold a code, which is for this user's eyes and for no agent's. */
  | { readonly type: "sign-in"; readonly notice: SignInNotice };

/** Calls of an MCP server may take long, and what is larger than the bridge takes is not carried to it. */
const MCP_GATEWAY = {
  takesLoopbackHost: true,
  limits: { requestBodyBytes: MCP_LIMITS.requestBytes, headMs: MCP_LIMITS.callMs },
} as const;

/** One public address for one local service, from its checks to its end. */
export class Exposure implements Observable<ExposureEvent> {
  readonly id: string;
  readonly request: CheckedRequest;
  readonly startedAt: number;
  readonly access: AccessControl;
  readonly inspector: Inspector;
  /** Resolves when it runs, has failed or is over, or a person is asked. Never rejects. */
  settled: Promise<void>;
  /** Resolves when nothing of it is left running. */
  readonly gone: Promise<void>;
  /** Its starter knows how it has ended. */
  isTold = false;
  /** Calls that wait for it: they bring the outcome themselves. */
  followers = 0;
  readonly #context: ExposeContext;
  readonly #events = new Emitter<ExposureEvent>();
  readonly #abort = new AbortController();
  #state: ExposureState = { name: "checking" };
  #found: FoundTarget | undefined;
  #passage: Passage | undefined;
  /** The passage of HTTP. */
  #gateway: Gateway | undefined;
  #pool: TunnelPool | undefined;
  #endsAt: number;
  #timers: readonly (() => void)[] = [];
  #hasClaimed = false;
  #isServiceThere = true;
  #stopWatching: () => void = () => undefined;
  #publicUrl: URL | undefined;
  #wake: () => void = () => undefined;
  #isGone: () => void = () => undefined;

  /** @param isConsented a person has said yes already, by a command of theirs or in the prompt of their client */
  constructor(context: ExposeContext, request: CheckedRequest, isConsented: boolean) {
    const { clock, primitives } = context;
    this.#context = context;
    this.id = toHex(primitives.random(4));
    this.request = request;
    this.startedAt = clock.now();
    this.#endsAt = this.startedAt + request.minutes * 60_000;
    this.access = this.#accessFor(request);
    this.inspector = new Inspector({
      clock,
      keepsBodies: request.inspect,
      budget: context.bodies,
      redactor: context.redactor,
    });
    this.settled = this.#nextRest();
    this.gone = new Promise((resolve) => (this.#isGone = resolve));
    this.access.onClaimed(({ id }) => {
      const isFirst = !this.#hasClaimed;
      this.#hasClaimed = true;
      this.#events.emit({ type: "claimed", claim: id, isFirst });
    });
    this.inspector.onRequest(({ event, exchange }) => {
      if (event === "ended") this.#events.emit({ type: "visit", exchange });
    });
    void this.#run(isConsented);
  }

  #accessFor(request: CheckedRequest): AccessControl {
    const { clock, primitives, authorize, providers } = this.#context;
    const { kinds, openPaths, claims, name, origins } = request;
    if (request.target.kind !== "mcp") {
      const lastsMs = EXPOSE.maxMinutes * 60_000;
      return new Access({ kinds, openPaths, claims, name, lastsMs, clock, primitives });
    }
    const kind = kinds.includes("open") ? "open" : "bearer";
    const authorization = kind === "bearer" ? authorize?.({ exposureId: this.id, name }) : undefined;
    const { keepsAddress } = providers(request.transport);
    return new McpAccess({ kind, origins, authorization, keepsAddress, clock, primitives });
  }

  subscribe(listener: (event: ExposureEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  get name(): string {
    return this.request.name;
  }

  get state(): ExposureState {
    return this.#state;
  }

  get isOver(): boolean {
    return this.#state.name === "failed" || this.#state.name === "over";
  }

  /** Set as soon as the target has been looked at. */
  get found(): FoundTarget | undefined {
    return this.#found;
  }

  /** The last one, also after its end. */
  get publicUrl(): URL | undefined {
    return this.#publicUrl;
  }

  get ways(): AccessWays {
    return this.access.waysIn();
  }

  /** Takes one person's way in back, and ends what they have open. False where there is no such claim. */
  revoke(claim: string): boolean {
    const isRevoked = this.access.revoke(claim);
    this.#passage?.cut(claim);
    return isRevoked;
  }

  get claims(): readonly ClaimState[] {
    return this.access.claims();
  }

  get stats(): PassageStats | undefined {
    return this.#passage?.stats;
  }

  get port(): number | undefined {
    return this.#passage?.port;
  }

  /** Whether the service took connections when it was last looked at. */
  get isServiceThere(): boolean {
    return this.#isServiceThere;
  }

  /** Milliseconds since the epoch. */
  get endsAt(): number {
    return this.#endsAt;
  }

  /** From now on so many minutes, and warnings anew. */
  extend(minutes: number): void {
    this.#endsAt = this.#context.clock.now() + minutes * 60_000;
    if (this.#state.name !== "running") return;
    this.#schedule();
    this.#events.emit({ type: "extended" });
  }

  /**
   * Sends a recorded request to the service again, and compares what comes.
   * @throws {TunnelError} request-unknown, input-invalid, replay-impossible, replay-failed, expose-over, cancelled
   */
  async replay(input: ReplayInput, signal: AbortSignal): Promise<Replayed> {
    const [found, gateway] = [this.#found, this.#gateway];
    if (found?.protocol === "tcp") throw new TunnelError("request-unknown");
    if (this.#state.name !== "running" || found === undefined || gateway === undefined)
      throw new TunnelError("expose-over");
    const { inspector } = this;
    const { upstream } = found;
    return replay(input, {
      inspector,
      upstream,
      clock: this.#context.clock,
      signal,
      rewrite: (fields, { source }) => gateway.fieldsFor(fields, source?.address ?? upstream.address),
    });
  }

  /** Ends it. Resolves when nothing of it is left running. Idempotent. */
  stop(why: ExposureEnd): Promise<void> {
    if (!this.isOver) this.#over(why);
    return this.gone;
  }

  async #run(isConsented: boolean): Promise<void> {
    const { signal } = this.#abort;
    try {
      const onProgress = (progress: TunnelProgress): void => this.#progress(progress);
      this.#found = await findTarget(this.request, this.#context, { signal, onProgress });
      if (!isConsented) await this.#consent(this.#found);
      signal.throwIfAborted();
      this.#set({ name: "opening", progress: undefined });
      const proof = await (this.#found.protocol === "http"
        ? this.#openHttp(this.#found, signal)
        : this.#openTcp(this.#found, signal));
      signal.throwIfAborted();
      const publicUrl = must(this.#publicUrl, "the public address");
      // The time that a person took to decide is not taken from it.
      this.#endsAt = this.#context.clock.now() + this.request.minutes * 60_000;
      this.#set({ name: "running", publicUrl, proof, lost: undefined });
      this.#schedule();
      const { takesConnections } = this.#found;
      if (takesConnections !== undefined)
        this.#stopWatching = watchService(takesConnections, {
          clock: this.#context.clock,
          onChange: (isThere) => this.#serviceIs(isThere),
        });
    } catch (thrown) {
      if (!this.isOver) this.#set({ name: "failed", error: asTunnelError(thrown) });
      await this.#end(0);
    }
  }

  /** Asks a person. @throws {TunnelError} expose-denied, asks-crowded */
  async #consent({ description, mcp }: FoundTarget): Promise<void> {
    const { overseer } = this.#context;
    const { signal } = this.#abort;
    const gates = overseer.closed(["expose"]);
    const [gate] = gates;
    if (gate === undefined) return;
    const { name, kinds, openPaths, minutes, transport, claims, origins } = this.request;
    await new Promise<void>((resolve, reject) => {
      const ask = overseer.asks.open({
        tunnelId: this.id,
        gates: [gate],
        subject: {
          kind: "exposure",
          name,
          target: description,
          through: transport,
          access: [...kinds, ...openPaths.map(({ text }) => text)],
          minutes,
          claims,
          ...(mcp === undefined ? {} : { tools: mcp.tools, hasMoreTools: mcp.hasMore }),
          ...(origins.length === 0 ? {} : { origins }),
        },
        causer: "own-agent",
        settle: (outcome) => {
          if (outcome.state === "approved") return resolve();
          const detail = outcome.state === "refused" ? outcome.reason : undefined;
          const code = outcome.state === "refused" ? "expose-denied" : "expose-undecided";
          reject(new TunnelError(code, detail === undefined ? {} : { detail }));
        },
      });
      if (ask === undefined) return reject(new TunnelError("asks-crowded"));
      this.#set({ name: "held", askId: ask.id });
      signal.addEventListener("abort", () => overseer.asks.withdraw(ask.id, "agent"));
    });
    this.settled = this.#nextRest();
  }

  /** Opens passage and address, and reaches it from outside. @throws {TunnelError} of the provider, expose-unproved */
  async #openTcp({ tcp }: FoundTcp, signal: AbortSignal): Promise<Proof> {
    const { clock, primitives, providers, prover } = this.#context;
    const provider = providers(this.request.transport);
    const word = toHex(primitives.random(16));
    const passage = await openTcpPassage({
      target: tcp,
      word,
      clock,
      onNews: ({ kind }) => this.#serviceIs(kind === "back"),
    });
    this.#passage = passage;
    const relay: LocalRelay = {
      port: passage.port,
      proof: { path: `/${word}`, answer: word },
      purpose: { kind: "tcp", label: this.request.name, address: "127.0.0.1" },
    };
    const address = await this.#address(provider, relay, signal);
    const why = reasonNotTo({ ...prover, origin: address });
    const proof: Proof =
      why === undefined
        ? { kind: "reached", ms: await proveTcp({ address, word, clock, signal, ...prover }) }
        : { kind: "unchecked", why };
    passage.publish(address);
    return proof;
  }

  /** Opens gateway and address, and visits it from outside. @throws {TunnelError} of the provider, expose-unproved */
  async #openHttp(found: FoundHttp, signal: AbortSignal): Promise<Proof> {
    const { clock, primitives, providers, config, prover } = this.#context;
    const provider = providers(this.request.transport);
    const word = (): string => toHex(primitives.random(16));
    const proof: RelayProof = { path: `/.tunnel/proof/${word()}`, answer: word() };
    const probes = { nonce: word() };
    const isOwnAddress = provider.dialsLoopbackOnly || config.publicUrl === undefined;
    const gateway = await openGateway({
      // Behind a tunnel program nobody but this machine has any business with the port.
      bind: provider.dialsLoopbackOnly ? "127.0.0.1" : config.bind,
      // An address that the user has set up leads to the port of the settings.
      port: isOwnAddress ? 0 : config.port,
      gate: this.access.gate,
      upstream: () => found.upstream,
      ...(found.question === undefined ? {} : { question: found.question }),
      recorder: this.inspector,
      proof,
      probes,
      sourceHeader: provider.sourceHeader,
      hostHeader: this.request.hostHeader,
      ...(found.mcp === undefined ? {} : MCP_GATEWAY),
      pseudonym: `tunnel-${word().slice(0, 12)}`,
      clock,
      onNews: (news) => this.#gatewayNews(news),
    });
    this.#gateway = gateway;
    this.#passage = gateway;
    const { name: label, subdomain } = this.request;
    const relay: LocalRelay = { port: gateway.port, proof, purpose: { kind: "http", label, subdomain } };
    const onProgress = (progress: TunnelProgress): void => this.#progress(progress);
    const origin = await this.#address(provider, relay, signal);
    gateway.publish(origin);
    try {
      return await proveAddress({ origin, proof, probes, clock, signal, onProgress, ...prover });
    } finally {
      gateway.endProbes();
    }
  }

  /** The public address for a passage. @throws {TunnelError} of the provider, cancelled */
  async #address(provider: Provider, relay: LocalRelay, signal: AbortSignal): Promise<URL> {
    const onProgress = (progress: TunnelProgress): void => this.#progress(progress);
    const tunnel = await provider.open({ ...relay, signal, onProgress });
    if (signal.aborted) {
      await tunnel.stop();
      throw new TunnelError("cancelled");
    }
    this.#pool = this.#keep(tunnel, provider, relay);
    const address = this.#moved(tunnel.url);
    onProgress({ message: "visiting the address from outside" });
    return address;
  }

  /** Replaces an address that dies. */
  #keep(active: Tunnel, provider: Provider, relay: LocalRelay): TunnelPool {
    const { clock, primitives } = this.#context;
    return new TunnelPool({
      active,
      provider,
      relay,
      clock,
      standby: false,
      limit: 1,
      absent: () => [],
      random: () => must(primitives.random(1)[0], "a random byte") / 256,
      onEvent: (event) => this.#poolNews(event),
    });
  }

  /** The address is this one from now on. */
  #moved(url: string): URL {
    const origin = new URL(url.replace(/^ws/, "http"));
    this.#publicUrl = this.request.target.kind === "mcp" ? new URL(MCP_PATH, origin) : origin;
    this.access.publish(origin);
    return origin;
  }

  #poolNews(event: PoolEvent): void {
    const state = this.#state;
    if (state.name !== "running") return;
    switch (event.type) {
      case "addresses": {
        const [url] = event.urls;
        if (url === undefined) return;
        this.#passage?.publish(this.#moved(url));
        const publicUrl = must(this.#publicUrl, "the public address");
        this.#set({ ...state, publicUrl, lost: undefined });
        return this.#events.emit({ type: "address", publicUrl });
      }
      case "lost":
      case "failed":
        if (state.lost === undefined) this.#events.emit({ type: "address", publicUrl: undefined });
        return this.#set({ ...state, lost: event.error });
      case "reach":
        return;
    }
  }

  #gatewayNews(news: GatewayNews): void {
    if (news.kind !== "request") this.#serviceIs(news.kind === "back");
  }

  /** Told once for each change, whoever notices it first: a visitor or a look of ours. */
  #serviceIs(isThere: boolean): void {
    if (this.#isServiceThere === isThere || this.#state.name !== "running") return;
    this.#isServiceThere = isThere;
    this.#events.emit({ type: "service", isThere });
  }

  #progress(progress: TunnelProgress): void {
    if (this.#state.name === "opening") this.#state = { name: "opening", progress };
    this.#events.emit({ type: "progress", progress });
  }

  #schedule(): void {
    for (const cancel of this.#timers) cancel();
    const { clock } = this.#context;
    const leftMs = this.#endsAt - clock.now();
    const warnings = EXPOSE.warnings.filter((before) => before < leftMs);
    this.#timers = [
      clock.after(leftMs, () => this.#over("expired")),
      ...warnings.map((before) =>
        clock.after(leftMs - before, () => this.#events.emit({ type: "ends-soon", leftMs: before })),
      ),
    ];
  }

  #over(why: ExposureEnd): void {
    const wasRunning = this.#state.name === "running";
    this.#set({ name: "over", why, at: this.#context.clock.now() });
    this.#abort.abort();
    if (wasRunning) void this.#end(why === "expired" ? EXPOSE.goneMs : 0);
  }

  /** @param goneMs for so long visitors are told that it is over */
  async #end(goneMs: number): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#stopWatching();
    this.#passage?.expire();
    this.access.end();
    if (goneMs > 0) await new Promise<void>((resolve) => void this.#context.clock.after(goneMs, resolve));
    await Promise.allSettled([this.#pool?.stop(), this.#passage?.close(), this.#found?.close()]);
    this.#isGone();
  }

  #set(state: ExposureState): void {
    const before = this.#state.name;
    this.#state = state;
    this.#events.emit({ type: "state", state, before });
    if (state.name !== "checking" && state.name !== "opening") this.#wake();
  }

  #nextRest(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
