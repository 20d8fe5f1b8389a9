import type { Source } from "../gate.ts";
import type { RawFields, ResponseHead } from "../message.ts";
import type { ExchangeEnd, RecordedRequest } from "../recorder.ts";
import type { KeptBody } from "./body.ts";

/** How a request came to the service, or why it did not. */
export type Decided = RecordedRequest["decided"] | { readonly replayOf: number };

/** The parts of a message besides its first line. */
export interface KeptMessage {
  /** Raw: for what is shown, see {@link Redactor}. */
  readonly fields: RawFields;
  /** There were more fields than are kept. */
  readonly areFieldsCut: boolean;
  readonly body: KeptBody;
  readonly trailers: RawFields;
}

export interface KeptResponse extends KeptMessage, Pick<ResponseHead, "status" | "reason"> {
  /** From the beginning of the request to the head, in ms. */
  readonly headMs: number;
}

/** One request and what came of it. It grows while it runs, and stays as it is from its end on. */
export interface Exchange {
  /** Counts from 1 in each exposure. */
  readonly id: number;
  /** ms since the epoch */
  readonly startedAt: number;
  readonly method: string;
  /** Raw, unless only metadata is kept: then without the secrets in it. */
  readonly target: string;
  /** Undefined for a replay, which comes from here. */
  readonly source: Source | undefined;
  readonly decided: Decided;
  /** False where bodies and fields were not to be kept; sizes are told all the same. */
  readonly isWhole: boolean;
  readonly request: KeptMessage;
  /** The final response; undefined where none has come. */
  readonly response: KeptResponse | undefined;
  /** Statuses of interim responses. */
  readonly interim: readonly number[];
  /** Bytes in both directions after a change of protocol. */
  readonly upgraded: { readonly bytesIn: number; readonly bytesOut: number } | undefined;
  /** Undefined while it runs. */
  readonly end:
    { readonly how: ExchangeEnd; readonly why: string | undefined; readonly ms: number } | undefined;
}

/** Told as it happens, to the live log and to news. */
export interface ExchangeEvent {
  readonly event: "began" | "ended";
  readonly exchange: Exchange;
}
