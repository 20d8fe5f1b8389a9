import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent, closeAgents, unfenced, type Payload } from "../../support/agent.ts";
import { hearUntil, linkOf, says, selfOf } from "../../support/hearing.ts";
import { Member, type Heard } from "./member.ts";

/** A member written from docs/PROTOCOL.md alone, with no code of the product, in a room of the program that users run. */
let ana: Agent;
let ben: Agent;
let opened: Payload;
let benJoined: Payload;
let cleo: Member;
const heard: Heard[] = [];

beforeAll(async () => {
  [ana, ben] = await Promise.all([Agent.start({ TUNNEL_NAME: "ana" }), Agent.start({ TUNNEL_NAME: "ben" })]);
  opened = await ana.call("tunnel_open", { goal: "read the specification", invites: 3, transport: "direct" });
  benJoined = await ben.call("tunnel_join", { joinLink: linkOf(opened, 0) });
  cleo = await Member.join(linkOf(opened, 1), "cleo");
});
afterAll(async () => {
  cleo.cut();
  await closeAgents();
});

/** Listens until an event fits. */
async function until(fits: (one: Heard) => boolean): Promise<Heard> {
  for (;;) {
    const one = await cleo.hear();
    if (one === undefined) throw new Error("the connection is over");
    heard.push(one);
    if (fits(one)) return one;
  }
}

const saying =
  (words: string) =>
  ({ text }: Heard): boolean =>
    text === words;

describe("a member from the specification alone", () => {
  it("joins by a link, proves its keys, and is shown the goal and who is there [H13] [O8]", async () => {
    expect(cleo.goal).toBe("read the specification");
    const arrived = await until(({ event }) => event.kind === "joined");
    expect(arrived.event).toMatchObject({ member: { id: cleo.self.id, name: "cleo" } });
    expect(cleo.names().toSorted()).toEqual(["ana", "ben", "cleo"]);
    const { members = [] } = await ana.call("tunnel_status");
    expect(members.map(({ name }) => name).toSorted()).toEqual(["ana", "ben", "cleo"]);
    expect(JSON.stringify(await ana.call("tunnel_status"))).toContain(cleo.safetyCode);
  });

  it("hears the host and another guest, and checks what both have signed [O3] [O6]", async () => {
    await ana.call("tunnel_say", { text: "from the host" });
    await ben.call("tunnel_say", { text: "from a guest" });
    await until(saying("from the host"));
    await until(saying("from a guest"));
  });

  it("is heard, in its place, by both [O7]", async () => {
    cleo.say("from another program");
    await hearUntil(ana, says("from another program"));
    await hearUntil(ben, says("from another program"));
    const own = await until(saying("from another program"));
    expect(own.event).toMatchObject({ kind: "chat", from: cleo.self.id, n: 1 });
  });

  it("opens what is sealed to it, seals to others, and is told of what is not for it [O10] [K8]", async () => {
    await ben.call("tunnel_say", { text: "for cleo alone", to: ["cleo"] });
    await until(saying("for cleo alone"));
    cleo.say("for ben alone", ["ben"]);
    expect((await hearUntil(ben, says("for ben alone"))).at(-1)).toMatchObject({ to: ["ben"] });
    await ben.call("tunnel_say", { text: "for ana alone", to: ["ana"] });
    const withheld = await until(({ event }) => event.kind === "withheld");
    expect(withheld.text).toBeUndefined();
    await ana.call("tunnel_say", { text: "for all again" });
    const messages = await hearUntil(ana, says("for ana alone"));
    expect(messages.map(({ text }) => unfenced(text))).not.toContain("for ben alone");
    await until(saying("for all again"));
  });

  it("comes back after a cut with its proof, and misses nothing [K3] [D5]", async () => {
    cleo.cut();
    await ana.call("tunnel_say", { text: "said while it was away" });
    await cleo.resume();
    await until(saying("said while it was away"));
    cleo.say("back again");
    const last = await hearUntil(ana, says("back again"));
    expect(last.filter(({ event }) => event === "joined")).toEqual([]);
  });

  it("agrees with the product on the chain of the room [O4] [O5]", async () => {
    await ben.call("tunnel_say", { text: "after all of that" });
    // This message carries the chain that ben has, and cleo's replica compares it with its own (O6).
    const one = await until(saying("after all of that"));
    expect(one.event).toMatchObject({ kind: "chat", from: selfOf(benJoined).id });
    expect(cleo.view.seq).toBe(one.seq);
  });

  it("leaves for good, and its id comes back by no invite [G2] [O11]", async () => {
    cleo.leave();
    const left = await hearUntil(ana, ({ event, memberName }) => event === "left" && memberName === "cleo");
    expect(left.at(-1)).toMatchObject({ event: "left" });
    await expect(Member.join(linkOf(opened, 2), "thief", cleo.self)).rejects.toMatchObject({
      code: "denied",
    });
  });
});
