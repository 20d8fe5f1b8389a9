import type { Socket } from "node:net";
import type { Trust } from "../net/trust.ts";

/** A request whose answer shows that a service is there; it changes nothing. */
export interface ServiceQuestion {
  readonly method: "GET" | "POST";
  readonly target: string;
  /** Name and value in turn. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** The local service as it is dialled: a checked literal, so that no name is resolved twice. */
export interface Upstream {
  readonly scheme: "http" | "https";
  /** IP literal, without brackets. */
  readonly address: string;
  readonly port: number;
  /** The authority for its `Host`: a loopback name, which dev servers accept. */
  readonly host: string;
  /** Certificates that it needs on another machine; Node's own when absent. */
  readonly trust?: Trust | undefined;
  /** Makes a connection where the service is not reached by an address: it emits `connect`, and is the caller's. */
  readonly dial?: () => Socket;
  /** Sent with each request besides: a folder is served by a server of ours, which answers nobody else. */
  readonly secretField?: readonly [name: string, value: string];
}
