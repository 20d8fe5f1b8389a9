import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Agent, closeAgents, pair, unfenced, type Payload } from "../support/agent.ts";
import { holdAfter, meetThrough, offer, parts, put, release, worker } from "../support/files/file-agents.ts";
import { until } from "../support/processes.ts";
import { Proxy } from "../support/proxy.ts";
import { RelayProcess } from "../support/relay-process.ts";

/** Processes of either side end in the middle of a conversation, and others take their tunnels up. */

const KEPT = { TUNNEL_KEEP_MINUTES: "10" };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The folders of stays, wherever this agent's servers could have put them. */
function staysOf({ box }: Agent): string[] {
  const folder = join(box.root, "home", ".local", "state", "tunnel-mcp", "stays");
  return existsSync(folder) ? readdirSync(folder) : [];
}

const texts = ({ messages = [] }: Payload): string[] =>
  messages.filter(({ kind }) => kind === "chat").map(({ text }) => unfenced(text));

/** What an agent hears until the last of these texts has come. */
async function heard(agent: Agent, last: string): Promise<string[]> {
  const all: string[] = [];
  while (all.at(-1) !== last) {
    const payload = await agent.call("tunnel_listen", { timeoutMs: 10_000 });
    if (payload.ended !== undefined) throw new Error(JSON.stringify(payload.ended));
    all.push(...texts(payload));
  }
  // The next call: that is read.
  await agent.call("tunnel_status");
  return all;
}

async function theOnly(agent: Agent): Promise<string> {
  const { resumable } = await agent.call("tunnel_status");
  const [only, ...more] = resumable as { tunnelId: string }[];
  expect(more).toEqual([]);
  return only?.tunnelId ?? "";
}

const back = async (agent: Agent): Promise<Payload> =>
  agent.call("tunnel_join", { resume: await theOnly(agent) });

const WAYS = ["killed", "closed"] as const;

describe.each(WAYS)("a server that is %s", (how) => {
  it("as the host's leaves the room to the next one", async () => {
    let host = await Agent.start(KEPT);
    const guest = await Agent.start(KEPT);
    const { goal = "" } = await pair(host, guest).then(() => host.call("tunnel_status"));
    await host.call("tunnel_say", { text: "one" });
    await guest.call("tunnel_say", { text: "two" });
    expect(await heard(host, "two")).toEqual(["two"]);
    await guest.call("tunnel_say", { text: "three" });
    // Its agent has been told of this, and does not know it: the answer is lost.
    await host.call("tunnel_listen");
    host = await host.restarted(how);
    const refused = await host.result("tunnel_say", { text: "where am I?" });
    expect(refused).toMatchObject({
      isError: true,
      structuredContent: {
        error: { code: "no-tunnel" },
        resumable: [{ role: "host", goal, members: [expect.any(String)], unread: 1 }],
      },
    });
    expect(await guest.call("tunnel_say", { text: "four" })).toMatchObject({ status: "queued" });
    const answer = await back(host);
    expect(answer).toMatchObject({ role: "host", goal, members: [{}, {}] });
    expect(answer["lastMessages"]).toMatchObject([{ seq: 2 }, { seq: 3 }]);
    const { messages } = await host.call("tunnel_listen");
    expect(messages?.find(({ text }) => unfenced(text) === "three")).toMatchObject({ redelivered: true });
    const [four] = messages?.filter(({ text }) => unfenced(text) === "four") ?? [];
    expect(four?.redelivered).toBeUndefined();
    if (four === undefined) expect(await heard(host, "four")).toEqual(["four"]);
    expect(await host.call("tunnel_say", { text: "five" })).toMatchObject({ status: "sent" });
    expect(await heard(guest, "five")).toEqual(["one", "five"]);
    const { alarms } = await guest.call("tunnel_status");
    expect(alarms).toBeUndefined();
    await host.call("tunnel_close");
    await until("nothing is left of it here", () => staysOf(host).length === 0);
    await until("nor there", () => staysOf(guest).length === 0);
  });

  it("as a member's leaves the seat to the next one", async () => {
    const host = await Agent.start(KEPT);
    let guest = await Agent.start(KEPT);
    await pair(host, guest);
    await guest.call("tunnel_say", { text: "one" });
    await host.call("tunnel_say", { text: "two" });
    expect(await heard(guest, "two")).toEqual(["two"]);
    guest = await guest.restarted(how);
    await host.call("tunnel_say", { text: "three" });
    const answer = await back(guest);
    expect(answer).toMatchObject({ role: "member", status: "open", members: [{}, {}] });
    expect(await heard(guest, "three")).toEqual(["three"]);
    expect(await guest.call("tunnel_say", { text: "four" })).toMatchObject({ status: "sent" });
    expect(await heard(host, "four")).toEqual(["one", "four"]);
    const { members = [] } = await host.call("tunnel_status");
    expect(members.map(({ connected }) => connected)).toEqual([true, true]);
    await guest.call("tunnel_close");
    await until("nothing is left of it", () => staysOf(guest).length === 0);
  });
});

