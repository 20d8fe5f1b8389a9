import type { Clock } from "../../runtime/clock.ts";
import type { Source } from "../gate.ts";
import type { RawFields, RequestHead, ResponseHead } from "../message.ts";
import type { ExchangeEnd, Recording } from "../recorder.ts";
import type { MemoryBudget } from "./budget.ts";
import { GrowingBody } from "./body.ts";
import type { Decided, Exchange } from "./exchange.ts";
import { OVERHEAD, type InspectorLimits } from "./limits.ts";

/** Beyond this a response is final; 101 is the last one of HTTP as well (RFC 9110 §15.2). */
const FINAL = 200;
const SWITCHING_PROTOCOLS = 101;

/** Keeps exchanges, and what they have in common. */
export interface Keeper {
  readonly clock: Clock;
  readonly limits: InspectorLimits;
  readonly budget: MemoryBudget;
  /** Without this, only metadata is kept. */
  readonly keepsBodies: boolean;
  ended(exchange: Exchange): void;
  /** It is the oldest one, and its memory is needed. */
  forgotten(recording: ExchangeRecording): void;
}

export interface Beginning extends RequestHead {
  readonly id: number;
  readonly source: Source | undefined;
  readonly decided: Decided;
}

/** Everything of {@link Exchange} that changes while it runs. */
interface GrowingMessage {
  fields: RawFields;
  areFieldsCut: boolean;
  trailers: RawFields;
  readonly body: GrowingBody;
}

interface GrowingResponse extends GrowingMessage {
  readonly status: number;
  readonly reason: string;
  readonly headMs: number;
}

type GrowingExchange = {
  -readonly [Key in Exclude<keyof Exchange, "request" | "response" | "interim" | "upgraded">]: Exchange[Key];
} & {
  readonly request: GrowingMessage;
  response: GrowingResponse | undefined;
  readonly interim: number[];
  upgraded: { bytesIn: number; bytesOut: number } | undefined;
};

const NO_FIELDS: RawFields = [];

/** Takes down one exchange. */
export class ExchangeRecording implements Recording {
  readonly #exchange: GrowingExchange;
  readonly #keeper: Keeper;
  /** Counts on after it was forgotten, since its end is still told, but keeps nothing more. */
  #isForgotten = false;

  // Every request passes through here: fields are written out, since spreading an object takes longer than all the rest.
  constructor(begun: Beginning, keeper: Keeper) {
    const { id, method, target, fields, source, decided } = begun;
    this.#keeper = keeper;
    this.#exchange = {
      id,
      method,
      target,
      source,
      decided,
      startedAt: keeper.clock.now(),
      isWhole: keeper.keepsBodies,
      request: { fields: NO_FIELDS, areFieldsCut: false, trailers: NO_FIELDS, body: this.#body() },
      response: undefined,
      interim: [],
      upgraded: undefined,
      end: undefined,
    };
    this.#take(OVERHEAD.exchange + method.length + target.length);
    this.#keepFields(this.#exchange.request, fields);
  }

  get exchange(): Exchange {
    return this.#exchange;
  }

  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  requestChunk(chunk: Uint8Array): void {
    const { upgraded, request } = this.#exchange;
    if (upgraded !== undefined) upgraded.bytesIn += chunk.length;
    else this.#take(request.body.add(chunk));
  }

  responseChunk(chunk: Uint8Array): void {
    const { upgraded, response } = this.#exchange;
    if (upgraded !== undefined) upgraded.bytesOut += chunk.length;
    else if (response !== undefined) this.#take(response.body.add(chunk));
  }

  responseHead({ status, reason, fields }: ResponseHead): void {
    const { interim, startedAt } = this.#exchange;
    if (status < FINAL && status !== SWITCHING_PROTOCOLS) {
      if (interim.length < this.#keeper.limits.interim) interim.push(status);
      return;
    }
    const headMs = Math.max(0, this.#keeper.clock.now() - startedAt);
    const response = {
      fields: NO_FIELDS,
      areFieldsCut: false,
      trailers: NO_FIELDS,
      body: this.#body(),
      status,
      reason,
      headMs,
    };
    this.#exchange.response = response;
    this.#keepFields(response, fields);
  }

  trailers(from: "request" | "response", fields: RawFields): void {
    const message = this.#exchange[from];
    if (message !== undefined) message.trailers = this.#paidFields(fields);
  }

  upgraded(): void {
    this.#exchange.upgraded ??= { bytesIn: 0, bytesOut: 0 };
  }

  end(how: ExchangeEnd, why?: string): void {
    const exchange = this.#exchange;
    if (exchange.end !== undefined) return;
    exchange.end = { how, why, ms: Math.max(0, this.#keeper.clock.now() - exchange.startedAt) };
    this.#keeper.ended(exchange);
  }

  forget(): void {
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    this.#keeper.budget.leave(this);
    this.#keeper.forgotten(this);
    // One that has ended goes with the last who looks at it, such as a replay that it was the pattern of.
    if (this.#exchange.end === undefined) this.#empty();
  }

  #empty(): void {
    const { request, response } = this.#exchange;
    for (const message of [request, response]) {
      if (message === undefined) continue;
      message.fields = NO_FIELDS;
      message.trailers = NO_FIELDS;
      message.areFieldsCut = true;
      message.body.stopKeeping();
    }
  }

  #body(): GrowingBody {
    const { keepsBodies, limits } = this.#keeper;
    return new GrowingBody(keepsBodies && !this.#isForgotten ? limits.bodyBytes : 0);
  }

  #keepFields(message: GrowingMessage, fields: RawFields): void {
    message.fields = this.#paidFields(fields);
    message.areFieldsCut = message.fields.length < fields.length;
  }

  /** As many fields from the front as there is room for. */
  #paidFields(fields: RawFields): RawFields {
    const { keepsBodies, limits } = this.#keeper;
    if (!keepsBodies || this.#isForgotten) return NO_FIELDS;
    let bytes = 0;
    let count = 0;
    for (; count + 1 < fields.length; count += 2) {
      const more = OVERHEAD.field + (fields[count]?.length ?? 0) + (fields[count + 1]?.length ?? 0);
      if (bytes + more > limits.headBytes) break;
      bytes += more;
    }
    this.#take(bytes);
    // It may have been this one that had to go.
    return this.#isForgotten ? NO_FIELDS : fields.slice(0, count);
  }

  #take(bytes: number): void {
    if (bytes > 0 && !this.#isForgotten) this.#keeper.budget.take(this, bytes);
  }
}
