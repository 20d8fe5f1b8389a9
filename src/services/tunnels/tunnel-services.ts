import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Survey } from "../../bridge/survey.ts";
import type { FindOptions } from "../../expose/target/find.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { SERVICE } from "../../protocol/base/limits.ts";
import { peersAmong } from "../../protocol/room/peers.ts";
import { membersNamed } from "../../protocol/room/recipients.ts";
import { checkNote } from "../../protocol/files/note.ts";
import { type ServiceKind } from "../../protocol/services/kinds.ts";
import { isServiceName } from "../../protocol/services/offer.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { TextScanner } from "../../session/saying/judging.ts";
import type { Answer } from "../../session/saying/sent.ts";
import type { ServiceId } from "../../session/service-offers.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import { SendTurns } from "../connection/turns.ts";
import { WindowPool } from "../connection/window.ts";
import type { Handler } from "../owner/handler.ts";
import { httpHandler } from "../owner/http.ts";
import type { StdioMeans } from "../../bridge/stdio/stdio-servers.ts";
import { mcpHandler } from "../owner/mcp.ts";
import type { ServicesNews } from "../news.ts";
import { Owner } from "../owner/owner.ts";
import type { OwnOffer } from "../owner/own-offer.ts";
import { asServiceError, serviceTarget } from "../owner/target.ts";
import { tcpHandler } from "../owner/tcp.ts";
import type { ServiceTunnel, VisitOverseer } from "../port.ts";
import { surveyOf } from "../taker/survey.ts";
import { Taker, type Connected, type Taken } from "../taker/taker.ts";

/** An offer as it is asked for. */
export interface OfferRequest {
  readonly target: string | number;
  readonly kind: ServiceKind;
  readonly name?: string | undefined;
  readonly readOnly?: boolean | undefined;
  /** Patterns of the tools of an MCP server that may be called; all of them when undefined. */
  readonly tools?: readonly string[] | undefined;
  readonly note?: string | undefined;
  /** Names or ids; everybody when undefined. */
  readonly to?: readonly string[] | undefined;
  readonly expiresInMinutes?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly confirmEach?: boolean | undefined;
  readonly author?: "human" | undefined;
}

/** The means of the services of all tunnels. */
export interface ServicesContext {
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly overseer: VisitOverseer;
  /** How targets are judged; `allow` is what a human has listed for members of a tunnel. */
  readonly find: Omit<FindOptions, "clock" | "signal" | "hostHeader" | "onProgress">;
  /** The outbound filter, for what an MCP server answers. */
  readonly scanner: TextScanner;
  readonly stdio: StdioMeans;
  /** Whether other users of this machine could use a TCP listener, and nobody has said that they may. */
  readonly isShared: () => Promise<boolean>;
  /** Listeners of this process, in all tunnels. */
  readonly count: () => number;
  readonly onNews: (news: ServicesNews) => void;
}

/** The services of one tunnel: those that this side offers, and those of others that it uses. */
export class TunnelServices {
  readonly tunnel: ServiceTunnel;
  readonly owner: Owner;
  readonly taker: Taker;
  readonly #context: ServicesContext;
  readonly #unsubscribe: () => void;
  #ending: Promise<void> | undefined;

