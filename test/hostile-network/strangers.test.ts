import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { PRE_AUTH } from "../../src/protocol/base/limits.ts";
import { OPCODE, RawSocket, upgradeRequest, wsFrame } from "../support/raw-member.ts";
import { forgetMemory, Scene } from "./scene.ts";
import { afterwards, cleanUp, joined, turning } from "./support.ts";

beforeAll(forgetMemory);
afterEach(cleanUp);
// Whatever else the machine does: nothing here is about how long something takes.
vi.setConfig({ testTimeout: 60_000 });

const MIB = 1024 * 1024;

/** Opens `count` sockets, a few at each turn, and leaves them at some stage on the way to the door. */
function crowd(
  scene: Scene,
  count: number,
  stage: (at: number) => string,
): { flood: () => boolean; sockets: RawSocket[] } {
  const sockets: RawSocket[] = [];
  const flood = (): boolean => {
    for (let batch = 0; batch < 10 && sockets.length < count; batch += 1) {
      const socket = new RawSocket(scene.port);
      afterwards(() => socket.destroy());
      socket.tcp.write(stage(sockets.length));
      sockets.push(socket);
    }
    return sockets.length === count;
  };
  return { flood, sockets };
}

it("[A2] three hundred strangers who hold sockets at every stage do not disturb a pair, nor who comes or comes back", async () => {
  const scene = await Scene.open({ invites: 1 });
  const request = upgradeRequest(scene.path);
  const stages = [
    "",
    request.slice(0, 40),
    request.slice(0, -2),
    request,
    upgradeRequest("/other").slice(0, -4),
  ];
  const { flood } = crowd(scene, 300, (at) => stages[at % stages.length] ?? "");
  await scene.undisturbed(flood);
  await scene.expectReturn();
  await joined(scene.clock, scene.link(), "carol");
  await scene.expectMemoryBounded();
  expect(scene.host.presence().map(({ connected }) => connected)).toEqual([true, true, true]);
});

it.each([
  ["silent connections", ""],
  ["half-sent requests", "GET /t/x HTTP/1.1\r\nHost: x\r\nX-Slow: "],
])("more %s than the port takes do not keep a member out", async (_, sent) => {
  const scene = await Scene.open();
  const { flood } = crowd(scene, 700, () => sent);
  await scene.undisturbed(flood);
  await scene.expectReturn();
  await scene.expectMemoryBounded();
});

/** Writes pieces as fast as they are taken, and no faster: what is not taken must not be this process's memory. */
function pouring(socket: RawSocket, piece: Buffer, times: number): () => boolean {
  let left = times;
  return () => {
    while (left > 0 && !socket.isClosed && !socket.tcp.writableNeedDrain) {
      socket.tcp.write(piece);
      left -= 1;
    }
    return left === 0 || socket.isClosed;
  };
}

it.each([
  [
    "a frame of 64 MiB",
    (socket: RawSocket) => {
      socket.tcp.write(wsFrame(OPCODE.binary, new Uint8Array(0), { announced: 64 * MIB }));
      return pouring(socket, Buffer.alloc(64 * 1024), 512);
    },
  ],
  [
    "a message in thousands of tiny fragments",
    (socket: RawSocket) => {
      socket.tcp.write(wsFrame(OPCODE.binary, Uint8Array.of(1), { isLast: false }));
      return pouring(socket, wsFrame(OPCODE.more, Uint8Array.of(1), { isLast: false }), 20_000);
    },
  ],
  [
    "WebSocket pings without end",
    (socket: RawSocket) => pouring(socket, wsFrame(OPCODE.ping, new Uint8Array(125)), 20_000),
  ],
  ["a text frame", (socket: RawSocket) => pouring(socket, wsFrame(OPCODE.text, Buffer.from("hello")), 1)],
  [
    "text frames without end",
    (socket: RawSocket) => pouring(socket, wsFrame(OPCODE.text, Buffer.from("hello")), 20_000),
  ],
] as const)("[A1] a stranger that sends %s is cut, and the pair does not notice", async (_, attack) => {
  const scene = await Scene.open();
  const socket = await scene.stranger();
  expect(socket.status).toBe(101);
  await scene.undisturbed(attack(socket));
  await turning(scene.clock, "it is cut", () => socket.isClosed);
  // The challenge, and nothing after it.
  expect(socket.messages).toHaveLength(1);
  expect(socket.pongs).toBeLessThan(PRE_AUTH.maxTotalBytes / 100);
  await scene.expectMemoryBounded();
});

it("[H6] [A3] a thousand wrong proofs of as many sources are denied with one byte each while the pair talks", async () => {
  const scene = await Scene.open({ invites: 1, isBehindEdge: true });
  const proof = wsFrame(OPCODE.binary, Buffer.concat([Buffer.from([2]), Buffer.alloc(145, 7)]));
  const answers: number[][] = [];
  let asked = 0;
  const knock = async (source: string): Promise<void> => {
    const socket = await scene.stranger(source);
    socket.tcp.write(proof);
    await socket.until(() => socket.messages.length === 2);
    answers.push([...(socket.messages[1] ?? [])]);
    socket.destroy();
  };
  await scene.undisturbed(() => {
    while (asked - answers.length < 20 && asked < 1_000) {
      asked += 1;
      void knock(`198.51.${asked >> 8}.${asked & 255}`);
    }
    return answers.length === 1_000;
  });
  expect(answers.every((answer) => answer.length === 1 && answer[0] === 4)).toBe(true);
  await scene.expectReturn();
  await scene.expectMemoryBounded();
});

it("[A3] a thousand attempts of one source come to ten proofs, then it is turned away, and the pair is not", async () => {
  const scene = await Scene.open({ invites: 1, isBehindEdge: true });
  const proof = wsFrame(OPCODE.binary, Buffer.concat([Buffer.from([2]), Buffer.alloc(145, 7)]));
  const start = scene.clock.now();
  const answers: (number | undefined)[] = [];
  let asked = 0;
  const knock = async (): Promise<void> => {
    const socket = await scene.stranger("198.51.100.1");
    if (socket.status === 101) {
      socket.tcp.write(proof);
      await socket.until(() => socket.messages.length === 2);
    }
    answers.push(socket.status);
    socket.destroy();
  };
  await scene.undisturbed(() => {
    if (asked === answers.length && asked < 1_000) {
      for (let batch = 0; batch < PRE_AUTH.maxSocketsPerSource; batch += 1) void knock();
      asked += PRE_AUTH.maxSocketsPerSource;
    }
    return answers.length === 1_000;
  });
  const earned = Math.floor((scene.clock.now() - start) / PRE_AUTH.failureRefillMs);
  const proofs = answers.filter((status) => status === 101).length;
  // Those of one batch ask before the first of them has failed.
  expect(proofs).toBeLessThanOrEqual(PRE_AUTH.failureBurst + earned + PRE_AUTH.maxSocketsPerSource);
  expect(answers.filter((status) => status === 429)).toHaveLength(1_000 - proofs);
  await scene.expectReturn();
});
