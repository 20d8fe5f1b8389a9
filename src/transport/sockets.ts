import { randomFillSync } from "node:crypto";
import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Bytes } from "../protocol/base/bytes.ts";
import { LINK, RECORD } from "../protocol/base/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import { GatheredWrites } from "../runtime/gathered-writes.ts";

/** Options of every WebSocket, at both ends: no compression (CRIME-like leaks, memory), bounded messages. */
export const SOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: RECORD.maxFrameBytes,
  // A legitimate message is one fragment; thousands of tiny ones are only ever an attack.
  maxFragments: 16,
  maxBufferedChunks: 1024,
  skipUTF8Validation: true,
  // Answered by answerPings: ws would queue a pong for every ping, whether the other side reads them or not.
  autoPong: false,
} as const;

/** Bytes that may wait to be sent for a pong to be added: a peer that does not read gets no further ones. */
const MAX_BUFFERED_FOR_PONG = 64 * 1024;

const TERMINATE_AFTER_MS = 1_000;
/** Two megabytes, padding included, at 2 Mbit/s. */
const LINGER_MS = 8_000;

/** A message as bytes; `undefined` for a text frame, which the protocol does not have. */
export function messageBytes(data: RawData, isBinary: boolean): Bytes | undefined {
  if (!isBinary) return undefined;
  const whole = Array.isArray(data) ? Buffer.concat(data) : data;
  // The same bytes as what the protocol calls bytes: a Buffer slices in another way.
  return whole instanceof ArrayBuffer
    ? new Uint8Array(whole)
    : new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength);
}

/** Whether a message of the protocol is being framed at the moment. */
let isSealed = false;

/**
 * A client's mask (RFC 6455 §5.3, §10.3) keeps the author of the payload from choosing the bytes on the wire. A sealed message has
 * no bytes that anybody could choose, so it takes the mask of zeros, which costs nothing to apply; everything else, answers to
 * pings above all, gets a random one.
 */
export function generateMask(mask: Uint8Array): void {
  if (isSealed) mask.fill(0);
  else randomFillSync(mask);
}

/**
 * Sends without ever queueing without bound: a reader that does not read is cut (it may resume).
 * Returns whether the socket survived. `onSent` is called when the message has left this process, or cannot any more.
 */
export function sendBounded(socket: WebSocket, message: Bytes, onSent?: () => void): boolean {
  if (socket.readyState !== socket.OPEN) return false;
  if (socket.bufferedAmount + message.length > LINK.maxSendBufferBytes) {
    socket.terminate();
    return false;
  }
  const gathered = writes.get(socket);
  if (gathered === undefined) send(socket, message, onSent);
  else gathered.write(() => send(socket, message, onSent));
  return true;
}

function send(socket: WebSocket, message: Bytes, onSent: (() => void) | undefined): void {
  isSealed = true;
  try {
    socket.send(message, onSent);
  } finally {
    isSealed = false;
  }
}

const writes = new WeakMap<WebSocket, GatheredWrites>();

/** Says which stream carries a WebSocket: from now on {@link sendBounded} gathers what it writes there. */
export function gatherWrites(socket: WebSocket, stream: Duplex): void {
  writes.set(socket, new GatheredWrites(stream));
}

/** Answers WebSocket pings, which edges send and members do not, as long as the answers are read. */
export function answerPings(socket: WebSocket): void {
  let latest: Buffer | undefined;
  socket.on("ping", (data) => {
    // Only the latest of those that came together has to be answered (RFC 6455 §5.5.3).
    if (latest === undefined) setImmediate(answer);
    latest = data;
  });
  const answer = (): void => {
    const data = latest;
    latest = undefined;
    if (socket.readyState === socket.OPEN && socket.bufferedAmount < MAX_BUFFERED_FOR_PONG) socket.pong(data);
  };
}

/** Sockets that are being hung up already: what a peer sends meanwhile must not begin it again. */
const closing = new WeakSet<WebSocket>();

/**
 * Closes politely, then for certain. The peer answers a close frame when it has read everything before it: that is waited
 * for longer when something before it has to arrive.
 */
export function hangUp(socket: WebSocket, code: number, clock: Clock, linger = false): void {
  if (socket.readyState === socket.CONNECTING) return socket.terminate();
  if (closing.has(socket)) return;
  closing.add(socket);
  socket.close(code);
  const cancel = clock.after(linger ? LINGER_MS : TERMINATE_AFTER_MS, () => socket.terminate());
  socket.once("close", cancel);
}
