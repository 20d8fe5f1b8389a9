/**
 * Endpoints of our own, for the proof from outside: does an event stream pass, does a WebSocket, and what does the service say?
 * They answer below `/.tunnel/probe/NONCE/` to whoever knows the nonce, and are gone when the proof is done.
 *
 * - `GET` and `POST` of `stream`: `text/event-stream`, three events (`data: 1` to `data: 3`), 250 ms apart, each flushed.
 * - `socket`: a WebSocket. 101, one text frame `ok`, then a close frame (1000).
 * - `GET` of `service`: what a GET of `/` at the service gives, as JSON: `ServiceReport`.
 */
export interface Probes {
  /** Letters and digits, unguessable (at least 128 bits), new for every exposure. */
  readonly nonce: string;
}

/** Body of the answer of `service`. */
export type ServiceReport =
  | {
      readonly status: number;
      /** Its `Server` field. */
      readonly server: string | undefined;
    }
  /** It gave no answer; why, as in the mark `Proxy-Status`. */
  | { readonly error: string };

/** Parts of the path after `/.tunnel/probe/NONCE/`. */
export const PROBES = ["stream", "socket", "service"] as const;
export type Probe = (typeof PROBES)[number];

/** Events of `stream`, and the time between two of them in ms. */
export const STREAM_PROBE = { events: 3, apartMs: 250 } as const;

/** Where a probe is found, from the root of the public address. */
export function probePath({ nonce }: Probes, probe: Probe): string {
  return `${PROBE_PREFIX}${nonce}/${probe}`;
}

/** Everything below is ours, and never reaches the service. */
export const RESERVED_PREFIX = "/.tunnel/";
export const PROBE_PREFIX = `${RESERVED_PREFIX}probe/`;
