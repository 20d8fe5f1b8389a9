/** Sizes in bytes, times in ms. Memory is bounded, sizes of bodies are not. */
export interface GatewayLimits {
  /** Head of a request. */
  readonly requestHeadBytes: number;
  /** Head of a response, and its trailers. */
  readonly responseHeadBytes: number;
  /** A longer body is refused with 413; `undefined`: no limit. */
  readonly requestBodyBytes: number | undefined;
  /** Requests and sockets at a time; one more is answered 503. */
  readonly inFlight: number;
  /** Connections of visitors at a time; one more is closed. */
  readonly connections: number;
  /** Until the head of a request has come. */
  readonly requestHeadMs: number;
  /** Until a connection to the service stands. */
  readonly connectMs: number;
  /** Without progress before the head of the response: 504, or 408 where the visitor owes the body. */
  readonly headMs: number;
  /** Without a byte of the response's body: an event stream without a sign of life ends then. */
  readonly bodyIdleMs: number;
  /** Without a byte either way on an upgraded connection. */
  readonly socketIdleMs: number;
  /** A visitor that does not read: then the stream is cut. */
  readonly stallMs: number;
  /** Idle connections to the service. */
  readonly serviceKeptMs: number;
  /** Idle connections of visitors: longer than edges keep theirs (cloudflared: 90 s), whose request would meet our close. */
  readonly visitorKeptMs: number;
  /** The rest of a body that nobody reads is taken in for so long, so that the visitor gets to read the answer. */
  readonly lingerMs: number;
  /** Until a form of ours has come. */
  readonly formMs: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const KIB = 1_024;

export const GATEWAY_LIMITS: GatewayLimits = {
  requestHeadBytes: 16 * KIB,
  responseHeadBytes: 64 * KIB,
  requestBodyBytes: undefined,
  inFlight: 1_024,
  connections: 2_048,
  requestHeadMs: 60 * SECOND,
  connectMs: 10 * SECOND,
  headMs: 60 * SECOND,
  bodyIdleMs: 15 * MINUTE,
  socketIdleMs: 60 * MINUTE,
  stallMs: 60 * SECOND,
  serviceKeptMs: 4 * SECOND,
  visitorKeptMs: 95 * SECOND,
  lingerMs: 5 * SECOND,
  formMs: 10 * SECOND,
};
