import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import type { Admission } from "../gate.ts";
import type { OwnAnswer, RawFields, ResponseHead } from "../message.ts";
import type { ExchangeEnd, Recording } from "../recorder.ts";
import { trailersToPass } from "./rules/hop-by-hop.ts";
import type { GatewayLimits } from "./limits.ts";
import { lingerOver } from "./lingering.ts";
import type { Framing } from "./outgoing/body-reader.ts";
import type { Client } from "./outgoing/client.ts";
import type { Exchange, ExchangeEvents } from "./outgoing/connection.ts";
import type { Failure, FailureKind } from "./outgoing/failure.ts";
import { fieldLines } from "./outgoing/field-lines.ts";
import { OWN, ofFailure, ownFields, sendOwnAnswer } from "./rules/own-answers.ts";
import { Patience } from "./patience.ts";
import { type Forwarding, requestFields, wantsTrailers } from "./rules/request-fields.ts";
import { interimFields, responseHead } from "./rules/response-fields.ts";
import { splice } from "./splice.ts";

/** One request of a visitor. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Asks for a WebSocket; `first` came behind the head. */
  readonly upgrade: { readonly socket: Socket; readonly first: Buffer } | undefined;
}

export interface ForwardContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  /** Bytes of bodies and of upgraded connections. */
  onBytes(direction: "in" | "out", count: number): void;
  /** The service answers, or does not. */
  onService(state: "answers" | FailureKind): void;
  onEnd(status: number | undefined): void;
}

type Passed = Extract<Admission, { kind: "pass" }>;

const NOTHING = Buffer.alloc(0);

/** Carries one admitted request to the service, and its response back, as both come. */
export class Forward implements ExchangeEvents {
  readonly #visit: Visit;
  readonly #admission: Passed;
  readonly #forwarding: Forwarding;
  readonly #context: ForwardContext;
  readonly #recording: Recording | undefined;
  readonly #exchange: Exchange;
  readonly #patience: Patience;
  readonly #takesTrailers: boolean;
  #phase: "waiting" | "streaming" | "sent" | "spliced" | "over" = "waiting";
  #isHeadOut = false;
  /** The service has let the visitor send its body, which it holds back until then (RFC 9110 §10.1.1). */
  #isContinued = false;
  #bodyBytes = 0;
  #cutSplice: (() => void) | undefined;

