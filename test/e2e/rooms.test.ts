import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, closeAgents, unfenced, type Payload } from "../support/agent.ts";
import { happens, hearUntil, linkOf, look, names, says, selfOf, words } from "../support/hearing.ts";
import { until } from "../support/processes.ts";

/** Four agents talk: one story, told by the processes that users run. */
let ana: Agent;
let ben: Agent;
let second: Agent;
let third: Agent;
let opened: Payload;
const joins: Payload[] = [];
beforeAll(async () => {
  [ana, ben, second, third] = await Promise.all([
    Agent.start({ TUNNEL_NAME: "ana" }),
    Agent.start(),
    Agent.start(),
    Agent.start(),
  ]);
  opened = await ana.call("tunnel_open", { goal: "agree on the API", invites: 3 });
});
afterAll(closeAgents);

it("makes one invite for each, and tells members of one name apart [G1]", async () => {
  expect(opened).not.toHaveProperty("joinLink");
  expect(new Set(opened.invites?.map(({ joinLink }) => joinLink)).size).toBe(3);
  const wanted = [
    [ben, "ben"],
    [second, "ben"],
    [third, "Ben"],
  ] as const;
  for (const [index, [agent, name]] of wanted.entries()) {
    joins.push(await agent.call("tunnel_join", { joinLink: linkOf(opened, index), name }));
  }
  expect(joins.map((joined) => selfOf(joined).name)).toEqual(["ben", "ben (2)", "Ben (3)"]);
  const everybody = ["ana", "ben", "ben (2)", "Ben (3)"];
  const arrivals = await hearUntil(ana, happens("joined", "Ben (3)"));
  expect(arrivals.map(({ event, memberName }) => [event, memberName])).toEqual(
    everybody.slice(1).map((name) => ["joined", name]),
  );
  expect(await hearUntil(ben, happens("joined", "Ben (3)"))).toMatchObject([{ memberName: "ben (2)" }, {}]);
  expect(await hearUntil(second, happens("joined", "Ben (3)"))).toHaveLength(1);
  for (const agent of [ana, ben, second, third]) {
    expect(names(await agent.call("tunnel_status")).toSorted()).toEqual(everybody.toSorted());
  }
  // Who came last saw nobody come.
  expect(await look(third)).toEqual([]);
});

it("brings everybody's words to everybody else, in one order", async () => {
  const spoken = await Promise.all(
    [ana, ben, second, third].map((agent, index) => agent.call("tunnel_say", { text: `word ${index}` })),
  );
  expect(spoken.map(({ status }) => status)).toEqual(["sent", "sent", "sent", "sent"]);
  const order = spoken.map(({ seq = 0 }, index) => ({ seq, word: `word ${index}` }));
  order.sort((one, other) => one.seq - other.seq);
  for (const [index, agent] of [ana, ben, second, third].entries()) {
    const heard = await agent.hear(3);
    expect(heard.map(({ seq, text }) => ({ seq, word: unfenced(text) }))).toEqual(
      order.filter(({ word }) => word !== `word ${index}`),
    );
  }
});

it("gives words for some to exactly those, by name or id, whoever says them [O10]", async () => {
  const thirdId = selfOf(joins[2] ?? {}).id;
  const forTwo = { text: "for two", to: ["BEN", thirdId], intent: "request" };
  expect(await ana.call("tunnel_say", forTwo)).toMatchObject({ status: "sent" });
  await second.call("tunnel_say", { text: "for the host", to: ["ana"] });
  await hearUntil(ana, says("for the host"));
  await third.call("tunnel_say", { text: "between guests", to: ["ben (2)"] });
  await hearUntil(second, says("between guests"));
  await ana.call("tunnel_say", { text: "for all" });
  const heard = await Promise.all(
    [ben, second, third].map(async (agent) => hearUntil(agent, says("for all"))),
  );
  expect(heard.map((messages) => messages.map(({ text, to }) => [unfenced(text), to]))).toEqual([
    [
      ["for two", ["ben", "Ben (3)"]],
      ["for all", undefined],
    ],
    [["for all", undefined]],
    [
      ["for two", ["ben", "Ben (3)"]],
      ["for all", undefined],
    ],
  ]);
  // What was not for it was no news for the host either, though it has passed it on.
  expect(await look(ana)).toEqual([]);
  expect(await ana.call("tunnel_status")).toMatchObject({ unread: 0 });
});

