import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { CLOSE } from "../../../src/protocol/room/close-reasons.ts";
import { Channel } from "../../../src/protocol/reliable/channel.ts";
import { LINK, RECORD } from "../../../src/protocol/base/limits.ts";
import { Outbox } from "../../../src/protocol/reliable/outbox.ts";
import { FRAME, RecordLayer } from "../../../src/protocol/record/record.ts";
import { byteStream } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives } from "../../support/wire.ts";

const EMPTY = new Uint8Array(0);
const stream = byteStream("channels");

function records(): { a: RecordLayer; b: RecordLayer } {
  const forth = stream(32);
  const back = stream(32);
  return {
    a: new RecordLayer(nodePrimitives, { send: forth.slice(), receive: back.slice() }, 0),
    b: new RecordLayer(nodePrimitives, { send: back.slice(), receive: forth.slice() }, 0),
  };
}

/** A channel whose other end is a bare record layer, to send it whatever one likes. */
function withRawPeer(now = 0): {
  channel: Channel;
  peer: RecordLayer;
  put: (type: number, payload: Bytes) => void;
} {
  const channel = new Channel();
  const { a, b: peer } = records();
  channel.attach(a, 0, now);
  const put = (type: number, payload: Bytes): void => {
    for (const message of peer.seal({ type, payload }, now)) channel.receive(message, now);
  };
  return { channel, peer, put };
}

const data = (number: number, acknowledged: number, payload = EMPTY): Bytes =>
  concat(u64be(number), u64be(acknowledged), payload);

/** Two channels and the wires of their present connection. */
class Line {
  readonly a = new Channel();
  readonly b = new Channel();
  readonly gotA: number[] = [];
  readonly gotB: number[] = [];
  #toA: Bytes[] = [];
  #toB: Bytes[] = [];
  now = 0;

  connect(): void {
    const { a, b } = records();
    const [receivedA, receivedB] = [this.a.received, this.b.received];
    this.#toB = this.a.attach(a, receivedB, this.now);
    this.#toA = this.b.attach(b, receivedA, this.now);
  }

  cut(): void {
    this.a.detach();
    this.b.detach();
    this.#toA = [];
    this.#toB = [];
  }

  say(side: "a" | "b", value: number): void {
    const messages = this[side].send(u32be(value), this.now);
    (side === "a" ? this.#toB : this.#toA).push(...messages);
  }

  /** One message in each direction arrives. */
  step(): boolean {
    return (
      this.#deliver(this.#toA, this.a, this.#toB, this.gotA) ||
      this.#deliver(this.#toB, this.b, this.#toA, this.gotB)
    );
  }

  settle(): void {
    while (this.step());
  }

  tick(ms: number): void {
    this.now += ms;
    this.#toB.push(...this.a.tick(this.now).messages);
    this.#toA.push(...this.b.tick(this.now).messages);
  }

  #deliver(queue: Bytes[], to: Channel, replies: Bytes[], got: number[]): boolean {
    const message = queue.shift();
    if (message === undefined) return false;
    const { event, reply } = to.receive(message, this.now);
    replies.push(...reply);
    if (event?.type === "durable") got.push(new DataView(event.payload.slice().buffer).getUint32(0));
    return true;
  }
}

