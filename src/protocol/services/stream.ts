import { ascii, concat, equalBytes, lengthPrefixed, type Bytes } from "../base/bytes.ts";
import { OFFER_ID_BYTES, type MemberId } from "../base/ids.ts";
import { SERVICE } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";
import { decodeUtf8, encodeUtf8 } from "../base/utf8.ts";
import { serviceAskKey } from "../handshake/keys.ts";
import { PORT_SERVICE } from "../link/stream-frames.ts";
import type { ServiceOffer } from "./offer.ts";

/** Connections to services on streams (PROTOCOL §9.1), each a stream of this service. */
export { PORT_SERVICE };

/** Why a stream of a connection ends early, beside the reasons of the stream layer (X5). */
const PORT_RESETS = [
  /** Never offered, or not to this member. */
  "unknown",
  /** The offer is withdrawn or over. */
  "gone",
  /** The owner's person is asked, and has not said anything in time. */
  "asked",
  /** The owner's person has said no. */
  "denied",
  /** The service does not take the connection. */
  "silent",
  /** The connection beyond this end was reset. */
  "failed",
  /** The bytes that came are none of this protocol. */
  "refused",
] as const;
export type PortReset = (typeof PORT_RESETS)[number];

export const PORT_SALT_BYTES = 32;
const TAG_BYTES = 32;
const HEAD_BYTES = 1 + OFFER_ID_BYTES + PORT_SALT_BYTES;

const ASKS = { knock: 0, connect: 1 } as const;

export interface PortRequest {
  /** `knock`: only whether a connection would be let in. */
  readonly ask: keyof typeof ASKS;
  readonly service: Bytes;
  /** The taker's, new for every stream. */
  readonly salt: Bytes;
  /** The origin under which the taker's programs see the service; empty where it has none. */
  readonly origin: string;
}

/** The two ends of a connection. */
export interface PortEnds {
  readonly taker: MemberId;
  readonly owner: MemberId;
}

type Keyed = Pick<ServiceOffer, "key">;

function tagOf(
  primitives: Primitives,
  { key }: Keyed,
  { taker, owner }: PortEnds,
  parts: readonly Bytes[],
): Bytes {
  const asked = lengthPrefixed(ascii("port"), ascii(taker), ascii(owner), ...parts);
  return primitives.hmacSha256(serviceAskKey(primitives, key), asked);
}

/** `ask(1) ‖ id(16) ‖ salt(32) ‖ tag(32) ‖ origin` (X3). */
export function encodePortRequest(
  primitives: Primitives,
  offer: Keyed,
  ends: PortEnds,
  { ask, service, salt, origin }: PortRequest,
): Bytes {
  const head = concat(Uint8Array.of(ASKS[ask]), service, salt);
  const shown = encodeUtf8(origin);
  return concat(head, tagOf(primitives, offer, ends, [head, shown]), shown);
}

/** A request of which it is not known yet whether its sender knows the offer. */
export interface UnprovedRequest extends PortRequest {
  /** Whether whoever made it can read the offer, and meant these two ends. */
  isBy(primitives: Primitives, offer: Keyed, ends: PortEnds): boolean;
}

/** `undefined` for any other bytes. */
export function decodePortRequest(request: Bytes): UnprovedRequest | undefined {
  if (request.length < HEAD_BYTES + TAG_BYTES) return undefined;
  const head = request.slice(0, HEAD_BYTES);
  const tag = request.slice(HEAD_BYTES, HEAD_BYTES + TAG_BYTES);
  const shown = request.slice(HEAD_BYTES + TAG_BYTES);
  const ask = head[0] === ASKS.knock ? "knock" : head[0] === ASKS.connect ? "connect" : undefined;
  const origin = shown.length > SERVICE.maxOriginBytes ? undefined : decodeUtf8(shown);
  if (ask === undefined || origin === undefined) return undefined;
  return {
    ask,
    service: head.slice(1, 1 + OFFER_ID_BYTES),
    salt: head.slice(1 + OFFER_ID_BYTES),
    origin,
    isBy: (primitives, offer, ends) => equalBytes(tagOf(primitives, offer, ends, [head, shown]), tag),
  };
}
