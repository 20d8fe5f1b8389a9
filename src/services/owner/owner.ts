import { equalBytes } from "../../protocol/base/bytes.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { OFFER_ID_BYTES, type MemberId } from "../../protocol/base/ids.ts";
import { SERVICE } from "../../protocol/base/limits.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { StreamEnd, StreamListener, StreamNews, StreamService } from "../../protocol/link/service.ts";
import type { StreamReset } from "../../protocol/link/stream-frames.ts";
import { encodeServiceOffer, encodeWithdrawal, type ServiceOffer } from "../../protocol/services/offer.ts";
import {
  decodePortRequest,
  PORT_SALT_BYTES,
  PORT_SERVICE,
  type PortReset,
  type UnprovedRequest,
} from "../../protocol/services/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ServiceJudgement } from "../../session/saying/judging.ts";
import type { Answer } from "../../session/saying/sent.ts";
import type { ServiceId } from "../../session/service-offers.ts";
import { StreamSocket } from "../connection/stream-socket.ts";
import type { SendTurns } from "../connection/turns.ts";
import type { WindowPool } from "../connection/window.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { ConnectionNews, ServicesNews } from "../news.ts";
import type { ServiceTunnel, VisitOverseer } from "../port.ts";
import type { Handler, Ready } from "./handler.ts";
import { OwnOffer, type OfferEnd } from "./own-offer.ts";
import { Visits } from "./visits.ts";

/** A service that is to be offered, whose target was found and judged. */
export interface NewOffer {
  readonly facts: Omit<ServiceOffer, "id" | "key" | "port">;
  /** Everybody when undefined. */
  readonly to: readonly MemberId[] | undefined;
  readonly author?: "human" | undefined;
  readonly handler: Handler;
}

export interface OwnerOptions {
  readonly tunnel: ServiceTunnel;
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly overseer: VisitOverseer;
  readonly pool: WindowPool;
  readonly onNews: (news: ServicesNews) => void;
  readonly turns: SendTurns;
}

/** The services that this side offers in one tunnel, and the connections of others to them (PROTOCOL §9.1). */
export class Owner implements StreamService {
  readonly name = PORT_SERVICE;
  readonly #options: OwnerOptions;
  readonly #visits: Visits;
  readonly #offers: OwnOffer[] = [];
  /** Offers that wait for a person, with what was asked for and the answer that the agent was given. */
  readonly #held = new Map<OwnOffer, { readonly asked: string; readonly sent: Answer }>();
  readonly #timers = new Map<OwnOffer, () => void>();

  constructor(options: OwnerOptions) {
    this.#options = options;
    this.#visits = new Visits(options.clock, options.overseer, options.tunnel);
  }

  /** Those that are not over, and the last that were. */
  get offers(): readonly OwnOffer[] {
    return this.#offers;
  }

  find(serviceId: ServiceId): OwnOffer | undefined {
    return this.#offers.find((one) => one.serviceId === serviceId);
  }

