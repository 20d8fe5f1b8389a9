import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, closeAgents, portOf, type Payload } from "../support/agent.ts";
import { happens, hearUntil, linkOf, look, names, says, selfOf, words } from "../support/hearing.ts";
import { until } from "../support/processes.ts";

/** Who comes into a room and how they go: one story, told by the processes that users run. */
let ana: Agent;
let ben: Agent;
let carl: Agent;
let dora: Agent;
let opened: Payload;
beforeAll(async () => {
  const start = (name: string): Promise<Agent> => Agent.start({ TUNNEL_NAME: name });
  [ana, ben, carl, dora] = await Promise.all([start("ana"), start("ben"), start("carl"), start("dora")]);
  opened = await ana.call("tunnel_open", { goal: "agree on the API", invites: 3 });
  for (const [index, agent] of [ben, carl, dora].entries())
    await agent.call("tunnel_join", { joinLink: linkOf(opened, index) });
  for (const agent of [ana, ben, carl]) await hearUntil(agent, happens("joined", "dora"));
});
afterAll(async () => {
  path?.server.close();
  await closeAgents();
});

/** A way to the host on which one byte can be changed. */
interface Path {
  readonly server: Server;
  readonly port: number;
  /** Changes the last byte of what goes to the host next. */
  spoil(): void;
}
let path: Path | undefined;

