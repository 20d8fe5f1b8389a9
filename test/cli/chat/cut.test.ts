import { afterEach, describe, expect, it } from "vitest";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { until } from "../../support/processes.ts";
import { Proxy } from "../../support/proxy.ts";
import { sessionsOn } from "../../session/support.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, type Side } from "./support.ts";

let wires: Proxy[] = [];
afterEach(async () => {
  await endSides();
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
});

interface Cut {
  readonly clock: FakeClock;
  readonly ana: Side;
  readonly ben: Side;
  readonly cut: () => Promise<void>;
  readonly mend: () => void;
}

/** Ana hosts and Ben is her guest; what lies between them can be cut. */
async function twoApart(kind: "person" | "program" | "lines" = "person"): Promise<Cut> {
  const clock = new FakeClock();
  const wire = await Proxy.start();
  wires.push(wire);
  const sessions = sessionsOn(clock, {}, { direct: wire.provider });
  const ana = startSide(openRequest, { clock, sessions });
  const link = await linkOf(ana);
  const ben = startSide(
    { ...joinRequest(link), json: kind === "program" },
    { clock, plain: kind === "lines" },
  );
  await ana.seen(/ben has joined/);
  await until("ben is in", () => ben.sessions.open.length === 1);
  return {
    clock,
    ana,
    ben,
    async cut() {
      wire.isDown = true;
      for (const crossing of wire.open) crossing.cut();
      await ana.seen(/ben is not connected/);
    },
    mend: () => void (wire.isDown = false),
  };
}

describe("a connection that is cut", () => {
  it("is told on both sides, and what is said meanwhile is called waiting until it has been delivered", async () => {
    const { ana, ben, cut, mend } = await twoApart();
    await cut();
    await ben.seen(/The connection to the host is down and is being restored; what you say waits/);
    ben.terminal.type("from the dark\r");
    await ben.seen(/Not delivered yet: the connection to the host is down/);
    ana.terminal.type("are you there?\r");
    await ana.seen(/Not delivered yet: nobody it is for is connected/);
    expect(ana.terminal.raw).not.toContain("from the dark");
    ben.terminal.type("/status\r");
    await ben.seen(/^ {2}Waiting to be sent: 1$/);
    mend();
    await ben.seen(/The connection is back/);
    await ben.seen(/What waited has been delivered/);
    await ana.seen(/ben \(human, says their program\): from the dark$/);
    await ana.seen(/ben is back/);
    await ben.seen(/ana \(human, says their program\): are you there\?$/);
    await ana.seen(/What waited has been delivered/);
    await ana.seen(/ben has read it/);
  });

  it("keeps a program, whose input has ended, until what it said has come", async () => {
    const { ana, ben, cut, mend } = await twoApart("program");
    await cut();
    ben.write({ say: "last words", ref: 1 });
    ben.end();
    await ben.event("queued");
    mend();
    await ana.seen(/ben: last words$/);
    expect(await ben.event("sent")).toMatchObject({ ref: 1 });
    expect(await ben.code).toBe(0);
  });

  it("keeps lines from a pipe, which has ended, until they have come", async () => {
    const { ana, ben, cut, mend } = await twoApart("lines");
    await cut();
    ben.write("last words");
    ben.end();
    await ben.seen(/Not delivered yet/);
    mend();
    await ana.seen(/ben: last words$/);
    expect(await ben.code).toBe(0);
  });

  it("for somebody who does not want to wait leaves, and says what may be lost", async () => {
    const { clock, ana, ben, cut } = await twoApart();
    await cut();
    ben.terminal.type("lost words\r");
    await ben.seen(/Not delivered yet/);
    ben.terminal.type("/quit\r");
    await ben.seen(/Leaving/);
    let isOver = false;
    void ben.code.then(() => (isOver = true));
    await until("it has left", async () => {
      await clock.advance(500);
      return isOver;
    });
    expect(await ben.code).toBe(1);
    expect(ben.terminal.rows.slice(-4)).toEqual([
      expect.stringMatching(
        /! The host has not acknowledged 1 of your messages, which most likely never arrived:$/,
      ),
      "  lost words",
      "You have left.",
      "1 of your messages may not have been delivered.",
    ]);
    expect(ana.terminal.raw).not.toContain("lost words");
  });

  it("with nobody left to wait for is no reason to wait", async () => {
    const { ana, ben, cut } = await twoApart();
    await cut();
    ana.terminal.type("for ben\r");
    await ana.seen(/Not delivered yet/);
    ana.terminal.type("/remove ben\r");
    await ana.seen(/nobody else is in this tunnel, so nobody would receive this/);
    await ana.seen(/! ben has never acknowledged 1 of your messages \(\d+\)\.$/);
    ana.terminal.type("/quit\r");
    expect(await ana.code).toBe(0);
    expect(ben.exits).toEqual([]);
  });
});
