import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { LINK, RATE } from "../../src/protocol/base/limits.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { OPCODE, RawMember, wsFrame } from "../support/raw-member.ts";
import { forgetMemory, Scene } from "./scene.ts";
import { afterwards, cleanUp, isConnected, joined, pass, turning } from "./support.ts";

beforeAll(forgetMemory);
afterEach(cleanUp);
// Whatever else the machine does: nothing here is about how long something takes.
vi.setConfig({ testTimeout: 60_000 });

const MIB = 1024 * 1024;
/** In one write, so that a flood of small frames is not one of system calls. */
const PER_PIECE = 500;
/** What a member may make the host do at once and in the time that a test's turns take, generously. */
const MAX_SERVED_AT_ONCE = RATE.framesBurst + 1_000;
/** What one sends that does not care, of each kind. */
const FLOOD = RATE.framesBurst + 3_000;

async function mallory(scene: Scene): Promise<RawMember> {
  const member = await RawMember.enter(scene.link(), scene.clock);
  afterwards(() => member.socket.destroy());
  return member;
}

/** Of 64 KiB each, and half as much again as an outbox holds. */
const MESSAGES = 192;

const repeated = (frame: Buffer): Buffer => Buffer.concat(Array.from({ length: PER_PIECE }, () => frame));

/** Writes as much as is taken, which a host that slows its sender down makes less and less. */
function pouring(member: RawMember, piece: Buffer, times: number): () => boolean {
  const { socket } = member;
  let left = times;
  let turnsStuck = 0;
  return () => {
    turnsStuck += 1;
    while (left > 0 && !socket.isClosed && !socket.tcp.writableNeedDrain) {
      socket.tcp.write(piece);
      left -= 1;
      turnsStuck = 0;
    }
    // Over when all is sent, when it has been cut, or when nobody takes any more of it.
    return left === 0 || socket.isClosed || turnsStuck > 100;
  };
}

// Of the large frame only half is ever sent: that it is too large is known from its head.
it.each([
  ["a frame of 64 MiB", wsFrame(OPCODE.binary, new Uint8Array(64 * 1024), { announced: 64 * MIB }), 512],
  [
    "a message in thousands of tiny fragments",
    repeated(wsFrame(OPCODE.more, Uint8Array.of(1), { isLast: false })),
    100,
  ],
  ["a text frame", wsFrame(OPCODE.text, Buffer.from("hello")), 1],
  ["text frames without end", repeated(wsFrame(OPCODE.text, Buffer.from("hello"))), 20],
  ["what is no WebSocket frame at all", Buffer.alloc(64 * 1024, 0xff), 100],
  ["records that were never sealed", wsFrame(OPCODE.binary, new Uint8Array(256).fill(0x10)), 1],
])(
  "[G8] a member that sends %s loses its connection, and the pair does not notice",
  async (_, piece, times) => {
    const scene = await Scene.open({ invites: 1 });
    const member = await mallory(scene);
    await scene.undisturbed(pouring(member, piece, times));
    await turning(scene.clock, "it is cut", () => member.socket.isClosed);
    // What the kernels hold between the two, and not what it announced.
    expect(member.socket.tcp.bytesWritten).toBeLessThan(16 * MIB);
    expect(scene.host.presence().map(({ name, connected }) => [name, connected])).toEqual([
      ["ana", true],
      ["ben", true],
      ["mallory", false],
    ]);
    await scene.expectMemoryBounded();
  },
);

it("[E2] a member that floods with WebSocket pings and reads no answer makes nobody's memory grow, and disturbs nobody", async () => {
  const scene = await Scene.open({ invites: 1 });
  const member = await mallory(scene);
  member.socket.tcp.pause();
  const piece = repeated(wsFrame(OPCODE.ping, new Uint8Array(125).fill(1)));
  const flood = pouring(member, piece, 1_600);
  // At first nobody says anything: it is not its slow reading of other things that it is stopped for.
  for (let turn = 0; turn < 400 && !flood(); turn += 1) await scene.clock.advance(0);
  scene.expectMemory();
  await scene.undisturbed(flood);
  await scene.expectMemoryBounded();
  await scene.expectReturn();
});

