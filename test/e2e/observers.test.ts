import { spawn, type ChildProcess } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readDescriptors } from "../../src/control/descriptor.ts";
import { privateFolders } from "../../src/runtime/private-folders.ts";
import { WatchClient } from "../../src/watch/client.ts";
import type { AskView, WatchEvent } from "../../src/watch/protocol.ts";
import { Guest } from "../independent/guest.ts";
import { Agent, BUNDLE, closeAgents, NODE, sandbox, unfenced, type Sandbox } from "../support/agent.ts";
import { happens, hearUntil, linkOf, look, says, words } from "../support/hearing.ts";
import { until } from "../support/processes.ts";

const eventSchema = z.looseObject({ event: z.string() });
const heldSchema = z.looseObject({ status: z.literal("held"), askId: z.number(), next: z.string() });

const boxes: Sandbox[] = [];
const children: ChildProcess[] = [];
const clients: WatchClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await closeAgents();
  for (const box of boxes.splice(0)) box.remove();
});

/** The built program, as a person or a script runs it; the link comes on its input and never as an argument. */
function observe(link: string, args: readonly string[] = ["--json"]) {
  const box = sandbox({});
  boxes.push(box);
  const child = spawn(NODE, [BUNDLE, "observe", ...args], { env: box.env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  child.stdin.end(`${link}\n`);
  const events = () =>
    out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => eventSchema.parse(JSON.parse(line)));
  return {
    child,
    exited,
    events,
    err: () => err,
    said: () => events().flatMap(({ event, ["text"]: text }) => (event === "message" ? [text] : [])),
    async event(name: string) {
      await until(`the event ${name}`, () => events().some(({ event }) => event === name), 20_000);
      return events().find(({ event }) => event === name) ?? { event: "" };
    },
  };
}

/** The person of an agent, who says yes or no to what waits. */
async function decides(agent: Agent, verdict: "approve" | "refuse"): Promise<AskView> {
  const { TMPDIR = "" } = agent.box.env;
  const facts = { platform: process.platform, tempDirectory: TMPDIR, user: process.getuid?.() };
  const folders = privateFolders(agent.box.env, facts).slice(0, 1);
  const found = async () =>
    (await readDescriptors(folders, process.platform, undefined, "watch")).find(
      ({ pid }) => pid === agent.pid,
    );
  await until("the server is found", async () => (await found()) !== undefined);
  const descriptor = await found();
  if (descriptor === undefined) throw new Error("no server");
  const asks: AskView[] = [];
  const hear = (event: WatchEvent): void => {
    if (event.t === "hello") asks.push(...event.asks);
    if (event.t === "ask") asks.push(event.ask);
  };
  const client = new WatchClient(descriptor, "0", { event: hear, closed: () => undefined });
  clients.push(client);
  await until("it is asked", () => asks.some(({ state }) => state === "waiting"));
  const ask = asks.find(({ state }) => state === "waiting");
  if (ask === undefined) throw new Error("nothing waits");
  const decision = verdict === "approve" ? { verdict } : { verdict, reason: "not this week" };
  await client.ask({ do: "decide", ask: ask.ask, digest: ask.digest, decision });
  return ask;
}

async function room() {
  const [ana, ben] = await Promise.all([
    Agent.start({ TUNNEL_NAME: "ana" }),
    Agent.start({ TUNNEL_NAME: "ben" }),
  ]);
  const opened = await ana.call("tunnel_open", { goal: "agree on the orders API" });
  await ben.call("tunnel_join", { joinLink: opened.joinLink });
  await hearUntil(ana, happens("joined", "ben"));
  return { ana, ben };
}

/** A link for somebody who reads along, which ana's person has allowed. */
async function observersLink(ana: Agent, more: Record<string, unknown> = {}): Promise<string> {
  const args = { observer: true, ...more };
  heldSchema.parse(await ana.call("tunnel_invite", args));
  await decides(ana, "approve");
  return linkOf(await ana.call("tunnel_invite", args));
}

describe("an observer's link", () => {
  it("H29: is made once the host's human has said yes to exactly that, and once for each yes", async () => {
    const { ana } = await room();
    const held = heldSchema.parse(await ana.call("tunnel_invite", { observer: true, minutes: 30 }));
    expect(held).toMatchObject({ gates: ["observer"] });
    expect(held.next).toContain("tunnel-mcp watch");
    // The same call waits for the same answer; nothing was made.
    expect(await ana.call("tunnel_invite", { observer: true, minutes: 30 })).toMatchObject({
      askId: held.askId,
    });
    const ask = await decides(ana, "approve");
    expect(ask.subject).toEqual({ kind: "observer", links: 1, history: false, minutes: 30 });
    const made = await ana.call("tunnel_invite", { observer: true, minutes: 30 });
    expect(linkOf(made)).toMatch(/\.observer$/);
    expect(made.invites?.[0]?.invite).toContain("tunnel-mcp observe");
    expect(made["pending"]).toMatchObject([{ role: "observer", readsForMinutes: 30 }]);
    await ana.call("tunnel_invite", { revoke: made.invites?.[0]?.inviteId });
    const again = await ana.call("tunnel_invite", { observer: true, minutes: 30 });
    expect(again.status).toBe("held");
  });

  it("H29: is not made after a no, which the agent is told", async () => {
    const { ana } = await room();
    const { askId } = heldSchema.parse(await ana.call("tunnel_invite", { observer: true }));
    await decides(ana, "refuse");
    const heard = await hearUntil(ana, ({ event }) => event === "decided");
    expect(heard.at(-1)).toMatchObject({ askId, outcome: "refused" });
    expect(await ana.call("tunnel_invite", { observer: true })).toMatchObject({ status: "held" });
  });

  it("asks nobody for what cannot be made", async () => {
    const { ana, ben } = await room();
    expect((await ana.refused("tunnel_invite", { observer: true, history: true })).code).toBe("no-history");
    expect((await ana.refused("tunnel_invite", { observer: true, count: 5 })).code).toBe("observer-limit");
    expect((await ana.refused("tunnel_invite", { history: true })).code).toBe("input-invalid");
    expect((await ben.refused("tunnel_invite", { observer: true })).code).toBe("not-the-host");
  });

  it("H29, P15: lets no agent in, and a member's link lets nobody read along: each says what to do, and neither is used up", async () => {
    const { ana } = await room();
    const link = await observersLink(ana);
    const carl = await Agent.start({ TUNNEL_NAME: "carl" });
    const refused = await carl.refused("tunnel_join", { joinLink: link });
    expect(refused.code).toBe("observer-link");
    expect(refused.next).toContain("tunnel-mcp observe");
    const members = linkOf(await ana.call("tunnel_invite", {}));
    const wrong = observe(members);
    expect(await wrong.event("error")).toMatchObject({ code: "member-link" });
    expect(await wrong.exited).toBe(1);
    expect(await carl.call("tunnel_join", { joinLink: members })).toMatchObject({ status: "open" });
    const cat = observe(link, ["--json", "--name", "cat"]);
    await cat.event("joined");
  });
});

describe("tunnel-mcp observe --json", () => {
  it("H29: tells everybody first, shows what is said from then on, and says nothing", async () => {
    const { ana, ben } = await room();
    await ben.call("tunnel_say", { text: "before" });
    await hearUntil(ana, says("before"));
    const cat = observe(await observersLink(ana), ["--json", "--name", "cat"]);
    const joined = await cat.event("joined");
    expect(joined).toMatchObject({ goal: "agree on the orders API", history: false });
    const codes = [joined["safetyCode"], JSON.stringify(await ana.call("tunnel_status"))] as const;
    expect(codes[1]).toContain(codes[0]);
    for (const agent of [ana, ben]) {
      const [told] = (await hearUntil(agent, happens("joined", "cat"))).slice(-1);
      expect(told).toMatchObject({ role: "observer" });
      expect(told?.text).toContain("observer");
      const { members = [] } = await agent.call("tunnel_status");
      expect(members.map(({ name, role }) => [name, role])).toContainEqual(["cat", "observer"]);
    }
    await ben.call("tunnel_say", { text: "after" });
    const sent = await ana.call("tunnel_say", { text: "for ben", to: ["ben"] });
    expect(sent.status).toBe("sent");
    expect((await ana.refused("tunnel_say", { text: "psst", to: ["cat"] })).code).toBe("observer-addressed");
    await until("cat hears", () => cat.said().includes("after"));
    await ana.call("tunnel_say", { text: "last" });
    await until("cat hears the last", () => cat.said().includes("last"));
    expect(cat.said()).toEqual(["after", "last"]);
    cat.child.kill("SIGINT");
    await hearUntil(ana, happens("left", "cat"));
    await cat.exited;
    expect(cat.err()).toBe("");
    await ana.call("tunnel_say", { text: "still two" });
    expect(words(await hearUntil(ben, says("still two")))).toEqual(["for ben", "last", "still two"]);
  });

  it("H29: gets nothing after it was removed, and whoever is alone with it speaks to nobody", async () => {
    const ana = await Agent.start({ TUNNEL_NAME: "ana" });
    await ana.call("tunnel_open", { goal: "nobody here" });
    const cat = observe(await observersLink(ana), ["--json", "--name", "cat"]);
    await cat.event("joined");
    await hearUntil(ana, happens("joined", "cat"));
    expect(await ana.call("tunnel_status")).toMatchObject({ status: "waiting_for_members" });
    expect((await ana.refused("tunnel_say", { text: "hello?" })).code).toBe("nobody-joined");
    await ana.call("tunnel_invite", { remove: "cat" });
    expect(await cat.event("ended")).toMatchObject({ cause: "removed" });
    expect(await cat.exited).toBe(0);
    expect(cat.said()).toEqual([]);
    expect((await look(ana)).some(({ event }) => event === "left")).toBe(true);
  });

  it("shows the whole log where the tunnel keeps one, and such a link was allowed", async () => {
    const [ana, ben] = [await Agent.start({ TUNNEL_NAME: "ana" }), await Agent.start({ TUNNEL_NAME: "ben" })];
    const opened = await ana.call("tunnel_open", { goal: "all of it", history: true });
    await ben.call("tunnel_join", { joinLink: opened.joinLink });
    await ben.call("tunnel_say", { text: "one" });
    await hearUntil(ana, says("one"));
    const cat = observe(await observersLink(ana, { history: true }), ["--json", "--name", "cat"]);
    await until("cat has read it", () => cat.said().includes("one"), 20_000);
    expect(cat.events().find(({ event }) => event === "message")).toMatchObject({ beforeYou: true });
  });

  it("says what is wrong with what it was given, and ends with 2", async () => {
    const none = observe("");
    expect(await none.event("error")).toMatchObject({ code: "link-malformed" });
    expect(await none.exited).toBe(2);
    const name = observe("ws://127.0.0.1:1/t/x", ["--json", "--name", "x".repeat(65)]);
    expect(await name.exited).toBe(2);
  });

  it("without --json it is for a terminal", async () => {
    const piped = observe("ws://127.0.0.1:1/t/x", []);
    expect(await piped.exited).toBe(1);
    expect(piped.err()).toContain("--json");
  });
});

it("[Q1] [Q2] a program written from the specification alone reads along in a real room", async () => {
  const { ana, ben } = await room();
  const eve = await Guest.join(await observersLink(ana), { name: "eve" });
  await ben.call("tunnel_say", { text: "for all to read" });
  await eve.until(() => eve.entries.some(({ text }) => text === "for all to read"));
  const { members = [] } = await ana.call("tunnel_status");
  expect(members.find(({ id }) => id === eve.id)).toMatchObject({ role: "observer", connected: true });
  eve.leave();
  await hearUntil(ana, happens("left", "eve"));
});

it("[Q4] one that speaks all the same is removed, and nobody hears it", async () => {
  const { ana, ben } = await room();
  const eve = await Guest.join(await observersLink(ana), { name: "eve" });
  await eve.until(() => eve.idNamed("ben") !== "");
  void eve.say("I am here").catch(() => undefined);
  const heard = await hearUntil(ana, happens("left", "eve"));
  expect(heard.some(({ error }) => error?.code === "observer-spoke")).toBe(true);
  expect(words(await hearUntil(ben, happens("left", "eve")))).toEqual([]);
  expect(unfenced(JSON.stringify(await ana.call("tunnel_status")))).not.toContain("I am here");
});