it("twenty servers in turn are killed while both sides talk: all comes once, and in order", async () => {
  let host = await Agent.start(KEPT);
  let guest = await Agent.start(KEPT);
  await pair(host, guest);
  const said: Record<"host" | "guest", string[]> = { host: [], guest: [] };
  for (let round = 0; round < 20; round += 1) {
    const [hostSays, guestSays] = [`h${round}`, `g${round}`];
    said.host.push(hostSays);
    said.guest.push(guestSays);
    await Promise.all([
      host.call("tunnel_say", { text: hostSays }),
      guest.call("tunnel_say", { text: guestSays }),
    ]);
    if (round % 2 === 0) {
      host = await host.restarted("killed");
      await back(host);
    } else {
      guest = await guest.restarted("killed");
      await back(guest);
    }
  }
  expect(await heard(host, said.guest.at(-1) ?? "")).toEqual(said.guest);
  expect(await heard(guest, said.host.at(-1) ?? "")).toEqual(said.host);
}, 240_000);

it("through a relay, the host comes back under the same address", async () => {
  const relay = await RelayProcess.start(["--drain-seconds", "1"]);
  ends.push(() => relay.end());
  const env = { ...KEPT, TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: relay.url };
  let host = await Agent.start(env);
  const guest = await Agent.start(KEPT);
  await pair(host, guest);
  for (const [round, how] of (["killed", "closed", "killed"] as const).entries()) {
    host = await host.restarted(how);
    const asked = guest.call("tunnel_say", { text: `while you were away ${round}` });
    await back(host);
    await asked;
    expect(await heard(host, `while you were away ${round}`)).toHaveLength(1);
    expect(await host.call("tunnel_say", { text: `${round}` })).toMatchObject({ status: "sent" });
    expect(await heard(guest, `${round}`)).toEqual([`${round}`]);
  }
});

it("with 0 minutes nothing is kept, and nothing can be taken up", async () => {
  let host = await Agent.start({ TUNNEL_KEEP_MINUTES: "0" });
  const guest = await Agent.start({ TUNNEL_KEEP_MINUTES: "0" });
  await pair(host, guest);
  expect([...staysOf(host), ...staysOf(guest)]).toEqual([]);
  host = await host.restarted("closed");
  expect(await host.call("tunnel_status")).toMatchObject({ status: "idle" });
  expect((await host.call("tunnel_status"))["resumable"]).toBeUndefined();
});

describe("a file on its way", { timeout: 60_000 }, () => {
  const BYTES = 8 * 1024 * 1024;
  const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
  const sizesOf = (agent: Agent): number[] =>
    parts(agent).map((name) => statSync(join(agent.box.root, name)).size);

  /** It stands still in the middle, until its receiver or its sender has come back. */
  async function onItsWay() {
    const states = mkdtempSync(join(tmpdir(), "states-"));
    ends.push(() => rmSync(states, { recursive: true, force: true }));
    const wire = await Proxy.start();
    ends.push(() => wire.close());
    // Nobody is there to ask about a content that cannot be searched.
    const host = await worker("ana", {
      ...KEPT,
      TUNNEL_UNATTENDED: "1",
      XDG_STATE_HOME: join(states, "ana"),
    });
    const guest = await worker("ben", {
      ...KEPT,
      TUNNEL_UNATTENDED: "1",
      XDG_STATE_HOME: join(states, "ben"),
    });
    const { crossing } = await meetThrough(wire, host, guest);
    const file = put(host, "big.bin", randomBytes(BYTES));
    const { fileId } = await offer(host, { path: "big.bin" }, guest);
    holdAfter(crossing, "toGuest", BYTES / 2);
    const target = join(guest.folder, "here.bin");
    const receiving = guest.call("tunnel_receive", { fileId, savePath: target }).catch(() => undefined);
    await until("some of it has come", () => sizesOf(guest).some((size) => size > BYTES / 4));
    return { host, guest, file, target, receiving, crossing };
  }

  it.each(WAYS)("goes on when its sender's server was %s", async (how) => {
    const { host, guest, file, target, receiving, crossing } = await onItsWay();
    const next = await host.restarted(how);
    release(crossing);
    await back(next);
    await receiving;
    await until("it is there", () => existsSync(target));
    expect(hashOf(target)).toBe(hashOf(file));
    expect(parts(guest)).toEqual([]);
  });

  it("fails when it is another file by the time its sender is back", async () => {
    const { host, guest, target, receiving, crossing } = await onItsWay();
    await host.ended("killed");
    put(host, "big.bin", randomBytes(BYTES));
    const next = await host.again();
    release(crossing);
    await back(next);
    await receiving;
    await until("nothing of it is left", () => parts(guest).length === 0);
    expect(existsSync(target)).toBe(false);
  });

  it.each(WAYS)("goes on where it was when its receiver's server was %s", async (how) => {
    const { guest, file, target, receiving, crossing } = await onItsWay();
    await guest.ended(how);
    await receiving;
    const [before = 0] = sizesOf(guest);
    expect(before).toBeGreaterThan(BYTES / 4);
    expect(before).toBeLessThan(BYTES);
    release(crossing);
    const next = await guest.again();
    await back(next);
    await until("it is there", () => existsSync(target));
    expect(hashOf(target)).toBe(hashOf(file));
    await until("its agent is told", async () => {
      const { messages = [] } = await next.call("tunnel_listen", { timeoutMs: 0 });
      return messages.some(({ event }) => event === "file-received");
    });
    expect(parts(next)).toEqual([]);
  });
});