it("refuses words for nobody who is there, and for the speaker itself", async () => {
  for (const to of [["carl"], ["ben", "carl"], ["ana"], [selfOf(opened).id]]) {
    expect(await ana.refused("tunnel_say", { text: "x", to })).toMatchObject({ code: "member-unknown" });
  }
  expect(await ben.refused("tunnel_say", { text: "x", to: ["ben"] })).toMatchObject({
    code: "member-unknown",
  });
  expect(await ben.refused("tunnel_say", { text: "x", to: [] })).toMatchObject({ code: "input-invalid" });
  await ana.call("tunnel_say", { text: "nothing of it was said" });
  for (const agent of [ben, second, third]) {
    expect(words(await agent.hear())).toEqual(["nothing of it was said"]);
  }
});

it("has a safety code for each pairing, the same at both ends [N1]", async () => {
  const { safetyCodes, safetyCode } = await ana.call("tunnel_status");
  const own = await Promise.all([ben, second, third].map((agent) => agent.call("tunnel_status")));
  expect(safetyCode).toBeUndefined();
  expect(safetyCodes).toEqual(
    ["ben", "ben (2)", "Ben (3)"].map((name, index) => ({ name, safetyCode: own[index]?.safetyCode })),
  );
  expect(own.map((status) => status.safetyCode)).toEqual(joins.map((joined) => joined.safetyCode));
  expect(new Set(own.map((status) => status.safetyCode)).size).toBe(3);
});

it("tells in every result how much is unread", async () => {
  await ana.call("tunnel_say", { text: "one" });
  await ben.call("tunnel_say", { text: "two" });
  await until("both have come", async () => (await third.call("tunnel_status")).unread === 2);
  expect(await third.call("tunnel_say", { text: "busy" })).toMatchObject({ unread: 2 });
  for (const [tool, args] of [
    ["tunnel_say", { text: "" }],
    ["tunnel_join", { joinLink: linkOf(opened) }],
    ["tunnel_invite", {}],
    ["tunnel_close", { tunnelId: "none" }],
  ] as const) {
    const { structuredContent, isError } = await third.result(tool, args);
    expect([tool, isError, structuredContent]).toMatchObject([tool, true, { unread: 2 }]);
  }
  expect(await third.call("tunnel_listen", { limit: 1 })).toMatchObject({ unread: 1, more: true });
  expect(await third.call("tunnel_listen", { timeoutMs: 0 })).toMatchObject({ unread: 0, more: false });
  await until("the host has it all", async () => (await ana.call("tunnel_status")).unread === 2);
  const made = await ana.call("tunnel_invite", {});
  const revoke = made.invites?.[0]?.inviteId;
  const revoked = await ana.call("tunnel_invite", { revoke });
  expect([made, revoked]).toMatchObject([{ unread: 2 }, { unread: 2, pending: [] }]);
  expect(await ana.call("tunnel_close")).toMatchObject({ unread: expect.any(Number) });
  for (const agent of [second, third]) await hearUntil(agent, ({ event }) => event === "ended");
});

it("a room with a history gives it to who comes later, without what was for others alone [O9]", async () => {
  const room = await ana.call("tunnel_open", { goal: "remember", invites: 2, history: true });
  const early = await second.call("tunnel_join", { joinLink: linkOf(room), name: "early" });
  expect(early["history"]).toBe(true);
  await ana.call("tunnel_say", { text: "the plan" });
  await ana.call("tunnel_say", { text: "for early alone", to: ["early"] });
  await second.call("tunnel_say", { text: "agreed", intent: "inform" });
  const late = await third.call("tunnel_join", { joinLink: linkOf(room, 1), name: "late" });
  expect(late["history"]).toBe(true);
  await ana.call("tunnel_say", { text: "now" });
  const heard = await hearUntil(third, says("now"));
  const chat = heard.filter(({ kind }) => kind === "chat");
  expect(chat.map(({ fromName, text, beforeYou }) => [fromName, unfenced(text), beforeYou])).toEqual([
    ["ana", "the plan", true],
    ["early", "agreed", true],
    ["ana", "now", undefined],
  ]);
  // Who joined before is told as it happened, too.
  expect(heard[0]).toMatchObject({ event: "joined", memberName: "early" });
  await ana.call("tunnel_close");
});
