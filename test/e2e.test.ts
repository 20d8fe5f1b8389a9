import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SETTINGS } from "../src/cli/settings.ts";
import {
  Agent,
  besideEndpoint,
  closeAgents,
  REVISION,
  unfenced,
  type Era,
  type Payload,
} from "./support/agent.ts";
import { until } from "./support/processes.ts";

/** One conversation from the invite to the end, over stdio, against the built file. */
describe.each<[Era, Era]>([
  ["legacy", "modern"],
  ["modern", "legacy"],
])("a session of a host that speaks the %s era with a guest that speaks the %s one", (hostEra, guestEra) => {
  let host: Agent;
  let guest: Agent;
  let opened: Payload;
  let joined: Payload;
  beforeAll(async () => {
    const agents = [Agent.start({}, hostEra), Agent.start({ TUNNEL_NAME: "ben" }, guestEra)] as const;
    [host, guest] = await Promise.all(agents);
  });
  afterAll(closeAgents);
  const SECONDS = expect.any(Number);

  it("negotiates the revision and tells the instructions", () => {
    expect(host.client.getNegotiatedProtocolVersion()).toBe(REVISION[hostEra]);
    expect(guest.client.getNegotiatedProtocolVersion()).toBe(REVISION[guestEra]);
    expect(host.client.getInstructions()).toMatch(/^A tunnel connects you/);
    expect(host.client.getServerVersion()).toMatchObject({ name: "tunnel-mcp" });
  });

  it("knows nothing before a tunnel is open", async () => {
    expect(await host.call("tunnel_status")).toEqual({
      status: "idle",
      tunnels: [],
      unread: 0,
      next: expect.stringContaining("tunnel_open"),
    });
    for (const tool of ["tunnel_listen", "tunnel_close", "tunnel_invite"])
      expect(await host.refused(tool)).toMatchObject({ code: "no-tunnel" });
    expect(await host.refused("tunnel_say", { text: "x" })).toMatchObject({ code: "no-tunnel" });
  });

  it("opens with an invite that can be pasted", async () => {
    opened = await host.call("tunnel_open", { goal: "align the orders API", name: "ana" });
    const [invite] = opened.invites ?? [];
    expect(opened).toEqual({
      tunnelId: expect.stringMatching(/^[0-9a-f]{12}$/),
      status: "waiting_for_members",
      goal: "align the orders API",
      self: { id: expect.any(String), name: "ana" },
      transport: "direct",
      history: false,
      joinLink: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/t\/[\w-]{22}#1\.[\w-]{43}\.[\w-]{43}$/),
      joinLinkExpiresInSec: 600,
      invite: expect.any(String),
      invites: [
        {
          inviteId: expect.any(String),
          joinLink: opened.joinLink,
          invite: opened.invite,
          expiresInSec: 600,
        },
      ],
      unread: 0,
      idleEndsInSec: SETTINGS.idleMinutes.default * 60,
      next: expect.stringContaining("tunnel_listen"),
    });
    for (const part of [opened.joinLink, "claude mcp add", "10 minutes", "secret"])
      expect(opened.invite).toContain(part);
    expect(invite?.inviteId).not.toBe("");
  });

  it("joins with the link, and both sides have the same safety code", async () => {
    expect(await host.call("tunnel_listen", { timeoutMs: 0 })).toEqual({
      tunnelId: opened.tunnelId,
      status: "waiting_for_members",
      messages: [],
      unread: 0,
      more: false,
      next: expect.stringContaining("invite"),
    });
    joined = await guest.call("tunnel_join", { joinLink: opened.joinLink });
    const [ana, ben] = [
      { name: "ana", isHost: true },
      { name: "ben", isHost: false },
    ].map((one) => ({ ...one, id: expect.any(String), lastSeenSec: SECONDS, readSeq: SECONDS }));
    expect(joined).toMatchObject({
      tunnelId: expect.stringMatching(/^[0-9a-f]{12}$/),
      status: "open",
      goal: "align the orders API",
      self: { name: "ben" },
      members: expect.arrayContaining([
        expect.objectContaining({ ...ana, isSelf: false, connected: true, workContext: { client: "e2e 0" } }),
      ]),
      safetyCode: expect.stringMatching(/^(?:\S+ ){7}\/ [a-z]+ [a-z]+ [a-z]+ [a-z]+$/),
      unread: expect.any(Number),
    });
    const heard = await host.call("tunnel_listen");
    expect(heard).toMatchObject({
      status: "open",
      messages: [
        {
          seq: 1,
          from: "tunnel",
          fromName: "tunnel",
          kind: "system",
          event: "joined",
          memberName: "ben",
          text: "A member joined.",
          ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          ageSec: SECONDS,
        },
      ],
      unread: 0,
    });
    const status = await host.call("tunnel_status");
    expect(status).toMatchObject({
      role: "host",
      status: "open",
      goal: "align the orders API",
      openedAt: expect.stringMatching(/^\d{4}-/),
      transport: "direct",
      transportHealth: "up",
      members: [
        { ...ana, isSelf: true },
        { ...ben, isSelf: false, connected: true },
      ],
      pendingInvites: [],
      lastSeq: 1,
      unread: 0,
      idleEndsInSec: SECONDS,
      safetyCode: joined.safetyCode,
    });
    expect(await guest.call("tunnel_status")).toMatchObject({
      role: "member",
      connection: "connected",
      queued: 0,
      safetyCode: joined.safetyCode,
    });
  });

  it("carries words both ways, fenced, in order, and returns nobody's own", async () => {
    const asked = await host.call("tunnel_say", { text: "Which page size?\n\tOr none?", intent: "request" });
    expect(asked).toEqual({
      tunnelId: opened.tunnelId,
      status: "sent",
      seq: 2,
      members: expect.arrayContaining([expect.objectContaining({ name: "ben", connected: true })]),
      unread: 0,
    });
    const [request, ...none] = await guest.hear();
    expect(none).toEqual([]);
    expect(request).toMatchObject({ seq: 2, fromName: "ana", kind: "chat", intent: "request" });
    expect(request?.text).toMatch(/^<<peer-text [0-9a-f]{12}>>\n/);
    expect(unfenced(request?.text ?? "")).toBe("Which page size?\n\tOr none?");
    const [answer, heard] = await Promise.all([
      guest.call("tunnel_say", { text: "Fifty.", intent: "inform", replyTo: 2, waitMs: 20_000 }),
      host.hear().then(async (messages) => {
        await host.call("tunnel_say", { text: "Noted.", intent: "ack", replyTo: 3 });
        return messages;
      }),
    ]);
    expect(heard).toMatchObject([{ seq: 3, fromName: "ben", intent: "inform", replyTo: 2 }]);
    expect(answer).toMatchObject({
      status: "sent",
      seq: 3,
      messages: [{ seq: 4, fromName: "ana", intent: "ack", replyTo: 3 }],
      unread: 0,
      more: false,
    });
    expect(await guest.call("tunnel_listen", { timeoutMs: 0 })).toMatchObject({ messages: [] });
  });

  it("shows the sender how far the others have read, and lets everybody read again", async () => {
    await until("the host knows that all is read", async () => {
      await guest.call("tunnel_status");
      const { members = [] } = await host.call("tunnel_status");
      return members.find(({ name }) => name === "ben")?.readSeq === 4;
    });
    const again = await guest.call("tunnel_listen", { sinceSeq: 0 });
    expect(again.messages?.map(({ seq }) => seq)).toEqual([2, 4]);
    expect(again.messages?.every(({ redelivered }) => redelivered === true)).toBe(true);
  });

  it("ends for everybody, with the last words first, and stays readable", async () => {
    const waiting = guest.call("tunnel_listen", { timeoutMs: 20_000 });
    const closed = await host.call("tunnel_close", { summary: "Page size is fifty." });
    expect(closed).toMatchObject({
      role: "host",
      status: "closed",
      summarySent: true,
      ended: { cause: "closed-here" },
    });
    const messages = [...((await waiting).messages ?? [])];
    let last: Payload = {};
    while (last.ended === undefined) {
      last = await guest.call("tunnel_listen", { timeoutMs: 20_000 });
      messages.push(...(last.messages ?? []));
    }
    expect(messages.map(({ text }) => text)).toEqual([
      expect.stringContaining("Page size is fifty."),
      "The host closed the tunnel.",
    ]);
    expect(last).toMatchObject({ status: "closed", ended: { cause: "closed-by-host" } });
    expect(await guest.refused("tunnel_say", { text: "Wait" })).toMatchObject({ code: "tunnel-closed" });
    expect(await host.refused("tunnel_say", { text: "Wait" })).toMatchObject({ code: "tunnel-closed" });
    const over = await guest.call("tunnel_listen", { timeoutMs: 20_000 });
    expect(over).toMatchObject({ messages: [], status: "closed", next: expect.stringContaining("over") });
    expect(await host.call("tunnel_close")).toMatchObject({ status: "closed" });
  });

  it("has written nothing to standard error, and leaves no file", async () => {
    expect([host.stderr, guest.stderr]).toEqual(["", ""]);
    const left = (): string[] => [...host.box.left(), ...guest.box.left()];
    // While they run there is the private folder of the local endpoint.
    expect(besideEndpoint(left())).toEqual([]);
    await Promise.all([host.client.close(), guest.client.close()]);
    await until("nothing is left", () => left().length === 0);
  });
});