  constructor(
    visit: Visit,
    admission: Passed,
    forwarding: Forwarding,
    context: ForwardContext,
    recording: Recording | undefined,
  ) {
    this.#visit = visit;
    this.#admission = admission;
    this.#forwarding = forwarding;
    this.#context = context;
    this.#recording = recording;
    this.#takesTrailers = wantsTrailers(admission.fields) && forwarding.httpVersion === "1.1";
    this.#patience = new Patience(context.clock, context.limits.headMs, () => this.#tooLong());
    const { request, response } = visit;
    response.on("drain", () => this.#visitorReads()).once("close", () => this.#closed());
    this.#exchange = context.client.request(
      forwarding.upstream,
      {
        method: request.method ?? "GET",
        target: admission.target,
        fields: requestFields(admission.fields, forwarding),
        body: forwarding.body.kind,
        upgrades: forwarding.upgrades,
      },
      this,
    );
    if (forwarding.body.kind !== "none") {
      request.on("data", (chunk: Buffer) => this.#requestChunk(chunk)).once("end", () => this.#requestEnd());
    }
  }

  /** The claim that let it in; undefined for another way. */
  get visitor(): string | undefined {
    return this.#admission.visitor;
  }

  /** The exposure ends: nothing more goes either way. */
  stop(): void {
    this.#exchange.abort();
    this.#cutSplice?.();
    this.#cut("stopped");
  }

  onInterim(head: ResponseHead): void {
    this.#patience.progress();
    const { response, request } = this.#visit;
    if (head.status === 100) this.#isContinued = true;
    this.#recording?.responseHead(head);
    // HTTP/1.0 knows no interim responses; and behind another response of this connection it would come too early.
    if (request.httpVersion !== "1.1" || response.socket === null || response.headersSent) return;
    const lines = fieldLines(interimFields(head.fields));
    response.socket.write(`HTTP/1.1 ${head.status} ${head.reason}\r\n${lines}\r\n`, "latin1");
  }

  onHead(head: ResponseHead, framing: Framing): void {
    this.#context.onService("answers");
    this.#phase = "streaming";
    this.#patience.wait(this.#context.limits.bodyIdleMs);
    this.#recording?.responseHead(head);
    const { origins } = this.#forwarding;
    const shown = responseHead(head, framing, { origins, passesTrailers: this.#takesTrailers });
    const { status, reason, fields } = this.#admission.respond(shown);
    this.#visit.response.writeHead(status, reason, [...fields, ...this.#connectionField()]);
  }

  onChunk(chunk: Buffer): void {
    if (this.#phase !== "streaming") return;
    this.#isHeadOut = true;
    this.#patience.progress();
    this.#context.onBytes("out", chunk.length);
    this.#recording?.responseChunk(chunk);
    if (this.#visit.response.write(chunk)) return;
    this.#exchange.pause();
    this.#patience.wait(this.#context.limits.stallMs);
  }

  onTurn(): void {
    if (this.#phase !== "streaming" || this.#isHeadOut) return;
    this.#isHeadOut = true;
    // `flushHeaders` would write the bytes of Latin-1 as UTF-8 (RFC 9110 §5.5).
    this.#visit.response.write(NOTHING);
  }

  onEnd(trailers: RawFields): void {
    if (this.#phase !== "streaming") return;
    this.#phase = "sent";
    const { response, request } = this.#visit;
    this.#patience.wait(this.#context.limits.stallMs);
    if (trailers.length > 0) {
      this.#recording?.trailers("response", trailers);
      if (this.#takesTrailers) response.addTrailers(asPairs(trailersToPass(trailers)));
    }
    lingerOver(request, this.#context.clock, this.#context.limits.lingerMs);
    response.end();
  }

  onDrain(): void {
    this.#patience.progress();
    this.#visit.request.resume();
  }

  onUpgrade(head: ResponseHead, service: Socket, first: Buffer): void {
    const { upgrade, response } = this.#visit;
    if (upgrade === undefined || this.#phase !== "waiting") {
      service.destroy();
      return;
    }
    this.#context.onService("answers");
    this.#phase = "spliced";
    this.#patience.stop();
    this.#recording?.responseHead(head);
    this.#recording?.upgraded();
    const { status, reason, fields } = this.#admission.respond({
      ...head,
      fields: interimFields(head.fields),
    });
    const lines = fieldLines([...fields, "Upgrade", "websocket", "Connection", "Upgrade"]);
    response.detachSocket(upgrade.socket);
    upgrade.socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines}\r\n`, "latin1");
    const { clock, limits } = this.#context;
    this.#cutSplice = splice(upgrade.socket, service, clock, limits, {
      onChunk: (from, chunk) => this.#spliced(from, chunk),
      onEnd: (how, why) => this.#over(how, why),
    });
    if (upgrade.first.length > 0) {
      this.#spliced("visitor", upgrade.first);
      service.write(upgrade.first);
    }
    if (first.length > 0) {
      this.#spliced("service", first);
      upgrade.socket.write(first);
    }
  }

  #spliced(from: "visitor" | "service", chunk: Buffer): void {
    if (from === "visitor") {
      this.#context.onBytes("in", chunk.length);
      this.#recording?.requestChunk(chunk);
    } else {
      this.#context.onBytes("out", chunk.length);
      this.#recording?.responseChunk(chunk);
    }
  }

  onFailure(failure: Failure): void {
    this.#context.onService(failure.kind);
    if (this.#phase === "waiting") this.#answer(ofFailure(failure.kind));
    else this.#cut("service-cut", failure.kind);
  }

  #requestChunk(chunk: Buffer): void {
    if (this.#phase === "over") return;
    this.#bodyBytes += chunk.length;
    this.#patience.progress();
    this.#context.onBytes("in", chunk.length);
    this.#recording?.requestChunk(chunk);
    if (this.#bodyBytes > (this.#context.limits.requestBodyBytes ?? Number.POSITIVE_INFINITY)) {
      this.#exchange.abort();
      if (this.#phase === "waiting") this.#answer(OWN.bodyTooLong);
      else this.#cut("limit", OWN.bodyTooLong.why);
      return;
    }
    if (!this.#exchange.write(chunk)) this.#visit.request.pause();
  }

  #requestEnd(): void {
    this.#patience.progress();
    const trailers = this.#visit.request.rawTrailers;
    if (trailers.length > 0) this.#recording?.trailers("request", trailers);
    this.#exchange.endBody(trailersToPass(trailers));
  }

  #visitorReads(): void {
    if (this.#phase !== "streaming") return;
    this.#patience.wait(this.#context.limits.bodyIdleMs);
    this.#exchange.resume();
  }

  #tooLong(): void {
    this.#exchange.abort();
    const { request } = this.#visit;
    if (this.#phase !== "waiting") {
      this.#cut("limit", this.#visit.response.writableNeedDrain ? "stalled" : "idle");
    } else if (request.complete || request.isPaused()) {
      this.#context.onService("http_response_timeout");
      this.#answer(ofFailure("http_response_timeout"));
    } else {
      this.#answer(OWN.bodyTimeout);
    }
  }

  /** Instead of a response of the service. */
  #answer(answer: OwnAnswer): void {
    const { request, response } = this.#visit;
    this.#recording?.responseHead({ status: answer.status, reason: "", fields: ownFields(answer) });
    this.#over("own-answer", answer.why, answer.status);
    lingerOver(request, this.#context.clock, this.#context.limits.lingerMs);
    sendOwnAnswer(response, answer, this.#connectionField().length > 0);
  }

  /** Whether the visitor still sends the body that it offered cannot be known: the connection is of no more use. */
  #connectionField(): RawFields {
    const { request, upgrade } = this.#visit;
    const isOffered = this.#forwarding.expectsContinue && !this.#isContinued && !request.complete;
    return isOffered || upgrade !== undefined ? ["Connection", "close"] : [];
  }

  /** The visitor must not take a part for the whole (RFC 9112 §8). */
  #cut(how: ExchangeEnd, why?: string): void {
    if (this.#phase === "over") return;
    this.#over(how, why);
    const { request, response } = this.#visit;
    const { socket } = request;
    // To HTTP/1.0 a plain close is the end of the body.
    if (request.httpVersion === "1.0" && !socket.destroyed) socket.resetAndDestroy();
    else response.destroy();
  }

  #closed(): void {
    if (this.#phase === "spliced" || this.#phase === "over") return;
    if (this.#phase === "sent" && this.#visit.response.writableFinished) {
      this.#over("complete");
      return;
    }
    this.#exchange.abort();
    this.#over("visitor-left");
  }

  #over(how: ExchangeEnd, why?: string, status?: number): void {
    if (this.#phase === "over") return;
    const isHeadSent = this.#phase !== "waiting";
    this.#phase = "over";
    this.#patience.stop();
    this.#recording?.end(how, why);
    this.#context.onEnd(status ?? (isHeadSent ? this.#visit.response.statusCode : undefined));
  }
}

function asPairs(fields: RawFields): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    pairs.push([fields[index] ?? "", fields[index + 1] ?? ""]);
  }
  return pairs;
}
