import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Guest, type GuestOptions } from "../independent/guest.ts";
import { Agent, closeAgents, unfenced } from "../support/agent.ts";
import { hearUntil, linkOf, says } from "../support/hearing.ts";

/**
 * A guest that was written from docs/PROTOCOL.md and imports nothing of ours, in a room of the program that users run: what the
 * document says is enough to take part.
 */
let ana: Agent;
let ben: Agent;
let host: Agent;
const guests: Guest[] = [];
beforeAll(async () => {
  [ana, ben, host] = await Promise.all([Agent.start({ TUNNEL_NAME: "ana" }), Agent.start(), Agent.start()]);
  await ana.call("tunnel_open", { goal: "agree on the API" });
});
afterEach(() => {
  for (const guest of guests.splice(0)) guest.cut();
});
afterAll(closeAgents);

const newLink = async (): Promise<string> => linkOf(await ana.call("tunnel_invite", {}));

async function guestNamed(name: string): Promise<Guest> {
  const guest = await Guest.join(await newLink(), { name });
  guests.push(guest);
  return guest;
}

/** The code with which the host, or the guest itself, refuses. */
async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

const textsOf = (guest: Guest): (string | undefined)[] => guest.entries.map(({ text }) => text);

describe("a guest of another program", () => {
  it("[H1] [H2] [H7] [H13] [N1] joins a real host, and both show the same safety code", async () => {
    const dee = await guestNamed("dee");
    expect(dee.members.map(({ name }) => name)).toEqual(["ana", "dee"]);
    const { members = [] } = await ana.call("tunnel_status");
    expect(JSON.stringify(await ana.call("tunnel_status"))).toContain(dee.safetyCode);
    expect(members.find(({ name }) => name === "dee")?.id).toBe(dee.id);
    dee.leave();
  });

  it("[O3] [O4] [O6] [O10] [K8] talks with two of ours, to all and to one", async () => {
    const eve = await guestNamed("eve");
    await ben.call("tunnel_join", { joinLink: await newLink(), name: "ben" });
    await eve.until(() => eve.idNamed("ben") !== "");
    const first = await eve.say("to everybody");
    expect((await hearUntil(ana, says("to everybody"))).at(-1)).toMatchObject({
      seq: first,
      fromName: "eve",
    });
    await hearUntil(ben, says("to everybody"));

    await eve.say("for ben alone", [eve.idNamed("ben")]);
    expect(unfenced((await hearUntil(ben, says("for ben alone"))).at(-1)?.text ?? "")).toBe("for ben alone");
    await ben.call("tunnel_say", { text: "for eve alone", to: ["eve"] });
    await ben.call("tunnel_say", { text: "for ana alone", to: ["ana"] });
    await ana.call("tunnel_say", { text: "to all" });
    await eve.until(() => textsOf(eve).includes("to all"));
    expect(textsOf(eve).slice(-4)).toEqual(["for ben alone", "for eve alone", undefined, "to all"]);
    expect(eve.refused).toBeUndefined();
    eve.leave();
    await ben.call("tunnel_close", {});
  });

  it("[K3] [D5] [H13] comes back with what it said meanwhile, and has missed nothing", async () => {
    const fay = await guestNamed("fay");
    await fay.say("before");
    for (const turn of [1, 2, 3]) {
      fay.cut();
      const said = fay.say(`said away ${turn}`);
      await ana.call("tunnel_say", { text: `missed ${turn}` });
      await fay.resume();
      await said;
      await fay.until(() => textsOf(fay).includes(`missed ${turn}`));
    }
    const heard = await hearUntil(ana, says("said away 3"));
    const own = heard.map(({ text }) => unfenced(text)).filter((text) => text.startsWith("said away"));
    expect(own).toEqual(["said away 1", "said away 2", "said away 3"]);
    expect(textsOf(fay).filter((text) => text?.startsWith("missed"))).toEqual([
      "missed 1",
      "missed 2",
      "missed 3",
    ]);
    fay.leave();
  });

  const wrong: [string, NonNullable<GuestOptions["change"]>][] = [
    ["a proof of zeros", (confirm) => ({ ...confirm, proof: new Uint8Array(64) })],
    ["a proof without the rest of it", (confirm, { hash, sign }) => ({ ...confirm, proof: sign(hash) })],
    [
      "another box than it proves",
      (confirm) => ({ ...confirm, box: Uint8Array.of(9, ...new Uint8Array(31)) }),
    ],
    ["a box to which nothing can be sealed", (confirm) => ({ ...confirm, box: new Uint8Array(32) })],
    [
      "a key under which anything is signed",
      (confirm) => {
        const key = Uint8Array.of(1, ...new Uint8Array(31));
        return { ...confirm, key, proof: Uint8Array.of(...key, ...new Uint8Array(32)) };
      },
    ],
    ["a share that it had not committed to", (confirm) => ({ ...confirm, share: new Uint8Array(32) })],
  ];

  it.each(wrong)(
    "[H6] [H10] [H13] [K10] [K11] is denied with %s, and its link still works",
    async (_what, change) => {
      // A room of its own for each: a source may fail ten times in a room (A3).
      const joinLink = linkOf(await host.call("tunnel_open", { goal: "let nobody else in" }));
      expect(await codeOf(Guest.join(joinLink, { name: "gus", change }))).toBe("denied");
      const gus = await Guest.join(joinLink, { name: "gus" });
      guests.push(gus);
      gus.cut();
      expect(await codeOf(gus.resume(change))).toBe("denied");
      // The host has kept the secret: what is wrong is not taken for the member.
      await gus.resume();
      await gus.say("still here");
      gus.leave();
      await host.call("tunnel_close", {});
    },
  );
});
