import type { Agent, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { fieldLines } from "../../expose/gateway/outgoing/field-lines.ts";
import { lastWord, lingerOver } from "../../expose/gateway/lingering.ts";
import { OWN, ownAnswerBytes, sendOwnAnswer } from "../../expose/gateway/rules/own-answers.ts";
import { hasPassed } from "../../expose/gateway/rules/request-fields.ts";
import { checkRequest, type Checked } from "../../expose/gateway/rules/request-rules.ts";
import type { OwnAnswer } from "../../expose/message.ts";
import type { RelayContext } from "../context.ts";
import type { VisitEnd } from "../events.ts";
import type { ServiceDoor } from "../front/front.ts";
import type { Arrivals, Found } from "../hosts/arrivals.ts";
import type { Fetches } from "../hosts/fetches.ts";
import type { Host } from "../hosts/host.ts";
import { splice } from "../../uplink/line/splice.ts";
import { passOn } from "../traffic/pass-on.ts";
import { ANSWERS } from "./answers.ts";
import { fieldsForHost } from "./fields.ts";
import { Forward, type ForwardOptions } from "./forward.ts";
import { interstitial } from "./interstitial.ts";
import { NodePools } from "./node-pool.ts";
import { HostPool } from "./pool.ts";

type Good = Extract<Checked, { kind: "good" }>;

/** A request that keeps to the rules. */
interface Asked {
  readonly visit: Visit;
  readonly response: ServerResponse;
  readonly good: Good;
  readonly expectsContinue: boolean;
}

/** The way on for a request; `host` where it is at this node. */
type Way = Pick<ForwardOptions, "pool" | "limits" | "throttle" | "onEnd"> & {
  readonly host: Host | undefined;
};

/** One visitor's business with a service. */
interface Visit {
  readonly name: string;
  readonly request: IncomingMessage;
  readonly source: string;
  readonly since: number;
}

const LINGER_MS = 5_000;
/** The other node holds a visitor for a while, and answers first. */
const NODE_MS = 10_000;

/** HTTP services at NAME.DOMAIN: each request goes to the host of its own name, whatever connection it has come by. */
export class Services implements ServiceDoor {
  readonly #context: RelayContext;
  readonly #arrivals: Arrivals;
  readonly #fetches: Fetches;
  readonly #pseudonym: string;
  readonly #pools = new WeakMap<Host, HostPool>();
  readonly #nodePools: NodePools | undefined;
  readonly #open = new Set<() => void>();

  constructor(context: RelayContext, arrivals: Arrivals, fetches: Fetches) {
    this.#fetches = fetches;
    this.#context = context;
    this.#arrivals = arrivals;
    this.#pseudonym = `relay-${context.node}`;
    const { elsewhere, claims } = context;
    this.#nodePools = elsewhere === undefined ? undefined : new NodePools(elsewhere, claims);
  }

  /** Requests and sockets under way. */
  get size(): number {
    return this.#open.size;
  }

  close(): void {
    for (const cut of this.#open) cut();
    this.#nodePools?.close();
  }

  request(
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
    source: string,
    expectsContinue: boolean,
  ): void {
    const visit = { name, request, source, since: this.#context.clock.now() };
    const refuse = (answer: OwnAnswer, end: VisitEnd, closes = false): void => {
      this.#told(visit, answer.status, end);
      lingerOver(request, this.#context.clock, LINGER_MS);
      sendOwnAnswer(response, answer, closes || expectsContinue || !request.complete);
    };
    const checked = checkRequest(request);
    if (checked.kind === "refused") return refuse(checked.answer, "refused", checked.closes);
    if (hasPassed(request.rawHeaders, this.#pseudonym)) return refuse(ANSWERS.loop, "refused");
    const asked = { visit, response, good: checked, expectsContinue };
    const pool = this.#openPool(name);
    if (pool !== undefined) return this.#toNode(asked, pool);
    const left = new AbortController();
    response.once("close", () => left.abort());
    this.#find(visit, left.signal, (found) => {
      if (left.signal.aborted)
        return found.kind === "elsewhere" ? void found.connection.destroy() : undefined;
      if (found.kind === "elsewhere") {
        const pool = this.#nodePools?.with(found.claim, found.connection);
        if (pool !== undefined) this.#toNode(asked, pool);
        return;
      }
      if (found.kind !== "host") return refuse(...answerFor(found));
      const { host } = found;
      const { warnsBrowsers, contact } = this.#context;
      const about = { authority: checked.authority, contact };
      const page = warnsBrowsers ? interstitial(request, checked.target, about) : undefined;
      if (page !== undefined) return refuse(page, "refused");
      const limit = this.#limitsOf(host).requestBytes;
      if (checked.body.kind === "length" && limit > 0 && checked.body.bytes > limit)
        return refuse(ANSWERS.bodyTooLong, "limit");
      const free = host.visits.take("", host.maxInFlight);
      if (free === undefined) return refuse(ANSWERS.busy, "too-many");
      this.#forward(asked, host, free);
    });
  }

  upgrade(name: string, request: IncomingMessage, socket: Socket, head: Buffer, source: string): void {
    const visit = { name, request, source, since: this.#context.clock.now() };
    const refuse = (answer: OwnAnswer, end: VisitEnd): void => {
      this.#told(visit, answer.status, end);
      lastWord(socket, ownAnswerBytes(answer), this.#context.clock, LINGER_MS);
    };
    const checked = checkRequest(request);
    if (checked.kind === "refused") return refuse(checked.answer, "refused");
    if (hasPassed(request.rawHeaders, this.#pseudonym)) return refuse(ANSWERS.loop, "refused");
    const isWebSocket =
      request.method === "GET" && /(?:^|,)\s*websocket\s*(?:,|$)/i.test(request.headers.upgrade ?? "");
    // A handshake has no body (RFC 6455 §4.1): what follows would be read in two ways.
    if (isWebSocket && checked.body.kind !== "none") return refuse(OWN.badFraming, "refused");
    const left = new AbortController();
    const leave = (): void => left.abort();
    socket.pause();
    socket.once("close", leave);
    this.#find(visit, left.signal, (found) => {
      socket.off("close", leave);
      if (left.signal.aborted) {
        if (found.kind === "elsewhere") found.connection.destroy();
        return void socket.destroy();
      }
      if (found.kind === "elsewhere")
        return passOn(found.connection, { request, socket, head, source }, this.#context.clock, this.#open);
      if (found.kind !== "host") return refuse(...answerFor(found));
      const { host } = found;
      const free = host.visits.take("", host.maxInFlight);
      if (free === undefined) return refuse(ANSWERS.busy, "too-many");
      const stream = host.openStream();
      if (stream === undefined) {
        free();
        return refuse(ANSWERS.lost, "no-host");
      }
      const fields = fieldsForHost(request.rawHeaders, {
        ...this.#about(visit),
        body: checked.body,
        expectsContinue: false,
        upgrades: isWebSocket,
        // Another protocol than WebSocket is none of ours; what is asked for is answered as plain HTTP, and no more.
        closes: !isWebSocket,
      });
      stream.write(
        `${request.method ?? "GET"} ${checked.target} HTTP/1.1\r\n${fieldLines(fields)}\r\n`,
        "latin1",
      );
      if (head.length > 0) stream.write(head);
      stream.once("response", ({ ":status": status }) => {
        if (status !== 200) stream.destroy();
      });
      const cut = splice(socket, stream, {
        clock: this.#context.clock,
        throttle: host.throttle,
        onEnd: ({ bytesIn, bytesOut, isWhole }) => {
          free();
          gone();
          this.#open.delete(cut);
          host.count(bytesIn, bytesOut);
          const { events, clock } = this.#context;
          const end = isWhole ? "done" : "cut";
          const lastedMs = clock.now() - visit.since;
          events.emit({ type: "connection", kind: "http", name, end, bytesIn, bytesOut, lastedMs, source });
        },
      });
      this.#open.add(cut);
      const gone = host.carry(cut);
    });
  }

  /** At once where the host is here, which spares the promise. */
  #find({ name, source }: Visit, signal: AbortSignal, then: (found: Found) => void): void {
    const claim = { kind: "http", name } as const;
    const host = this.#arrivals.now(claim);
    if (host !== undefined) return then({ kind: "host", host });
    this.#arrivals.find(claim, source, signal).then(then, () => then({ kind: "away" }));
  }

  #forward(asked: Asked, host: Host, free: () => void): void {
    const { visit } = asked;
    this.#send(asked, {
      host,
      pool: this.#poolOf(host),
      limits: this.#limitsOf(host),
      throttle: host.throttle,
      onEnd: ({ end, status, bytesIn, bytesOut }) => {
        free();
        host.count(bytesIn, bytesOut);
        this.#told(visit, status, end, bytesIn, bytesOut);
      },
    });
  }

  /** Connections to the node of this service, where it is known and where there are some. */
  #openPool(name: string): Agent | undefined {
    const claim = { kind: "http", name } as const;
    if (this.#nodePools === undefined || this.#arrivals.now(claim) !== undefined) return undefined;
    const found = this.#context.claims.findNow(claim);
    return found === undefined ? undefined : this.#nodePools.get(found);
  }

  /** The node at which the host is knows its rules, counts the request and tells of it. */
  #toNode(asked: Asked, pool: Agent): void {
    const { responseMs, idleMs } = this.#context.limits;
    const limits = { requestBytes: 0, responseBytes: 0, responseMs: responseMs + NODE_MS, idleMs };
    this.#send(asked, { host: undefined, pool, limits, throttle: undefined, onEnd: () => undefined });
  }

  /** Sends a request on, to its host or to the node of its host, and can cut it until its end. */
  #send({ visit, response, good, expectsContinue }: Asked, { host, onEnd, ...way }: Way): void {
    const { target, body } = good;
    const { request } = visit;
    const fields = fieldsForHost(request.rawHeaders, {
      ...this.#about(visit),
      body,
      expectsContinue: expectsContinue && body.kind !== "none",
      upgrades: false,
      closes: false,
    });
    let forward: Forward | undefined;
    const cut = (): void => forward?.stop();
    this.#open.add(cut);
    const gone = host?.carry(cut);
    forward = new Forward({
      request,
      response,
      target,
      fields,
      body,
      clock: this.#context.clock,
      ...way,
      onEnd: (ended) => {
        gone?.();
        this.#open.delete(cut);
        onEnd(ended);
      },
    });
  }

  #about({ request, source }: Visit): { source: string; httpVersion: string; pseudonym: string } {
    return { source, httpVersion: request.httpVersion, pseudonym: this.#pseudonym };
  }

  #limitsOf({ grant }: Host): {
    requestBytes: number;
    responseBytes: number;
    responseMs: number;
    idleMs: number;
  } {
    const { requestBytes, responseBytes, responseMs, idleMs } = this.#context.limits;
    const own = grant.limits;
    return {
      requestBytes: own.requestBytes ?? requestBytes,
      responseBytes: own.responseBytes ?? responseBytes,
      responseMs,
      idleMs,
    };
  }

  #poolOf(host: Host): HostPool {
    const pool = this.#pools.get(host) ?? new HostPool(host, this.#fetches, this.#context.clock);
    this.#pools.set(host, pool);
    return pool;
  }

  #told(
    { name, request, source, since }: Visit,
    status: number,
    end: VisitEnd,
    bytesIn = 0,
    bytesOut = 0,
  ): void {
    const { events, clock } = this.#context;
    const { method = "", url = "" } = request;
    const path = url.replace(/[?#].*$/s, "");
    const lastedMs = clock.now() - since;
    events.emit({ type: "request", name, method, path, status, end, bytesIn, bytesOut, lastedMs, source });
  }
}

function answerFor({ kind }: Exclude<Found, { kind: "host" | "elsewhere" }>): [OwnAnswer, VisitEnd] {
  if (kind === "unknown") return [ANSWERS.unknown, "unknown"];
  return kind === "away" ? [ANSWERS.away, "no-host"] : [ANSWERS.busy, "too-many"];
}
