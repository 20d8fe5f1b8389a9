import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { LINK } from "../../src/protocol/base/limits.ts";
import { messageBytes, sendBounded } from "../../src/transport/sockets.ts";

function socket(bufferedAmount: number, readyState = 1) {
  const done: string[] = [];
  const fake = {
    OPEN: 1,
    readyState,
    bufferedAmount,
    send: () => done.push("send"),
    terminate: () => done.push("terminate"),
  };
  return { done, socket: fake as unknown as WebSocket };
}

describe("sending", () => {
  it("[D10] cuts one that does not read before its buffer passes the limit", () => {
    const message = new Uint8Array(100);
    const full = socket(LINK.maxSendBufferBytes - 99);
    expect(sendBounded(full.socket, message)).toBe(false);
    expect(full.done).toEqual(["terminate"]);
    const room = socket(LINK.maxSendBufferBytes - 100);
    expect(sendBounded(room.socket, message)).toBe(true);
    expect(room.done).toEqual(["send"]);
  });

  it("sends nothing on a socket that is closing", () => {
    const closing = socket(0, 2);
    expect(sendBounded(closing.socket, new Uint8Array(1))).toBe(false);
    expect(closing.done).toEqual([]);
  });
});

describe("receiving", () => {
  it("takes binary messages in any shape, and no text", () => {
    expect(messageBytes(Buffer.from("ab"), true)).toEqual(Uint8Array.of(97, 98));
    expect(messageBytes([Buffer.from("a"), Buffer.from("b")], true)).toEqual(Uint8Array.of(97, 98));
    expect(messageBytes(Buffer.from("ab"), false)).toBeUndefined();
  });
});
