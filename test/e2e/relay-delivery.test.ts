import { afterEach, describe, expect, it } from "vitest";
import { closeAgents } from "../support/agent.ts";
import { expectDelivered } from "../support/conversation.ts";
import { meet, offer, put, read, worker } from "../support/files/file-agents.ts";
import { Proxy, type Crossing, type Direction, type Ending } from "../support/proxy.ts";
import { Chance } from "../support/random.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { contentOf } from "../support/streaming.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0).toReversed()) await end();
});

const DIRECTIONS: readonly Direction[] = ["toHost", "toGuest"];
const ENDINGS: readonly Ending[] = ["fin", "reset"];
const WORDS = 40;

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A relay, and in front of it a network that cuts. Its address, which hosts and guests dial, stays. */
async function aRelay(): Promise<{ relay: RelayProcess; wire: Proxy; url: string }> {
  const wire = await Proxy.start();
  ends.push(() => wire.close());
  const relay = await RelayProcess.start(["--drain-seconds", "1"]);
  ends.push(() => relay.end());
  wire.target = relay.port;
  return { relay, wire, url: `http://127.0.0.1:${wire.port}` };
}

interface Weather {
  readonly kills: number;
  readonly drains: number;
  readonly cuts: number;
}

/** Cuts connections all the time; every two seconds the relay dies or drains, and comes back. */
async function storm(relay: RelayProcess, wire: Proxy, signal: AbortSignal): Promise<Weather> {
  const chance = new Chance(19);
  let [kills, drains, cuts] = [0, 0, 0];
  for (let round = 0; !signal.aborted; round += 1) {
    for (let step = 0; step < 4; step += 1) {
      await after(400);
      const open = wire.open.filter(() => chance.happens(0.4));
      for (const crossing of open) {
        const direction = chance.pick(DIRECTIONS);
        // Also in the middle of a frame.
        crossing.cutAfter(
          direction,
          crossing[direction].passed + chance.below(3_000),
          chance.pick(ENDINGS),
          chance.below(3),
        );
        cuts += 1;
      }
    }
    if (signal.aborted) break;
    if (round % 2 === 0) {
      await relay.end("SIGKILL");
      kills += 1;
    } else {
      expect(await relay.end("SIGTERM")).toBe(0);
      drains += 1;
    }
    await after(chance.below(300));
    await relay.restart();
  }
  return { kills, drains, cuts };
}

describe("a room through a relay that is cut, killed, drained and started again all the time", () => {
  it(
    "loses, doubles and reorders nothing for anybody, and its links and addresses stay",
    { timeout: 90_000 },
    async () => {
      const { relay, wire, url } = await aRelay();
      const { kills, drains, cuts } = await expectDelivered(url, (signal) => storm(relay, wire, signal), {
        words: WORDS,
        pauseMs: 200,
      });
      // It was a storm.
      expect(kills).toBeGreaterThanOrEqual(2);
      expect(drains).toBeGreaterThanOrEqual(1);
      expect(cuts).toBeGreaterThanOrEqual(10);
    },
  );

  it("carries a file whole, whatever is cut on its way", { timeout: 60_000 }, async () => {
    const { relay, wire, url } = await aRelay();
    const ana = await worker("ana", { TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: url });
    const ben = await worker("ben");
    await meet(ana, ben);
    const content = contentOf(24 * 1024 * 1024);
    put(ana, "big.bin", content);
    const { fileId } = await offer(ana, { path: "big.bin" }, ben);
    const chance = new Chance(24);
    let cuts = 0;
    // Each connection carries some of it; the relay itself dies once on the way.
    const cutLater = (crossing: Crossing): void => {
      for (const direction of DIRECTIONS)
        crossing.cutAfter(
          direction,
          crossing[direction].passed + 1_000_000 + chance.below(3_000_000),
          chance.pick(ENDINGS),
        );
    };
    for (const crossing of wire.open) cutLater(crossing);
    wire.onCrossing = (crossing) => {
      cuts += 1;
      if (cuts < 12) cutLater(crossing);
      if (cuts === 5) void relay.end("SIGKILL").then(() => relay.restart());
    };
    const received = await ben.call(
      "tunnel_receive",
      { fileId, savePath: "got.bin", waitMs: 40_000 },
      { timeout: 50_000 },
    );
    expect(received).toMatchObject({ status: "received", size: content.length });
    expect(Buffer.compare(read(ben, "got.bin"), content)).toBe(0);
    expect(cuts).toBeGreaterThanOrEqual(5);
  });
});
