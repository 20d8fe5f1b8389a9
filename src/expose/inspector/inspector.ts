import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import type { Source } from "../gate.ts";
import type { RequestHead } from "../message.ts";
import type { RecordedRequest, Recorder, Recording } from "../recorder.ts";
import { MemoryBudget } from "./budget.ts";
import type { Decided, Exchange, ExchangeEvent } from "./exchange.ts";
import { ExchangeRecording, type Keeper } from "./exchange-recording.ts";
import { requestFilter, type RequestFilterInput } from "./filter.ts";
import { INSPECTED_BYTES, INSPECTOR, type InspectorLimits } from "./limits.ts";
import { Redactor } from "./secrets.ts";

export interface InspectorOptions {
  readonly clock: Clock;
  /** False keeps metadata only: method, target without secrets, status, sizes and times. */
  readonly keepsBodies: boolean;
  readonly limits?: InspectorLimits;
  /** One for all exposures of a process. */
  readonly budget?: MemoryBudget;
  /** One for all exposures of a process, so that the same secret has the same mark everywhere. */
  readonly redactor?: Redactor;
}

/** The requests of one exposure, in memory alone: a ring, from which the oldest go first. */
export class Inspector implements Recorder {
  readonly redactor: Redactor;
  readonly #keeper: Keeper;
  readonly #limits: InspectorLimits;
  /** By id, which is the order in which they began. */
  readonly #kept = new Map<number, ExchangeRecording>();
  readonly #refused = new Set<ExchangeRecording>();
  readonly #events = new Emitter<ExchangeEvent>();
  #lastId = 0;
  #visits = 0;

  constructor({ clock, keepsBodies, limits = INSPECTOR, budget, redactor }: InspectorOptions) {
    this.redactor = redactor ?? new Redactor();
    this.#limits = limits;
    this.#keeper = {
      clock,
      limits,
      keepsBodies,
      budget: budget ?? new MemoryBudget(INSPECTED_BYTES),
      ended: (exchange) => this.#events.emit({ event: "ended", exchange }),
      forgotten: (recording) => {
        this.#kept.delete(recording.exchange.id);
        this.#refused.delete(recording);
      },
    };
  }

  /** Requests of visitors so far, also those that are no longer kept. */
  get total(): number {
    return this.#visits;
  }

  begin(request: RecordedRequest): Recording {
    const { decided } = request;
    this.#visits += 1;
    const begun = this.#begin(request, request.source, decided);
    if ("refused" in decided && !begun.isForgotten) this.#refused.add(begun);
    if (this.#refused.size > this.#limits.refused) first(this.#refused.values())?.forget();
    return begun;
  }

  /** A request of our own to the service, made like that with the id `of`. */
  beginReplay(of: number, head: RequestHead): ExchangeRecording {
    return this.#begin(head, undefined, { replayOf: of });
  }

  /** Newest first. @throws {TunnelError} input-invalid */
  list(input: RequestFilterInput = {}): { readonly requests: readonly Exchange[]; readonly more: boolean } {
    const filter = requestFilter(input);
    const requests: Exchange[] = [];
    for (const { exchange } of [...this.#kept.values()].reverse()) {
      if (exchange.id <= filter.sinceId) break;
      if (!filter.matches(exchange, () => this.redactor.address(exchange.target))) continue;
      if (requests.length === filter.limit) return { requests, more: true };
      requests.push(exchange);
    }
    return { requests, more: false };
  }

  /** @throws {TunnelError} request-unknown */
  get(id: number): Exchange {
    const found = this.#kept.get(id);
    if (found === undefined) throw new TunnelError("request-unknown");
    return found.exchange;
  }

  /** Forgets all of them. Numbers go on. */
  clear(): void {
    for (const recording of this.#kept.values()) recording.forget();
  }

  /** Told when an exchange begins and when it ends, also of one that is no longer kept. @returns ends it */
  onRequest(listener: (event: ExchangeEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  #begin(head: RequestHead, source: Source | undefined, decided: Decided): ExchangeRecording {
    const { method, fields } = head;
    const id = (this.#lastId += 1);
    const target = this.#keeper.keepsBodies ? head.target : this.redactor.address(head.target);
    const recording = new ExchangeRecording({ id, method, target, fields, source, decided }, this.#keeper);
    if (!recording.isForgotten) this.#kept.set(id, recording);
    if (this.#kept.size > this.#limits.requests) first(this.#kept.values())?.forget();
    this.#events.emit({ event: "began", exchange: recording.exchange });
    return recording;
  }
}

function first<Value>(values: Iterable<Value>): Value | undefined {
  const [value] = values;
  return value;
}
