import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { SERVICE } from "../../src/protocol/base/limits.ts";
import { until } from "../support/processes.ts";
import { dial, echo, rest, room, service, share } from "./scene.ts";

const MIB = 1024 * 1024;

// Without a collection the measure is mostly of what nobody holds any more.
setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** What the process holds now. */
function held(): number {
  if (typeof collect === "function") collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("many connections of one taker", () => {
  it("are all served, a thousand at once, each in its turn, and words go between", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await echo() });
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, ana.services.owner.offers[0]?.connections.size ?? 0);
    }, 5);
    const talks = Promise.all(
      Array.from({ length: 1_000 }, async (_, at) => {
        const socket = await dial(listening);
        socket.end(`hello ${at}`);
        expect(String(await rest(socket))).toBe(`hello ${at}`);
      }),
    );
    for (let turn = 0; turn < 20; turn += 1)
      expect(await ana.session.say({ text: `word ${turn}` }, {})).toMatchObject({ status: "sent" });
    await talks;
    clearInterval(watching);
    expect(most).toBeLessThanOrEqual(SERVICE.maxTaken);
    expect(ana.services.owner.offers[0]?.stats.connections).toBe(1_000);
  }, 60_000);

  it("that never read take no memory, hold nobody else up for good, and leave words alone", async () => {
    const { ana, ben } = await room(["ben"]);
    const piece = Buffer.alloc(64 * 1024, "x");
    const target = await service((socket) => {
      const go = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", go);
      go();
    });
    const { listening } = await share(ana, ben, { target });
    const before = held();
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = await dial(listening);
        return socket.pause();
      }),
    );
    await until(
      "the places are taken",
      () => ana.services.owner.offers[0]?.connections.size === SERVICE.maxTaken,
    );
    // The sockets of the system fill meanwhile, which is none of ours.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(held() - before).toBeLessThan(48 * MIB);
    for (let turn = 0; turn < 10; turn += 1)
      expect(await ana.session.say({ text: `word ${turn}` }, {})).toMatchObject({ status: "sent" });
    for (const socket of sockets) socket.destroy();
    await until("all is over", () => ana.services.owner.offers[0]?.connections.size === 0);
  }, 60_000);
});