  constructor(tunnel: ServiceTunnel, context: ServicesContext) {
    const { clock, primitives, overseer, isShared, count, onNews } = context;
    const pool = new WindowPool();
    const turns = new SendTurns(clock);
    this.tunnel = tunnel;
    this.#context = context;
    this.owner = new Owner({ tunnel, clock, primitives, overseer, pool, turns, onNews });
    this.taker = new Taker({
      tunnel,
      clock,
      primitives,
      pool,
      turns,
      isShared,
      count,
      onNews,
      onEnd: ({ heard }, why) => {
        onNews({ type: "changed" });
        // An act of this side's own agent, or the end of the tunnel, is no news.
        if (why === "stopped" || why === "tunnel-over") return;
        const { serviceId, entry } = heard;
        tunnel.inbox.notify({ notice: "service-over", serviceId, name: entry.offer.name, why });
      },
    });
    tunnel.services.add(this.owner);
    tunnel.shareCredit(() => pool.outstanding);
    this.#unsubscribe = tunnel.subscribe(({ type }) => {
      if (type === "presence") this.taker.rosterChanged();
      if (type === "ended") void this.end();
    });
  }

  /**
   * Finds the service, and offers it as soon as this side's person lets it.
   * @throws {TunnelError} service-*, mcp-*, expose-target-*, member-unknown, nobody-joined, note-invalid, cancelled, and all of saying
   */
  async offer(request: OfferRequest, signal: AbortSignal): Promise<{ own: OwnOffer; sent: Answer }> {
    const { kind, readOnly = false, confirmEach = false, expiresInMinutes, maxConnections } = request;
    const present = this.tunnel.presence();
    if (peersAmong(present).length === 0) throw new TunnelError("nobody-joined");
    const to = request.to === undefined ? undefined : membersNamed(present, request.to);
    if (readOnly && kind !== "http")
      throw new TunnelError("service-invalid", { detail: "readOnly goes with http" });
    const name = request.name ?? `${kind} ${String(request.target)}`;
    if (!isServiceName(name)) throw new TunnelError("service-invalid", { detail: "the name is none" });
    const note = request.note === undefined ? {} : { note: checkNote(request.note) };
    const handler = await this.#handler(request, { name, isForSome: to !== undefined, signal });
    try {
      return await this.owner.offer({
        to,
        handler,
        author: request.author,
        facts: {
          service: kind,
          name,
          ...note,
          ...(readOnly ? { readOnly } : {}),
          ...(confirmEach ? { confirms: confirmEach } : {}),
          lifeMs: Math.min(SERVICE.maxLifeMs, (expiresInMinutes ?? Number.POSITIVE_INFINITY) * 60_000),
          most: Math.min(SERVICE.maxConnections, maxConnections ?? SERVICE.defaultConnections),
        },
      });
    } catch (error) {
      await handler.close();
      throw error;
    }
  }

  /** @throws {TunnelError} service-own, and as {@link Taker.connect} */
  connect(
    serviceId: ServiceId,
    about: { readonly port: number | undefined; readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Connected> {
    if (this.owner.find(serviceId) !== undefined) throw new TunnelError("service-own");
    return this.taker.connect(serviceId, about);
  }

  /**
   * An MCP server of a peer in its own words. @throws {TunnelError} mcp-server-unfit, cancelled
   */
  survey({ listening }: Taken, signal: AbortSignal): Promise<Survey> {
    return surveyOf(listening, this.#context.clock, signal);
  }

  /**
   * Ends a listener, or withdraws an offer of this side. @returns which
   * @throws {TunnelError} service-unknown
   */
  async stop(serviceId: ServiceId): Promise<"listener" | "offer"> {
    const own = this.owner.find(serviceId);
    if (own !== undefined) {
      await this.owner.withdraw(own);
      return "offer";
    }
    if (await this.taker.stop(serviceId)) return "listener";
    throw new TunnelError("service-unknown");
  }

  /** Nothing is offered or connected any more. Idempotent. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.owner.end(), this.taker.end()]);
  }

  /** @throws {TunnelError} service-*, mcp-*, expose-target-* */
  async #handler(
    { target: typed, kind, readOnly = false, tools }: OfferRequest,
    about: { readonly name: string; readonly isForSome: boolean; readonly signal: AbortSignal },
  ): Promise<Handler> {
    const { find, clock, primitives, scanner, stdio, overseer } = this.#context;
    const { name, isForSome, signal } = about;
    try {
      if (kind === "mcp")
        return await mcpHandler(typed, {
          clock,
          primitives,
          find: { ...find, clock, signal },
          stdio,
          tools,
          isForSome,
          scanner,
          overseer,
          tunnel: this.tunnel,
          name,
        });
      if (tools !== undefined) throw new TunnelError("service-invalid", { detail: "tools goes with mcp" });
      const target = serviceTarget(typed, { isForSome });
      if (kind === "tcp") return await tcpHandler(target, { ...find, clock });
      return await httpHandler(target, { ...find, clock, signal, primitives, isReadOnly: readOnly });
    } catch (thrown) {
      throw asServiceError(asTunnelError(thrown));
    }
  }
}
