import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { LINK } from "../../src/protocol/base/limits.ts";
import { Confirmations, type Confirmation } from "../../src/session/saying/confirmations.ts";
import { FakeClock, fastClock } from "../support/fake-tunnel-clock.ts";

function waiting(): {
  clock: FakeClock;
  confirmations: Confirmations;
  found: Map<number, Confirmation>;
  wait: (key: number) => void;
} {
  const clock = new FakeClock();
  const confirmations = new Confirmations(clock);
  const found = new Map<number, Confirmation>();
  const wait = (key: number): void => void confirmations.wait(key).then((one) => found.set(key, one));
  return { clock, confirmations, found, wait };
}

describe("waiting for a confirmation", () => {
  it("ends with it, and leaves no timer behind", async () => {
    const { clock, confirmations, found, wait } = waiting();
    for (let key = 1; key <= 1_000; key += 1) wait(key);
    for (let key = 1; key <= 1_000; key += 1) confirmations.confirm(key, key + 5);
    await clock.advance(0);
    expect([...found]).toEqual(
      Array.from({ length: 1_000 }, (_, at) => [at + 1, { name: "confirmed", seq: at + 6 }]),
    );
    expect([confirmations.size, clock.waiting]).toEqual([0, 0]);
  });

  it("ends after two and a half seconds, counted for each message from when it was said", async () => {
    const { clock, confirmations, found, wait } = waiting();
    wait(1);
    await clock.advance(LINK.sayConfirmMs - 1);
    wait(2);
    expect(found.size).toBe(0);
    await clock.advance(1);
    expect([...found]).toEqual([[1, { name: "late" }]]);
    confirmations.confirm(2, 9);
    await clock.advance(0);
    expect(found.get(2)).toEqual({ name: "confirmed", seq: 9 });
    expect(confirmations.size).toBe(0);
  });

  it("counts a confirmation that has come by then, although this process was too busy to read it", async () => {
    const clock = fastClock(10);
    const confirmations = new Confirmations(clock);
    const server = createServer((socket) => {
      socket.on("data", () => {
        socket.write("confirmed");
        // Both ends are in this process: what was written lies in the other socket all the time that it is busy.
        const until = performance.now() + (2 * LINK.sayConfirmMs) / 10;
        while (performance.now() < until);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("data", () => confirmations.confirm(1, 4));
    const found = confirmations.wait(1);
    socket.write("message");
    expect(await found).toEqual({ name: "confirmed", seq: 4 });
    socket.destroy();
    server.close();
  });

  it("ends at once when nobody is left to confirm, or all is over; and afterwards nothing is waited for", async () => {
    const { clock, confirmations, found, wait } = waiting();
    for (const key of [1, 2, 3]) wait(key);
    confirmations.giveUp(2);
    await clock.advance(0);
    expect([...found]).toEqual([[2, { name: "hopeless" }]]);
    confirmations.later(4, () => expect.fail("it was never confirmed"));
    confirmations.end();
    wait(5);
    confirmations.later(6, () => expect.fail("it was never confirmed"));
    await clock.advance(LINK.sayConfirmMs * 2);
    expect(new Set([...found.values()].map(({ name }) => name))).toEqual(new Set(["hopeless"]));
    expect([found.size, confirmations.size, clock.waiting]).toEqual([4, 0, 0]);
  });
});

describe("a confirmation for which nobody waits any longer", () => {
  it("is told once to whoever asked, and is forgotten when it cannot come any more", () => {
    const { confirmations } = waiting();
    const told: number[] = [];
    for (const key of [1, 2]) confirmations.later(key, (seq) => told.push(seq));
    confirmations.later(3, undefined);
    expect(confirmations.size).toBe(2);
    confirmations.confirm(1, 10);
    confirmations.confirm(1, 10);
    confirmations.giveUp(2);
    confirmations.confirm(2, 11);
    expect([told, confirmations.size]).toEqual([[10], 0]);
  });
});
