import { describe, expect, it } from "vitest";
import { texts, World } from "../support/wire.ts";

describe("a room and a guest", () => {
  it("pair, talk both ways and close", () => {
    const world = new World();
    const guest = world.join(world.link());
    world.settle();
    expect(guest.member.connection).toEqual({ name: "connected" });
    expect(guest.member.membership?.goal).toBe("align the API");
    world.room.say({ text: "hello" }, world.now);
    guest.member.say({ text: "hi", replyTo: 1 }, world.now);
    world.settle();
    expect(texts(guest.entries)).toEqual(["hello", "hi"]);
    expect(texts(world.hostEntries)).toEqual(["hello", "hi"]);
    expect(guest.member.unplaced).toBe(0);
    const presence = world.room.presence(world.now);
    expect(presence.find((one) => one.name === "ben")?.safetyCode).toBe(guest.member.membership?.safetyCode);
    world.room.end("closed", world.now);
    world.settle();
    expect(guest.member.connection).toEqual({ name: "ended", end: { by: "host", cause: "closed" } });
  });

  it("[D8] hand messages over as they are sealed, ahead of every other effect", () => {
    const world = new World();
    const guest = world.pair();
    const sent: string[] = [];
    world.room.sendThrough(({ message }) => sent.push(`host ${message.length}`));
    world.room.say({ text: "hello" }, world.now);
    // It is out before anybody has asked for effects, and is no effect any more.
    expect(sent).toEqual(["host 1024"]);
    expect(world.room.takeEffects().map(({ type }) => type)).not.toContain("send");
    guest.member.sendThrough(({ message }) => sent.push(`guest ${message.length}`));
    guest.member.say({ text: "hi" }, world.now);
    expect(sent).toEqual(["host 1024", "guest 1024"]);
    expect(guest.member.takeEffects().map(({ type }) => type)).not.toContain("send");
  });

  it("[K3] a guest whose connection was cut comes back, and nothing is lost or doubled", () => {
    const world = new World();
    const guest = world.join(world.link());
    world.settle();
    for (let turn = 0; turn < 50; turn += 1) {
      world.room.say({ text: `host ${turn}` }, world.now);
      guest.member.say({ text: `guest ${turn}` }, world.now);
      world.cut(guest);
      world.advance(20_000);
    }
    const fromHost = texts(guest.entries).filter((text) => text.startsWith("host"));
    const fromGuest = texts(world.hostEntries).filter((text) => text.startsWith("guest"));
    expect(fromHost).toEqual(Array.from({ length: 50 }, (_, turn) => `host ${turn}`));
    expect(fromGuest).toEqual(Array.from({ length: 50 }, (_, turn) => `guest ${turn}`));
    expect(texts(guest.entries)).toEqual(texts(world.hostEntries));
  });
});
