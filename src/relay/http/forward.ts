import {
  request as requestOver,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { fieldLines } from "../../expose/gateway/outgoing/field-lines.ts";
import { lingerOver } from "../../expose/gateway/lingering.ts";
import { Patience } from "../../expose/gateway/patience.ts";
import { trailersToPass } from "../../expose/gateway/rules/hop-by-hop.ts";
import { sendOwnAnswer } from "../../expose/gateway/rules/own-answers.ts";
import { wantsTrailers } from "../../expose/gateway/rules/request-fields.ts";
import type { IncomingBody } from "../../expose/gateway/rules/request-rules.ts";
import type { OwnAnswer, RawFields } from "../../expose/message.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Throttle } from "../../uplink/line/splice.ts";
import type { VisitEnd } from "../events.ts";
import { ANSWERS } from "./answers.ts";
import { fieldsForVisitor } from "./fields.ts";

interface ForwardLimits {
  /** Of one body; 0 is no limit. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly responseMs: number;
  readonly idleMs: number;
}

export interface ForwardOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: IncomingBody;
  /** Connections to the host, or to its node. */
  readonly pool: Agent;
  readonly clock: Clock;
  readonly limits: ForwardLimits;
  readonly throttle: Throttle | undefined;
  readonly onEnd: (end: ForwardEnd) => void;
}

interface ForwardEnd {
  readonly end: VisitEnd;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const LINGER_MS = 5_000;
const NOTHING = Buffer.alloc(0);
/** A request that may be sent twice, where a kept connection turns out to be gone (RFC 9110 §9.2.2). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Carries one request to its host and the response back, as both come: nothing is gathered, and a cut is never an end. */
export class Forward {
  readonly #options: ForwardOptions;
  readonly #patience: Patience;
  readonly #passesTrailers: boolean;
  #outgoing: ClientRequest;
  #incoming: IncomingMessage | undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  #hasRetried = false;
  #isOver = false;

  constructor(options: ForwardOptions) {
    this.#options = options;
    const { request, response, clock, limits } = options;
    this.#passesTrailers = request.httpVersion === "1.1" && wantsTrailers(request.rawHeaders);
    this.#patience = new Patience(clock, limits.responseMs, () => this.#tooLong());
    response.on("drain", () => this.#drained()).once("close", () => this.#closed());
    this.#outgoing = this.#send();
    if (options.body.kind === "none") this.#outgoing.end();
    else this.#carryBody(this.#outgoing);
  }

  /** Cuts it. */
  stop(): void {
    this.#cut("cut");
  }

  #send(): ClientRequest {
    const { request, target, fields, pool } = this.#options;
    const outgoing = requestOver({
      agent: pool,
      method: request.method,
      path: target,
      headers: fields,
      setHost: false,
    });
    outgoing.on("continue", () => {
      this.#patience.progress();
      this.#options.response.writeContinue();
    });
    outgoing.on("information", ({ statusCode, statusMessage, rawHeaders }) => {
      if (statusCode !== 100) this.#interim(statusCode, statusMessage, rawHeaders);
    });
    outgoing.once("response", (incoming) => this.#head(incoming));
    // The gateway gives 101 to an upgrade alone, and this is none.
    outgoing.once("upgrade", (_response, socket) => socket.destroy());
    outgoing.on("error", () => this.#failed());
    return outgoing;
  }

  #carryBody(outgoing: ClientRequest): void {
    const { request, limits } = this.#options;
    request.on("data", (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#bytesIn += chunk.length;
      this.#patience.progress();
      if (limits.requestBytes > 0 && this.#bytesIn > limits.requestBytes) {
        if (this.#incoming === undefined) this.#answer(ANSWERS.bodyTooLong, "limit");
        else this.#cut("limit");
        return;
      }
      if (!outgoing.write(chunk)) request.pause();
      this.#slow(request, chunk.length, () => outgoing.writableNeedDrain);
    });
    outgoing.on("drain", () => {
      this.#patience.progress();
      request.resume();
    });
    request.once("end", () => {
      const trailers = trailersToPass(request.rawTrailers);
      if (trailers.length > 0) outgoing.addTrailers(pairs(trailers));
      outgoing.end();
    });
  }

  #interim(status: number, reason: string, rawHeaders: RawFields): void {
    const { request, response } = this.#options;
    this.#patience.progress();
    // HTTP/1.0 knows no interim responses; behind another response of this connection it would come too early.
    if (request.httpVersion !== "1.1" || response.socket === null || response.headersSent) return;
    const lines = fieldLines(fieldsForVisitor(rawHeaders, false));
    response.socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines}\r\n`, "latin1");
  }

  #head(incoming: IncomingMessage): void {
    if (this.#isOver) return void incoming.destroy();
    this.#incoming = incoming;
    const { request, response, limits } = this.#options;
    const length = Number(incoming.headers["content-length"] ?? 0);
    const hasBody = request.method !== "HEAD";
    if (hasBody && limits.responseBytes > 0 && length > limits.responseBytes) {
      this.#outgoing.destroy();
      return this.#answer(ANSWERS.responseTooLong, "limit");
    }
    this.#patience.wait(limits.idleMs);
    const fields = fieldsForVisitor(incoming.rawHeaders, this.#passesTrailers);
    if (!request.complete && this.#options.body.kind !== "none" && incoming.headers.connection === "close")
      fields.push("Connection", "close");
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, fields);
    // Events and slow pages: the visitor sees the head before the first byte of the body. `flushHeaders` would write it as UTF-8.
    response.write(NOTHING);
    incoming.on("data", (chunk: Buffer) => this.#chunk(chunk));
    incoming.once("end", () => this.#end());
    incoming.on("error", () => this.#cut("cut"));
    incoming.once("close", () => {
      if (!incoming.complete) this.#cut("cut");
    });
  }

  #chunk(chunk: Buffer): void {
    if (this.#isOver) return;
    const { response, limits } = this.#options;
    this.#bytesOut += chunk.length;
    if (limits.responseBytes > 0 && this.#bytesOut > limits.responseBytes) return this.#cut("limit");
    this.#patience.progress();
    const incoming = this.#incoming;
    if (!response.write(chunk)) {
      incoming?.pause();
      this.#patience.wait(this.#options.limits.responseMs);
    }
    if (incoming !== undefined) this.#slow(incoming, chunk.length, () => response.writableNeedDrain);
  }

  #drained(): void {
    this.#patience.wait(this.#options.limits.idleMs);
    if ((this.#options.throttle?.waitMs() ?? 0) <= 0) this.#incoming?.resume();
  }

  /** Reads on a little later, where the tunnel has a pace of its own. */
  #slow(from: IncomingMessage, bytes: number, isFull: () => boolean): void {
    const { throttle, clock } = this.#options;
    const waitMs = throttle?.spent(bytes) ?? 0;
    if (waitMs <= 0) return;
    from.pause();
    clock.after(waitMs, () => {
      if (!isFull()) from.resume();
    });
  }

  #end(): void {
    if (this.#isOver) return;
    const { response, request, clock } = this.#options;
    const trailers = trailersToPass(this.#incoming?.rawTrailers ?? []);
    if (this.#passesTrailers && trailers.length > 0) response.addTrailers(pairs(trailers));
    this.#patience.wait(this.#options.limits.responseMs);
    lingerOver(request, clock, LINGER_MS);
    response.end();
  }

  #failed(): void {
    if (this.#isOver) return;
    const { request, body } = this.#options;
    if (this.#incoming !== undefined) return this.#cut("cut");
    const mayRetry = this.#outgoing.reusedSocket && SAFE.has(request.method ?? "") && body.kind === "none";
    if (mayRetry && !this.#hasRetried) {
      this.#hasRetried = true;
      this.#outgoing = this.#send();
      this.#outgoing.end();
      return;
    }
    this.#answer(ANSWERS.lost, "no-host");
  }

  #tooLong(): void {
    if (this.#incoming === undefined) this.#answer(ANSWERS.late, "limit");
    else this.#cut("limit");
  }

  /** Instead of a response of the host. */
  #answer(answer: OwnAnswer, end: VisitEnd): void {
    if (this.#isOver) return;
    const { request, response, clock } = this.#options;
    this.#over(end, answer.status);
    this.#outgoing.destroy();
    lingerOver(request, clock, LINGER_MS);
    sendOwnAnswer(response, answer, !request.complete);
  }

  /** The visitor must not take a part for the whole (RFC 9112 §8). */
  #cut(end: VisitEnd): void {
    if (this.#isOver) return;
    this.#over(end, this.#options.response.statusCode);
    this.#outgoing.destroy();
    const { request, response } = this.#options;
    // To HTTP/1.0 a plain close is the end of the body.
    if (request.httpVersion === "1.0" && !request.socket.destroyed) request.socket.resetAndDestroy();
    else response.destroy();
  }

  #closed(): void {
    if (this.#isOver) return;
    const { response } = this.#options;
    if (response.writableFinished) return this.#over("done", response.statusCode);
    // The visitor has left: the host is told within this turn.
    this.#over("cut", response.headersSent ? response.statusCode : 0);
    this.#outgoing.destroy();
  }

  #over(end: VisitEnd, status: number): void {
    this.#isOver = true;
    this.#patience.stop();
    this.#options.onEnd({ end, status, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut });
  }
}

function pairs(fields: RawFields): [string, string][] {
  const found: [string, string][] = [];
  for (let index = 0; index + 1 < fields.length; index += 2)
    found.push([fields[index] ?? "", fields[index + 1] ?? ""]);
  return found;
}