  /**
   * Offers a service, as soon as this side's person lets it. @throws {TunnelError} service-limit, and all of saying
   */
  async offer({ facts, to, author, handler }: NewOffer): Promise<{ own: OwnOffer; sent: Answer }> {
    const { primitives, tunnel } = this.#options;
    // An agent that repeats itself does not make its person decide twice.
    const asked = JSON.stringify([facts, to?.toSorted(), handler.target, handler.tools]);
    for (const [own, held] of this.#held)
      if (author === undefined && held.asked === asked) {
        await handler.close();
        return { own, sent: held.sent };
      }
    const running = this.#offers.filter(({ state }) => state.name !== "over");
    if (running.length >= SERVICES_LIMITS.maxOffers) throw new TunnelError("service-limit");
    const { port } = handler;
    const offer: ServiceOffer = {
      id: primitives.random(OFFER_ID_BYTES),
      key: primitives.random(32),
      ...facts,
      most: facts.most ?? SERVICE.defaultConnections,
      ...(port === undefined ? {} : { port }),
    };
    const own = new OwnOffer({ offer, to, handler });
    this.#keep(own);
    try {
      const sent = await tunnel.say(
        {
          text: encodeServiceOffer(offer),
          what: "file",
          ...(to === undefined ? {} : { to }),
          ...(author === undefined ? {} : { author }),
        },
        {
          service: {
            judgement: judgementOf(offer, handler),
            leaves: () => this.#leaves(own),
            dropped: () => void this.#end(own, "not-offered"),
          },
        },
      );
      if (own.state.name === "held") this.#held.set(own, { asked, sent });
      return { own, sent };
    } catch (error) {
      await this.#end(own, "not-offered");
      throw error;
    }
  }

  /** Ends an offer of this side: its connections at once, and others are told. */
  async withdraw(own: OwnOffer): Promise<void> {
    const wasOffered = own.isOffered;
    await this.#end(own, "withdrawn");
    const { tunnel } = this.#options;
    if (!wasOffered || tunnel.end !== undefined) return;
    const there = own.to?.filter((id) => tunnel.streamPort.isMember(id));
    if (there?.length === 0) return tunnel.keptServices?.over(own.serviceId);
    // A member that cannot be told finds out with the next connection.
    await tunnel
      .say(
        { text: encodeWithdrawal(own.offer.id), what: "file", ...(there === undefined ? {} : { to: there }) },
        {},
      )
      .catch(() => undefined);
  }

  /** The tunnel is over. */
  async end(): Promise<void> {
    await Promise.all(this.#offers.map((own) => this.#end(own, "tunnel-over")));
  }

  // --- those who connect ---

  opened(stream: StreamEnd, request: Uint8Array): StreamListener {
    const asked = decodePortRequest(request);
    const own = asked && this.#offers.find(({ offer }) => equalBytes(offer.id, asked.service));
    if (asked === undefined || own === undefined)
      return refused(stream, asked === undefined ? "refused" : "unknown");
    const { primitives, tunnel } = this.#options;
    const ends = { taker: stream.who, owner: tunnel.self };
    // A member to whom it was not offered learns no more than one that asks for what does not exist.
    if (!own.isFor(stream.who) || !asked.isBy(primitives, own.offer, ends) || own.state.name === "held")
      return refused(stream, "unknown");
    if (own.state.name === "over") return refused(stream, "gone");
    if (!own.isNew(asked.salt)) return refused(stream, "refused");
    if (asked.ask === "connect" && !own.hasRoom) return refused(stream, "busy");
    const socket = this.#socket(own, stream.who);
    socket.attach(stream);
    void this.#serve(own, asked, stream, socket);
    return (news: StreamNews) => {
      // A knock is over with the answer.
      if (asked.ask === "connect") socket.heard(news);
    };
  }

  #socket(own: OwnOffer, who: MemberId): StreamSocket {
    const { primitives, clock, pool, turns, tunnel, onNews } = this.#options;
    const { serviceId } = own;
    const { name } = own.offer;
    const counts = { bytesIn: 0, bytesOut: 0 };
    const socket = new StreamSocket({
      side: "owner",
      primitives,
      clock,
      pool,
      turns,
      writable: () => tunnel.streamPort.writable(),
      onBytes: (direction, count) => {
        const counted = direction === "in" ? "bytesIn" : "bytesOut";
        own.stats[counted] += count;
        counts[counted] += count;
      },
    });
    const tell = (change: ConnectionNews["change"]): void =>
      onNews({ type: "connection", change, side: "offered", serviceId, name, member: who, ...counts });
    socket.on("error", () => undefined);
    socket.once("connect", () => {
      tell("opened");
      socket.once("close", () => tell("closed"));
    });
    return socket;
  }

  /** Never rejects: whatever goes wrong is told to who asked. */
  async #serve(
    own: OwnOffer,
    asked: UnprovedRequest,
    stream: StreamEnd,
    socket: StreamSocket,
  ): Promise<void> {
    const isKnock = asked.ask === "knock";
    own.pending += 1;
    let ready: Ready | undefined;
    try {
      const verdict = await this.#visits.judge(own, stream.who, isKnock);
      if (verdict !== "yes") return socket.resetWith(verdict);
      if (!isKnock) ready = await own.handler.connect({ who: stream.who, origin: asked.origin });
    } catch (thrown) {
      return socket.resetWith(CODE_OF.get(asTunnelError(thrown).code) ?? "silent");
    } finally {
      own.pending -= 1;
    }
    if (!own.isOffered || stream.isOver || socket.destroyed) {
      ready?.drop();
      return socket.resetWith("gone");
    }
    if (ready === undefined) {
      stream.accept(new Uint8Array(0));
      return stream.end();
    }
    this.#begin(own, asked, stream, socket);
    ready.take(socket);
  }

