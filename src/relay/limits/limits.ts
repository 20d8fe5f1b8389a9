const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MiB = 1024 * 1024;

/** Every limit of a relay that no operator has changed. */
export const RELAY_LIMITS = {
  /** Connections of any kind at once. A guest of a room takes two. */
  connections: 50_000,
  connectionsPerSource: 1_024,
  /** Attempts to register, of one source in a minute. */
  registrationsPerMinute: 120,
  /** Hosts that have not registered yet. */
  unregistered: 1_024,
  tunnels: 20_000,
  tunnelsPerToken: 100,
  tunnelsPerSource: 1_024,
  /** Names of services that belong to keys of one token, those of services that are not there included. */
  namesPerToken: 1_000,
  /** Guests, requests and connections at once, of each tunnel. */
  inFlight: 1_024,
  /** Bytes a second through a tunnel, both ways together; 0 is no limit. */
  bytesPerSecond: 0,
  /** Bytes of one body; 0 is no limit. */
  requestBytes: 5 * MiB,
  responseBytes: 10 * MiB,
  head: {
    bytes: 16 * 1024,
    ms: 10 * SECOND,
  },
  /** A connection between two requests. */
  keptMs: 15 * SECOND,
  /** Until the head of a response, and between two pieces of a body. */
  responseMs: 60 * SECOND,
  idleMs: 5 * MINUTE,
  /** Visitors of a tunnel whose host is away for a moment. */
  held: { ms: 8 * SECOND, all: 4_096, perTunnel: 128, perSource: 64 },
  /** After a start, unknown names are held like those of a host that is away. */
  forgetfulMs: 10 * SECOND,
  roomAwayMs: 24 * HOUR,
  idleNames: 200_000,
} as const satisfies Record<string, number | Readonly<Record<string, number>>>;

type Widened<T> = { readonly [Key in keyof T]: T[Key] extends number ? number : Widened<T[Key]> };
export type RelayLimits = Widened<typeof RELAY_LIMITS>;
