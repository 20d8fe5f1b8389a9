import type { Reason } from "../uplink/close-codes.ts";
import type { ClaimKind } from "../uplink/messages.ts";

/** How a visitor's business with a tunnel ended. */
export type VisitEnd = "done" | "cut" | "no-host" | "unknown" | "too-many" | "refused" | "limit";

/** All that happens in a relay, for logs and metrics. Whoever shows it shortens names and addresses. */
export type RelayEvent =
  | {
      readonly type: "registered";
      readonly kind: ClaimKind;
      readonly name: string;
      readonly epoch: number;
      readonly tokenId: string;
      readonly source: string;
    }
  | {
      readonly type: "refused";
      readonly kind: ClaimKind | undefined;
      readonly reason: Reason;
      readonly source: string;
    }
  | {
      readonly type: "unregistered";
      readonly kind: ClaimKind;
      readonly name: string;
      readonly epoch: number;
      readonly tokenId: string;
      readonly why: Reason | "released" | "cut";
      readonly lastedMs: number;
    }
  /** A guest, a TCP connection or a WebSocket of a service is over. */
  | {
      readonly type: "connection";
      readonly kind: ClaimKind;
      readonly name: string;
      readonly end: VisitEnd;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly lastedMs: number;
      readonly source: string;
    }
  /** A request of a service is over. */
  | {
      readonly type: "request";
      readonly name: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly end: VisitEnd;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly lastedMs: number;
      readonly source: string;
    }
  | { readonly type: "draining" }
  /** Something an operator has to look at. */
  | { readonly type: "trouble"; readonly what: string };