async function pathTo(hostPort: number): Promise<Path> {
  let isSpoiling = false;
  const server = createServer((guest) => {
    const host = connect(hostPort, "127.0.0.1");
    guest.on("data", (piece: Buffer) => {
      const last = piece.length - 1;
      if (isSpoiling) piece.writeUInt8(piece.readUInt8(last) ^ 1, last);
      isSpoiling = false;
      host.write(piece);
    });
    host.pipe(guest);
    for (const [end, other] of [
      [guest, host],
      [host, guest],
    ] as const)
      end.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port, spoil: () => void (isSpoiling = true) };
}

/** What in a link nobody but its receiver may see. */
const secretsOf = (link: string): string[] => [link, ...(link.split("#1.")[1] ?? "").split(".")];

it("a member that is removed is told so, frees its seat, and has no way back [G9]", async () => {
  // Four seats are taken, and there are 64 (I8).
  expect(await ana.refused("tunnel_invite", { count: 61 })).toMatchObject({ code: "invite-limit" });
  expect(await ana.refused("tunnel_invite", { remove: "erin" })).toMatchObject({ code: "member-unknown" });
  expect(await ana.refused("tunnel_invite", { remove: "ana" })).toMatchObject({ code: "member-unknown" });
  expect(await ben.refused("tunnel_invite", { remove: "carl" })).toMatchObject({ code: "not-the-host" });
  const waiting = carl.call("tunnel_listen", { timeoutMs: 20_000 });
  const removed = await ana.call("tunnel_invite", { remove: "CARL" });
  expect(names(removed)).toEqual(["ana", "ben", "dora"]);
  expect(removed).toMatchObject({ invites: [], pending: [] });
  expect(await waiting).toMatchObject({ status: "closed", ended: { cause: "removed" } });
  expect(await carl.refused("tunnel_say", { text: "wait" })).toMatchObject({ code: "tunnel-closed" });
  for (const agent of [ana, ben, dora]) {
    expect(await hearUntil(agent, happens("left", "carl"))).toMatchObject([
      { from: "tunnel", text: "A member was removed by the host." },
    ]);
  }
  const made = await ana.call("tunnel_invite", { count: 61 });
  expect(made.invites).toHaveLength(61);
  for (const { inviteId } of made.invites ?? []) await ana.call("tunnel_invite", { revoke: inviteId });
  await ana.call("tunnel_say", { text: "without carl" });
  for (const agent of [ben, dora]) expect(words(await agent.hear())).toEqual(["without carl"]);
});

it("pending invites are shown by id and time left, without their secrets", async () => {
  const made = await ana.call("tunnel_invite", { count: 2 });
  const pending = (made.invites ?? []).map(({ inviteId }) => ({
    inviteId,
    expiresInSec: expect.any(Number),
    claimed: false,
  }));
  const { pending: listed } = made;
  expect(listed).toEqual(pending);
  const status = await ana.call("tunnel_status");
  expect(status).toMatchObject({ pendingInvites: pending });
  const revoked = await ana.call("tunnel_invite", { revoke: made.invites?.[0]?.inviteId });
  expect(revoked).toMatchObject({ invites: [], pending: pending.slice(1) });
  const shown = JSON.stringify([listed, status, revoked]);
  for (const link of [...(opened.invites ?? []), ...(made.invites ?? [])]) {
    for (const secret of secretsOf(link.joinLink)) expect(shown).not.toContain(secret);
  }

  // The removed one is the stranger now: its own link, one that it has got hold of, and a revoked one.
  for (const joinLink of [linkOf(opened, 1), linkOf(opened, 0), linkOf(made, 0)]) {
    expect(await carl.refused("tunnel_join", { joinLink })).toMatchObject({ code: "invite-refused" });
  }
  const joined = await carl.call("tunnel_join", { joinLink: linkOf(made, 1), name: "Tunnel" });
  expect(selfOf(joined).name).toBe("Tunnel (2)");
  expect(await ana.call("tunnel_status")).toMatchObject({ pendingInvites: [] });
  expect(await dora.refused("tunnel_join", { joinLink: linkOf(made, 1) })).toMatchObject({
    code: "already-joined",
  });
});

it("who comes later is given nothing from before, unless that was asked for [O8]", async () => {
  const { history } = await carl.call("tunnel_status");
  expect(history).toBe(false);
  await ana.call("tunnel_say", { text: "welcome" });
  expect(words(await hearUntil(carl, says("welcome")))).toEqual(["welcome"]);
  expect(words((await carl.call("tunnel_listen", { sinceSeq: 0 })).messages ?? [])).toEqual(["welcome"]);
  await Promise.all([ben, dora].map((agent) => hearUntil(agent, says("welcome"))));
});

it("who leaves is gone at once, and may come back as somebody new [G2]", async () => {
  expect(await dora.call("tunnel_close", { summary: "off to lunch" })).toMatchObject({
    summarySent: true,
    ended: { cause: "closed-here" },
  });
  for (const agent of [ana, ben, carl]) {
    const heard = await hearUntil(agent, happens("left", "dora"));
    expect(words(heard)).toEqual(["off to lunch"]);
    expect(heard.at(-1)).toMatchObject({ text: "A member left." });
  }
  const direct = linkOf(await ana.call("tunnel_invite", {}));
  path = await pathTo(portOf(direct));
  const joinLink = direct.replace(`:${portOf(direct)}/`, `:${path.port}/`);
  const back = await dora.call("tunnel_join", { joinLink, name: "ANA" });
  expect(selfOf(back).name).toBe("ANA (2)");
  await hearUntil(ana, happens("joined", "ANA (2)"));
});

it("tampering on the way is told to the host's agent by its own server, and nothing is lost [R4]", async () => {
  path?.spoil();
  await dora.call("tunnel_say", { text: "over a bad path" });
  const heard = await hearUntil(ana, says("over a bad path"));
  expect(heard).toMatchObject([
    {
      from: "tunnel",
      kind: "system",
      event: "alarm",
      local: true,
      memberName: "ANA (2)",
      error: { code: "integrity-failed" },
    },
    { kind: "chat", fromName: "ANA (2)" },
  ]);
  expect(await ana.call("tunnel_status")).toMatchObject({ alarms: [{ code: "integrity-failed" }] });
  // A notice is no event of the room: nobody else is told.
  expect(await hearUntil(carl, says("over a bad path"))).toMatchObject([
    { event: "joined", memberName: "ANA (2)" },
    { kind: "chat" },
  ]);
});

it("who was killed keeps its seat, and is shown as not connected [G2]", async () => {
  process.kill(ben.pid, "SIGKILL");
  for (const agent of [ana, carl]) {
    await until("it is seen to be gone", async () => {
      const { members = [] } = await agent.call("tunnel_status");
      return members.some(({ name, connected }) => name === "ben" && !connected);
    });
  }
  const said = await ana.call("tunnel_say", { text: "for when you are back", to: ["ben"] });
  expect(said).toMatchObject({ status: "queued", reason: expect.stringContaining("connected") });
  expect(said.members?.find(({ name }) => name === "ben")).toMatchObject({
    connected: false,
    lastSeenSec: expect.any(Number),
  });
  // A message to all goes to those who are there.
  expect(await carl.call("tunnel_say", { text: "is Ben away?" })).toMatchObject({ status: "sent" });
  const heard = [...(await hearUntil(ana, says("is Ben away?"))), ...(await look(ana))];
  expect(heard.filter(({ event }) => event === "left")).toEqual([]);
});

it("the end comes to all who are there, and the room's links open nothing more", async () => {
  const unused = linkOf(await ana.call("tunnel_invite", {}));
  await ana.call("tunnel_close", { summary: "done" });
  for (const agent of [carl, dora]) {
    const heard = await hearUntil(agent, ({ event }) => event === "ended");
    expect(words(heard).at(-1)).toBe("done");
    expect(await agent.call("tunnel_listen")).toMatchObject({ ended: { cause: "closed-by-host" } });
  }
  expect(await dora.refused("tunnel_join", { joinLink: unused })).toMatchObject({
    code: expect.stringMatching(/^(?:host-unreachable|tunnel-gone)$/),
  });
});
