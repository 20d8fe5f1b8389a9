import type { OwnAnswer, RawFields, RequestHead, ResponseHead } from "./message.ts";

/** How a visitor got in. `probe`: our own visit from outside. */
export type WayIn =
  "claim" | "token" | "path" | "prefix" | "basic" | "open" | "preflight" | "probe" | "bearer" | "oauth";

/** Where a request comes from, as far as the hop before us can be believed. */
export interface Source {
  /** IP address of the visitor; of the hop before where nobody vouches for more. */
  readonly address: string;
}

/** What becomes of a request, before one byte of it reaches the service. */
export type Admission =
  | {
      readonly kind: "pass";
      readonly way: WayIn;
      /** Which claim, for the log and for news; no secret. */
      readonly visitor: string | undefined;
      /** Path and query for the service, byte for byte but for a secret prefix. */
      readonly target: string;
      /** Without what was for the gate alone: our cookie, our token, our prefix in `Referer`. */
      readonly fields: RawFields;
      /** Puts back what was taken out on the way in, such as the prefix in `Location`. */
      readonly respond: (head: ResponseHead) => ResponseHead;
    }
  | { readonly kind: "answer"; readonly answer: OwnAnswer; readonly shown?: RequestHead }
  /** A form of ours is posted: the gateway reads at most `maxBytes` of the body, and then asks. The body is never recorded. */
  | {
      readonly kind: "form";
      readonly maxBytes: number;
      readonly submit: (body: string) => OwnAnswer;
      /** The request as it may be kept: without credentials of ours. The head as it came where it is left out. */
      readonly shown?: RequestHead;
    }
  /** For an authorization of ours: the same, but its answer may take a while. `inquire` never rejects. */
  | {
      readonly kind: "inquiry";
      readonly maxBytes: number;
      readonly inquire: (body: string) => Promise<OwnAnswer>;
      readonly shown: RequestHead;
    };

/** Decides who gets in. It knows no sockets. */
export interface Gate {
  /** `isUpgrade`: a WebSocket is asked for, whose `Origin` counts (RFC 6455 §10.2). */
  judge(head: RequestHead, source: Source, about: { readonly isUpgrade: boolean }): Admission;
}