  #begin(own: OwnOffer, { salt }: UnprovedRequest, stream: StreamEnd, socket: StreamSocket): void {
    const { primitives, clock } = this.#options;
    const response = primitives.random(PORT_SALT_BYTES);
    own.connections.set(socket, stream.who);
    own.stats.connections += 1;
    socket.once("close", () => own.connections.delete(socket));
    socket.begin({ offer: own.offer, salts: [salt, response] });
    stream.accept(response, socket.window.begin(clock.now()));
  }

  // --- the life of an offer ---

  #keep(own: OwnOffer): void {
    const over = this.#offers.filter(({ state }) => state.name === "over");
    for (const old of over.slice(0, Math.max(0, over.length - SERVICES_LIMITS.maxOffers + 1)))
      this.#offers.splice(this.#offers.indexOf(old), 1);
    this.#offers.push(own);
    const { onNews } = this.#options;
    onNews({ type: "changed" });
    const { serviceId, handler } = own;
    handler.calls?.subscribe((call) => onNews({ type: "call", serviceId, name: own.offer.name, call }));
  }

  #leaves(own: OwnOffer): void {
    const { clock } = this.#options;
    const { lifeMs } = own.offer;
    this.#held.delete(own);
    own.state = { name: "offered", endsAt: lifeMs === undefined ? undefined : clock.now() + lifeMs };
    const { endsAt: until } = own.state;
    const { serviceId, to } = own;
    const kept = { side: "offered", serviceId, name: own.offer.name, until } as const;
    this.#options.tunnel.keptServices?.begins({ ...kept, ...(to === undefined ? {} : { to: [...to] }) });
    this.#options.onNews({ type: "changed" });
    if (lifeMs !== undefined)
      this.#timers.set(
        own,
        clock.after(lifeMs, () => void this.#end(own, "expired")),
      );
  }

  async #end(own: OwnOffer, why: OfferEnd): Promise<void> {
    this.#timers.get(own)?.();
    this.#timers.delete(own);
    this.#held.delete(own);
    this.#visits.end(own);
    const wasOver = own.state.name === "over";
    const ended = own.end(why);
    if (!wasOver) this.#options.onNews({ type: "changed" });
    if (!wasOver && why === "expired") this.#options.tunnel.keptServices?.over(own.serviceId);
    await ended;
  }
}

const CODE_OF: ReadonlyMap<string, PortReset> = new Map([["service-invalid", "refused"]]);

function refused(stream: StreamEnd, code: PortReset | StreamReset): StreamListener {
  stream.reset(code);
  return () => undefined;
}

/** The offer as this side's person is shown it. */
function judgementOf(offer: ServiceOffer, { target, tools }: Handler): ServiceJudgement {
  const { name, service, lifeMs, readOnly, most, confirms, note } = offer;
  return {
    name,
    service,
    target,
    maxConnections: most ?? SERVICE.defaultConnections,
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(tools === undefined ? {} : { tools }),
    ...(confirms === undefined ? {} : { confirmEach: confirms }),
    ...(lifeMs === undefined ? {} : { minutes: Math.ceil(lifeMs / 60_000) }),
    ...(note === undefined ? {} : { note }),
  };
}
