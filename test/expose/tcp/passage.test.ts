import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { proveTcp } from "../../../src/expose/proving/tcp.ts";
import type { Passage } from "../../../src/expose/passage.ts";
import { tcpTarget } from "../../../src/expose/target/dial.ts";
import { openTcpPassage } from "../../../src/expose/tcp/passage.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { until } from "../../support/processes.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const WORD = "a".repeat(32);

async function service(onConnection: (socket: Socket) => void): Promise<{ port: number; stop(): void }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  ends.push(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

async function passageTo(
  port: number,
  options: { connections?: number; halfOpenMs?: number; onNews?: (kind: string) => void } = {},
): Promise<Passage> {
  const { onNews, ...limits } = options;
  const target = await tcpTarget(
    { kind: "service", scheme: "http", host: "127.0.0.1", port },
    { clock, dialMs: 2_000, allow: [], ownPorts: () => [], lookup: () => undefined },
  );
  const passage = await openTcpPassage({
    target,
    word: WORD,
    clock,
    limits,
    onNews: ({ kind }) => onNews?.(kind),
  });
  ends.push(() => passage.close());
  return passage;
}

const addressOf = ({ port }: Passage): URL => new URL(`tcp://127.0.0.1:${port}`);
const open = (passage: Passage): Passage => {
  passage.publish(addressOf(passage));
  return passage;
};

function dial({ port }: Passage): Socket {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.on("error", () => undefined);
  ends.push(() => socket.destroy());
  return socket;
}

async function all(socket: Socket): Promise<string> {
  let heard = "";
  socket.on("data", (chunk) => (heard += chunk.toString("latin1")));
  // A reset is an error first; its close follows.
  await new Promise<void>((resolve) => socket.once("end", resolve).once("close", () => resolve()));
  return heard;
}

describe("a TCP service behind a public address", () => {
  it("hears and is heard byte for byte, each direction with an end of its own", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 256));
    const { port } = await service((socket) => {
      const heard: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      socket.once("end", () => socket.end(Buffer.concat([Buffer.from("got "), ...heard])));
    });
    const passage = open(await passageTo(port));
    const socket = dial(passage);
    socket.end(bytes);
    expect(await all(socket)).toBe(`got ${bytes.toString("latin1")}`);
    await until("it is counted", () => passage.stats.open === 0);
    expect(passage.stats).toMatchObject({ requests: 1, refused: 0, bytesIn: 100_000, bytesOut: 100_004 });
  });

  it("lets the service speak first", async () => {
    const { port } = await service((socket) => socket.end("220 ready"));
    expect(await all(dial(open(await passageTo(port))))).toBe("220 ready");
  });

  it("is cut on one side when the other is cut, and that is no end", async () => {
    const { port } = await service((socket) => {
      socket.write("half");
      socket.once("data", () => socket.resetAndDestroy());
    });
    const socket = dial(open(await passageTo(port)));
    socket.write("go");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });

  it("reaches nobody before the address is proved: what connects gets the word", async () => {
    let visits = 0;
    const { port } = await service(() => (visits += 1));
    const passage = await passageTo(port);
    const signal = new AbortController().signal;
    const ms = await proveTcp({
      address: addressOf(passage),
      word: WORD,
      resolver: undefined,
      clock,
      signal,
    });
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(visits).toBe(0);
    expect(passage.stats).toMatchObject({ requests: 0, refused: 0 });
  });

  it("takes so many connections and closes one more", async () => {
    const { port } = await service((socket) => socket.write("hello"));
    const passage = open(await passageTo(port, { connections: 2 }));
    const kept = [dial(passage), dial(passage)];
    await Promise.all(kept.map((socket) => once(socket, "data")));
    expect(await all(dial(passage))).toBe("");
    expect(passage.stats).toMatchObject({ open: 2, refused: 1 });
    kept[0]?.resetAndDestroy();
    await until("a place is free", () => passage.stats.open === 1);
    expect((await once(dial(passage), "data")).toString()).toBe("hello");
  });

  it("is let go where a visitor has left and the service says nothing more", async () => {
    const { port } = await service((socket) => socket.write("hello"));
    const passage = open(await passageTo(port, { halfOpenMs: 50 }));
    const socket = dial(passage);
    await once(socket, "data");
    socket.destroy();
    await until("nothing is open", () => passage.stats.open === 0);
  });

  it("tells once that the service is away, and once that it is back", async () => {
    const news: string[] = [];
    const first = await service((socket) => socket.end("one"));
    const passage = open(await passageTo(first.port, { onNews: (kind) => news.push(kind) }));
    first.stop();
    expect(await all(dial(passage))).toBe("");
    expect(await all(dial(passage))).toBe("");
    const again = createServer((socket) => socket.on("error", () => undefined).end("two")).listen(
      first.port,
      "127.0.0.1",
    );
    ends.push(() => again.close());
    await once(again, "listening");
    expect(await all(dial(passage))).toBe("two");
    expect(news).toEqual(["unreachable", "back"]);
  });

  it("cuts who is in when its time is over, and nobody comes in any more", async () => {
    const { port } = await service((socket) => socket.write("hello"));
    const passage = open(await passageTo(port));
    const socket = dial(passage);
    await once(socket, "data");
    passage.expire();
    expect(await all(socket)).toBe("");
    expect(await all(dial(passage))).toBe("");
    await passage.close();
    await expect(once(dial(passage), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("the proof of a TCP address", () => {
  it("fails where something else answers", async () => {
    const { port } = await service((socket) => socket.end("SSH-2.0-other and more than that, to be sure"));
    const stop = new AbortController();
    let now = 0;
    const racing = { now: () => (now += 6_000), after: clock.after.bind(clock) };
    await expect(
      proveTcp({
        address: new URL(`tcp://127.0.0.1:${port}`),
        word: WORD,
        resolver: undefined,
        clock: racing,
        signal: stop.signal,
      }),
    ).rejects.toMatchObject({ code: "expose-unproved", detail: "something else answers there" });
  });
});
