/** Whatever stands between a public address and a service: for HTTP the gateway, for TCP bare connections. */
export interface Passage {
  /** TCP port on which it listens. */
  readonly port: number;
  readonly stats: PassageStats;
  /** The public address, as soon as it is known; visitors reach the service from now on. */
  publish(address: URL): void;
  /** Ends what one visitor has open, whose claim is revoked. */
  cut(visitor: string): void;
  /** Cuts what is under way. Nobody reaches the service any more. */
  expire(): void;
  /** Resolves when the port is free and no connection is left. */
  close(): Promise<void>;
}

export interface PassageStats {
  /** Requests that were let in; connections where it is TCP. */
  readonly requests: number;
  /** Those that we answered ourselves or closed, without the proof and the probes. */
  readonly refused: number;
  /** Requests and connections under way. */
  readonly open: number;
  /** Bytes of bodies and connections, from visitors and to them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** When the last one was let in, by the clock of the passage. */
  readonly lastRequestMs: number | undefined;
}