it("[E1] [E2] a member that sends records or WebSocket pings without end is read no faster than it may, and not cut", async () => {
  const scene = await Scene.open({ invites: 2 });
  const [pings, records] = [await mallory(scene), await mallory(scene)];
  await pass(scene.clock, 5);
  // From here on no time goes by: what is served now is what may be served at once.
  const piece = repeated(wsFrame(OPCODE.ping, new Uint8Array(125)));
  pings.socket.tcp.write(Buffer.concat(Array.from({ length: (2 * FLOOD) / PER_PIECE }, () => piece)));
  for (let n = 0; n < FLOOD; n += 1) records.put(FRAME.ping);
  let [ponged, answered, turnsStill] = [0, 0, 0];
  // Until it has begun and nothing moves any more.
  while (answered === 0 || turnsStill < 50) {
    await scene.clock.advance(0);
    const isStill = ponged === pings.socket.pongs && answered === records.count(FRAME.pong);
    turnsStill = isStill ? turnsStill + 1 : 0;
    [ponged, answered] = [pings.socket.pongs, records.count(FRAME.pong)];
  }
  expect(ponged).toBeLessThan(MAX_SERVED_AT_ONCE);
  expect(answered).toBeLessThan(MAX_SERVED_AT_ONCE);
  await scene.undisturbed(() => records.count(FRAME.pong) === FLOOD);
  expect([pings.socket.isClosed, records.socket.isClosed]).toEqual([false, false]);
});

it("[E1] a member that sends thousands of WebSocket pings more than it may, time and again, is heard in time and never cut", async () => {
  const scene = await Scene.open({ invites: 1 });
  const member = await mallory(scene);
  // All of it is read at once: at the rate of E1 this much is made up for only after the silence that ends a connection.
  const count = RATE.framesBurst + (LINK.answerMs / 1_000 + 1) * RATE.framesPerSecond;
  const pings = Buffer.concat(
    Array.from({ length: count / PER_PIECE }, () => repeated(wsFrame(OPCODE.ping))),
  );
  for (let round = 0; round < 3; round += 1) {
    member.socket.tcp.write(pings);
    for (let passed = 0; passed < LINK.pingEveryMs + LINK.answerMs; passed += 100) {
      // There is always something that it owes an answer to.
      if (passed % 1_000 === 0) scene.ana.say(10);
      await scene.clock.advance(100);
      scene.ben.listen();
      if (!isConnected(scene.host) || !isConnected(scene.host, "mallory")) expect.fail("somebody was cut");
    }
  }
  expect(member.socket.isClosed).toBe(false);
  await scene.undisturbed(() => true);
});

it("a member that never reads costs the others nothing, while they say 12 MiB", async () => {
  const scene = await Scene.open({ invites: 1 });
  const link = scene.link().replace(`:${scene.port}/`, `:${scene.wire.port}/`);
  const carol = await joined(scene.clock, link, "carol");
  scene.wire.newest?.stall("toGuest");
  scene.wire.isDown = true;
  const { host, guest, clock } = scene;
  const text = (n: number): string => `${n}`.padEnd(65_536, ".");
  // An answer now and then keeps the place up to which the speaker has read within what is kept.
  const { ana, ben } = scene;
  let [said, unanswered, heard] = [0, 0, 0];
  const listen = (): void => {
    for (let more = true; more;) {
      host.inbox.settle();
      const batch = host.inbox.take("listen", 200);
      ({ more } = batch);
      for (const { entry } of batch.entries) {
        if (entry.kind !== "chat") continue;
        expect(entry.text === text(heard)).toBe(true);
        heard += 1;
      }
    }
  };
  await turning(clock, "all of it has been heard", () => heard === MESSAGES, {
    each: () => {
      // What is still being judged is not in the outbox yet, and what is answered may still be there.
      while (said < MESSAGES && unanswered + guest.unplaced < 80) {
        unanswered += 1;
        void guest.say({ text: text(said) }).finally(() => (unanswered -= 1));
        said += 1;
      }
      if (ana.said.length < heard / 20) ana.say(10);
      ben.listen();
      listen();
      if (guest.connection.name !== "connected") expect.fail("the speaker was cut");
    },
  });
  // Its outbox was too small for all that, which it is told when it comes back, and the others at once.
  expect(host.presence().map(({ name }) => name)).toEqual(["ana", "ben"]);
  await scene.undisturbed(() => true);
  await scene.expectMemoryBounded();
  scene.wire.isDown = false;
  await turning(clock, "it knows", () => carol.end !== undefined, { stepMs: 500 });
  expect(carol.end).toMatchObject({ cause: "failed", error: { code: "tunnel-gone" } });
});