describe("reliable channel", () => {
  it("[D1] [D5] delivers exactly once and in order over any cuts", () => {
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("a", "b") },
      { weight: 6, arbitrary: fc.constant("step") },
      { weight: 1, arbitrary: fc.constantFrom("cut", "connect", "tick") },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const line = new Line();
        line.connect();
        const said = { a: 0, b: 0 };
        for (const one of actions) {
          if (one === "a" || one === "b") line.say(one, (said[one] += 1));
          if (one === "step") line.step();
          if (one === "tick") line.tick(60);
          if (one === "cut" || one === "connect") line.cut();
          if (one === "connect") line.connect();
        }
        line.cut();
        line.connect();
        line.settle();
        line.tick(LINK.ackDelayMs);
        line.settle();
        const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
        expect([line.gotA, line.gotB]).toEqual([upTo(said.b), upTo(said.a)]);
        expect([line.a.waiting, line.b.waiting]).toEqual([0, 0]);
      }),
      { numRuns: 150 },
    );
  });

  it("[D2] [D8] acknowledges after 50 ms, at once after 32 frames, and for free on a frame of its own", () => {
    const line = new Line();
    line.connect();
    line.say("a", 1);
    line.settle();
    expect(line.b.nextDeadline()).toBe(50);
    line.tick(49);
    line.settle();
    expect(line.a.waiting).toBe(1);
    line.tick(1);
    line.settle();
    expect(line.a.waiting).toBe(0);
    for (let value = 0; value < 31; value += 1) line.say("a", value);
    line.settle();
    expect(line.a.waiting).toBe(31);
    line.say("a", 31);
    line.settle();
    expect(line.a.waiting).toBe(0);
    line.say("a", 32);
    line.settle();
    line.say("b", 1);
    line.settle();
    expect(line.a.waiting).toBe(0);
  });

  it("[D8] acknowledges for somebody who waits without delay, a few times in 50 ms, and then with all that has arrived", () => {
    const { channel, peer } = withRawPeer();
    let number = 0;
    const arrives = (now: number): Bytes[] => {
      number += 1;
      const [message = EMPTY] = peer.seal({ type: FRAME.data, payload: data(number, 0) }, now);
      channel.receive(message, now);
      return channel.acknowledge(now);
    };
    const prompt = Array.from({ length: 20 }, () => arrives(0).length);
    expect(prompt).toEqual([...Array<number>(8).fill(1), ...Array<number>(12).fill(0)]);
    // Due at this moment: after everything that has arrived was read.
    expect(channel.nextDeadline()).toBe(0);
    expect(channel.tick(0).messages).toHaveLength(1);
    expect(arrives(LINK.ackDelayMs)).toHaveLength(1);
  });

  it("[D2] refuses the acknowledgement of what was never sent", () => {
    const { channel, put } = withRawPeer();
    channel.send(EMPTY, 0);
    expect(codeOf(() => put(FRAME.ack, u64be(2)))).toBe("protocol-violation");
    expect(codeOf(() => withRawPeer().put(FRAME.data, data(1, 1)))).toBe("protocol-violation");
    expect(codeOf(() => new Channel().attach(records().a, 1, 0))).toBe("protocol-violation");
    expect(codeOf(() => withRawPeer().put(FRAME.ack, new Uint8Array(7)))).toBe("protocol-violation");
  });

  it("[D4] refuses a gap and drops what came before", () => {
    const { channel, put } = withRawPeer();
    put(FRAME.data, data(1, 0));
    put(FRAME.data, data(1, 0));
    expect(channel.received).toBe(1);
    expect(codeOf(() => put(FRAME.data, data(3, 0)))).toBe("protocol-violation");
    expect(codeOf(() => withRawPeer().put(FRAME.data, data(2, 0)))).toBe("protocol-violation");
    expect(codeOf(() => withRawPeer().put(FRAME.data, new Uint8Array(15)))).toBe("protocol-violation");
  });

  it("[D3] refuses what its bounded outbox cannot hold, and drops nothing of what it holds", () => {
    const outbox = new Outbox();
    const mebibyte = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 8; count += 1) outbox.push(mebibyte);
    expect(codeOf(() => outbox.push(Uint8Array.of(1)))).toBe("outbox-full");
    expect([outbox.waiting, outbox.after(0)?.number, outbox.after(7)?.number, outbox.after(8)]).toEqual([
      8,
      1,
      8,
      undefined,
    ]);
    // A frame leaves the window with its size on the wire, and the outbox with that of its payload.
    expect(outbox.confirm(3)).toBe(3 * RECORD.maxFrameBytes);
    expect(outbox.bytes).toBe(5 * mebibyte.length);
    expect([outbox.waiting, outbox.after(0)?.number, outbox.after(3)?.number]).toEqual([5, 4, 4]);
    expect(outbox.push(mebibyte).number).toBe(9);
    const many = new Outbox();
    for (let count = 0; count < LINK.maxOutboxFrames; count += 1) many.push(EMPTY);
    expect(codeOf(() => many.push(EMPTY))).toBe("outbox-full");
  });

  it("[D10] keeps a window: a backlog follows its acknowledgements, and does not drown a slow link", () => {
    const channel = new Channel();
    const text = new Uint8Array(60 * 1024);
    for (let count = 0; count < 100; count += 1) channel.send(text, 0);
    const { a, b: peer } = records();
    let sent = channel.attach(a, 0, 0);
    const received: Bytes[] = [];
    let acknowledged = 0;
    while (sent.length > 0) {
      const bytes = sent.reduce((sum, message) => sum + message.length, 0);
      expect(bytes).toBeLessThanOrEqual(2 * LINK.windowBytes + 128 * 1024);
      for (const message of sent) {
        const frame = peer.open(message, 0);
        if (frame?.type === FRAME.data) received.push(frame.payload);
      }
      acknowledged = received.length;
      sent = peer
        .seal({ type: FRAME.ack, payload: u64be(acknowledged) }, 0)
        .flatMap((message) => channel.receive(message, 0).reply);
    }
    expect(received).toHaveLength(100);
    expect(channel.waiting).toBe(0);
  });

  it("[D2] [D10] refuses the acknowledgement of what was not sent on this connection", () => {
    const { channel, put } = withRawPeer();
    for (let count = 0; count < 40; count += 1) channel.send(new Uint8Array(60 * 1024), 0);
    expect(codeOf(() => put(FRAME.ack, u64be(40)))).toBe("protocol-violation");
  });

  it("[D7] pings every 20 seconds, answers a ping, and counts 15 seconds without any answer as death", () => {
    const { channel, peer } = withRawPeer(0);
    expect(channel.tick(19_999).messages).toEqual([]);
    const [ping = EMPTY] = channel.tick(20_000).messages;
    expect(peer.open(ping, 0)?.type).toBe(FRAME.ping);
    const [theirs = EMPTY] = peer.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    const { reply, event } = channel.receive(theirs, 30_000);
    expect(event).toBeUndefined();
    expect(peer.open(reply[0] ?? EMPTY, 0)?.type).toBe(FRAME.pong);
    // That was a sign of life: the ping of 40 s is the next that wants an answer.
    channel.tick(40_000);
    expect(channel.tick(54_999).dead).toBe(false);
    expect(channel.nextDeadline()).toBe(55_000);
    expect(channel.tick(55_000)).toEqual({ messages: [], dead: true });
  });

  it("[D7] a message that is not acknowledged within 15 seconds finds a dead connection sooner than a ping does", () => {
    const { channel, put } = withRawPeer(0);
    channel.send(EMPTY, 1_000);
    put(FRAME.ack, u64be(1));
    expect(channel.tick(19_999).dead).toBe(false);
    channel.send(Uint8Array.of(1), 19_999);
    channel.tick(20_000);
    expect(channel.tick(34_998).dead).toBe(false);
    expect(channel.tick(34_999).dead).toBe(true);
  });

  it("[D11] tells its time in a PONG, in whole seconds, and learns from one how far the clocks differ", () => {
    const { channel, peer } = withRawPeer(0);
    const [theirs = EMPTY] = peer.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    const { reply } = channel.receive(theirs, 1_700_000_000_999);
    const answers = reply.map((message) => peer.open(message, 0)?.payload);
    expect(answers.at(-1)).toEqual(u64be(1_700_000_000));
    const skewAfter = (time: Bytes): number | undefined => {
      const now = 1_700_000_000_000;
      const one = withRawPeer(now);
      one.channel.ask(now);
      for (const message of one.peer.seal({ type: FRAME.pong, payload: time }, now))
        one.channel.receive(message, now + 3_000);
      expect(one.channel.answered).toBe(1);
      return one.channel.clockSkew;
    };
    expect(skewAfter(EMPTY)).toBeUndefined();
    // Half of what it was under way, and half of the second that is cut.
    expect(skewAfter(u64be(1_700_003_601))).toBe(3_600_000);
    expect(skewAfter(u64be(0))).toBe(-1_700_000_001_000);
    expect(skewAfter(u64be(2 ** 50))).toBeGreaterThan(1e17);
    // Asked for by nobody it says nothing, and does not pass for an answer.
    const { channel: unasked, put } = withRawPeer();
    put(FRAME.pong, u64be(5));
    expect([unasked.clockSkew, unasked.answered]).toEqual([undefined, 0]);
  });

  it("[D7] whoever has slept does not wait for an answer to pings that it never sent", () => {
    const { channel } = withRawPeer(0);
    expect(channel.tick(35_000)).toEqual({ messages: [], dead: true });
  });

  it("[F3] refuses a frame of fixed size that has another one", () => {
    const wrong: readonly (readonly [number, Bytes])[] = [
      [FRAME.ack, new Uint8Array(9)],
      [FRAME.ack, new Uint8Array(7)],
      [FRAME.ping, new Uint8Array(1)],
      [FRAME.pong, new Uint8Array(1)],
      [FRAME.pong, new Uint8Array(9)],
      [FRAME.pong, Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0)],
      [FRAME.close, new Uint8Array(10)],
    ];
    for (const [type, payload] of wrong) {
      expect(codeOf(() => withRawPeer().put(type, payload))).toBe("protocol-violation");
    }
    expect(codeOf(() => withRawPeer().put(FRAME.close, new Uint8Array(8)))).toBe("protocol-violation");
    expect(codeOf(() => withRawPeer().put(FRAME.rekey, new Uint8Array(1)))).toBe("integrity-failed");
  });

  it("[F5] refuses frame types that this version does not have", () => {
    const known = new Set<number>([
      FRAME.data,
      FRAME.ack,
      FRAME.ping,
      FRAME.pong,
      FRAME.note,
      FRAME.stream,
      FRAME.rekey,
      FRAME.close,
    ]);
    for (let type = 0; type < 256; type += 1) {
      if (known.has(type)) continue;
      expect(codeOf(() => withRawPeer().put(type, EMPTY))).toBe("protocol-violation");
    }
  });

  it("[D1] keeps volatile frames out of the numbering: they go with their connection", () => {
    const line = new Line();
    expect(line.a.note(Uint8Array.of(1), 0)).toEqual([]);
    line.connect();
    expect(line.a.note(Uint8Array.of(1), 0)).toHaveLength(1);
    expect(line.a.waiting).toBe(0);
  });

  it("[R6] ends a connection with its reason, after which it is silent", () => {
    const line = new Line();
    const { a, b } = records();
    line.a.attach(a, 0, 0);
    line.b.attach(b, 0, 0);
    const [close = EMPTY] = line.a.close(CLOSE.left, 0);
    expect(line.b.receive(close, 0).event).toEqual({ type: "close", reason: CLOSE.left });
    expect(line.a.lastHeard).toBeUndefined();
    expect(line.a.close(CLOSE.left, 0)).toEqual([]);
    expect(line.a.receive(close, 0)).toEqual({ event: undefined, reply: [], isAnswer: false });
    expect(line.a.tick(10 ** 9)).toEqual({ messages: [], dead: false });
    expect(line.a.nextDeadline()).toBeUndefined();
  });
});
