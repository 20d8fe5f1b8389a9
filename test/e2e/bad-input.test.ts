import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { Agent, closeAgents, portOf, type Payload, unfenced } from "../support/agent.ts";
import { accepts, until } from "../support/processes.ts";

/** Every bad input gets a code and a next step (the helper insists on both), and nothing is lost by it. */
let host: Agent;
let guest: Agent;
let link = "";
let opened: Payload;
beforeAll(async () => {
  [host, guest] = await Promise.all([
    Agent.start({ TUNNEL_NAME: "ana" }),
    Agent.start({ TUNNEL_NAME: "ben" }),
  ]);
  opened = await host.call("tunnel_open", { goal: "be robust", invites: 20 });
  link = opened.invites?.[0]?.joinLink ?? "";
});
afterAll(closeAgents);

let used = 0;
function freshLink(): string {
  used += 1;
  return opened.invites?.[used]?.joinLink ?? "";
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function at(origin: string): string {
  return freshLink().replace(/^ws:\/\/[^/]+/, origin);
}

/** Another letter of the same alphabet, whose low bits are zero, so that the text stays well-formed. */
function changed(text: string, index: number): string {
  return text.slice(0, index) + (text[index] === "A" ? "E" : "A") + text.slice(index + 1);
}

const code = async (agent: Agent, tool: string, args: Record<string, unknown>): Promise<string> =>
  (await agent.refused(tool, args)).code;

describe("links", () => {
  it.each<[string, (link: string) => string, string]>([
    ["empty", () => "", "link-malformed"],
    ["no link at all", () => "hello there", "link-malformed"],
    ["without its secret", (text) => text.split("#")[0] ?? "", "link-malformed"],
    ["truncated", (text) => text.slice(0, -1), "link-malformed"],
    ["cut in the key", (text) => text.slice(0, text.indexOf("#") + 20), "link-malformed"],
    ["two of them", (text) => `${text} ${text.replace("#1.", "#1.A").slice(0, -1)}`, "link-malformed"],
    ["with something after it", (text) => `${text}.x`, "link-malformed"],
    ["far too long", (text) => text + "A".repeat(100_000), "link-malformed"],
    ["closing marks without end", () => `${">".repeat(1_000_000)}x`, "link-malformed"],
    ["to an address that is none", (text) => text.replace(/127\.0\.0\.1:\d+/, "[::::]:80"), "link-malformed"],
    [
      "to numbers that are none",
      (text) => text.replace(/127\.0\.0\.1:\d+/, "1.2.3.999:80"),
      "link-malformed",
    ],
    ["another scheme", (text) => text.replace("ws:", "http:"), "link-malformed"],
    ["of a later version", (text) => text.replace("#1.", "#2."), "link-version"],
    [
      "to the metadata service",
      (text) => text.replace(/127\.0\.0\.1:\d+/, "169.254.169.254"),
      "link-address",
    ],
    ["to nowhere", (text) => text.replace(/127\.0\.0\.1:\d+/, "0.0.0.0:1"), "link-address"],
  ])("%s", async (_, change, expected) => {
    expect(await code(guest, "tunnel_join", { joinLink: change(link) })).toBe(expected);
  });

  it("in the whole invite, with the line breaks and marks that a chat has made, lead in", async () => {
    const invite = opened.invites?.[(used += 1)]?.invite ?? "";
    const quoted = invite.replace("ws://", "WS://").replace("#1.", "\n#1.\u200b").replaceAll("\n", "\r\n> ");
    const { tunnelId } = await guest.call("tunnel_join", { joinLink: `> ${quoted}` });
    await guest.call("tunnel_close", { tunnelId });
  });

  it("of this very server", async () => {
    expect(await code(host, "tunnel_join", { joinLink: link })).toBe("own-link");
  });

  it("with one character of the invite key changed is refused", async () => {
    const joinLink = freshLink();
    const other = changed(joinLink, joinLink.indexOf("#1.") + 8);
    expect(await code(guest, "tunnel_join", { joinLink: other })).toBe("invite-refused");
  });

  it("with one character of the host's key changed: the host cannot answer", async () => {
    const joinLink = freshLink();
    const other = changed(joinLink, joinLink.lastIndexOf(".") + 8);
    expect(await code(guest, "tunnel_join", { joinLink: other })).toMatch(
      /^(?:invite-refused|host-not-authentic)$/,
    );
  });

  it("of a room that is not there", async () => {
    const joinLink = freshLink();
    const other = changed(joinLink, joinLink.indexOf("/t/") + 5);
    expect(await code(guest, "tunnel_join", { joinLink: other })).toBe("tunnel-gone");
  });

  it("that was revoked", async () => {
    const made = await host.call("tunnel_invite", { tunnelId: opened.tunnelId, count: 1 });
    const [invite] = made.invites ?? [];
    const pending = await host.call("tunnel_invite", { revoke: invite?.inviteId });
    expect(JSON.stringify(pending)).not.toContain(invite?.inviteId);
    expect(await code(guest, "tunnel_join", { joinLink: invite?.joinLink })).toBe("invite-refused");
    // The very same call so soon is answered as the first one was.
    const again = { revoke: invite?.inviteId, tunnelId: opened.tunnelId };
    expect(await code(host, "tunnel_invite", again)).toBe("invite-unknown");
  });

  it("to a closed port", async () => {
    const server = createServer();
    const origin = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await code(guest, "tunnel_join", { joinLink: at(origin) })).toBe("host-unreachable");
  });

  it.each([
    [200, "not-a-tunnel"],
    [301, "not-a-tunnel"],
    [403, "not-a-tunnel"],
    [404, "tunnel-gone"],
  ])("to a web server that answers %i", async (status, expected) => {
    const paths: (string | undefined)[] = [];
    const answer = createServer((_request, response) => response.writeHead(404).end());
    answer.on("upgrade", (request, socket) => {
      paths.push(request.url);
      socket.end(`HTTP/1.1 ${status} X\r\nLocation: ws://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n`);
    });
    const origin = await listening(answer);
    expect(await code(guest, "tunnel_join", { joinLink: at(origin) })).toBe(expected);
    expect(paths).toHaveLength(1);
    answer.close();
  });

  it("to a host that does not hold the key: nothing is revealed to it, not even a name", async () => {
    const received: Buffer[] = [];
    const urls: (string | undefined)[] = [];
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    const joinLink = at(await listening(server));
    const room = Buffer.from(/\/t\/([^#]+)#/.exec(joinLink)?.[1] ?? "", "base64url");
    sockets.on("connection", (socket, request) => {
      urls.push(request.url, JSON.stringify(request.headers));
      socket.send(Buffer.concat([Buffer.from([1, 1]), room, Buffer.alloc(32, 7)]));
      socket.on("message", (data: Buffer) => {
        received.push(data);
        socket.send(Buffer.concat([Buffer.from([3]), Buffer.alloc(32 + 5 + 16, 9)]));
      });
    });
    const refusal = await guest.refused("tunnel_join", { joinLink, name: "benjamin" });
    expect(refusal).toMatchObject({ code: "host-not-authentic", retryable: false });
    expect(received).toHaveLength(1);
    expect(Buffer.concat(received).includes("benjamin")).toBe(false);
    const [, key = "", hostKey = ""] = (joinLink.split("#")[1] ?? "").split(".");
    expect(Buffer.concat(received).includes(Buffer.from(key, "base64url"))).toBe(false);
    for (const secret of [key, hostKey, "benjamin", "#"]) expect(urls.join(" ")).not.toContain(secret);
    sockets.close();
    server.close();
  });

  it("used, and joined again by the same server", async () => {
    const joinLink = freshLink();
    const { tunnelId } = await guest.call("tunnel_join", { joinLink });
    expect(await code(guest, "tunnel_join", { joinLink, name: "again" })).toBe("already-joined");
    await guest.call("tunnel_close", { tunnelId });
    expect(await code(guest, "tunnel_join", { joinLink })).toBe("invite-refused");
  });
});

describe("arguments", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["tunnel_open", {}, "input-invalid"],
    ["tunnel_open", { goal: 7 }, "input-invalid"],
    ["tunnel_open", { goal: "x", gaol: "x" }, "input-invalid"],
    ["tunnel_open", { goal: "x", invites: 0 }, "input-invalid"],
    ["tunnel_open", { goal: "x", invites: 64 }, "input-invalid"],
    ["tunnel_open", { goal: "x", transport: "carrier-pigeon" }, "input-invalid"],
    ["tunnel_open", { goal: "" }, "goal-invalid"],
    ["tunnel_open", { goal: "  " }, "goal-invalid"],
    ["tunnel_open", { goal: "two\nlines" }, "goal-invalid"],
    ["tunnel_open", { goal: "\u001b[2Jred" }, "goal-invalid"],
    ["tunnel_open", { goal: "x".repeat(501) }, "goal-invalid"],
    ["tunnel_open", { goal: "x", name: " " }, "name-invalid"],
    ["tunnel_open", { goal: "x", name: "n".repeat(65) }, "name-invalid"],
    ["tunnel_join", {}, "input-invalid"],
    ["tunnel_say", {}, "input-invalid"],
    ["tunnel_say", { text: "" }, "text-invalid"],
    ["tunnel_say", { text: " \n" }, "text-invalid"],
    ["tunnel_say", { text: "bell\u0007" }, "text-invalid"],
    ["tunnel_say", { text: "\u009b31m" }, "text-invalid"],
    ["tunnel_say", { text: "\u009b2Jred" }, "text-invalid"],
    ["tunnel_say", { text: "\ud800" }, "text-invalid"],
    ["tunnel_say", { text: "x".repeat(65_537) }, "text-too-long"],
    ["tunnel_say", { text: "é".repeat(32_769) }, "text-too-long"],
    ["tunnel_say", { text: "x", intent: "order" }, "input-invalid"],
    ["tunnel_say", { text: "x", tunnelId: "nowhere" }, "tunnel-unknown"],
    ["tunnel_listen", { timeoutMs: -1 }, "input-invalid"],
    ["tunnel_listen", { limit: 0 }, "input-invalid"],
    ["tunnel_status", { tunnelId: "nowhere" }, "tunnel-unknown"],
    ["tunnel_close", { summary: "\u0000" }, "text-invalid"],
    ["tunnel_invite", { revoke: "nothing" }, "invite-unknown"],
    ["tunnel_invite", { count: 63 }, "invite-limit"],
  ])("%s %j is %s", async (tool, args, expected) => {
    expect(await code(host, tool, args)).toBe(expected);
    expect(await host.call("tunnel_status")).toMatchObject({ tunnelId: opened.tunnelId });
  });

  it("an unusable argument is named", async () => {
    expect((await host.refused("tunnel_open", {})).message).toContain("goal");
  });

  it("a text of exactly the limit passes", async () => {
    const { joinLink } = { joinLink: freshLink() };
    const { tunnelId } = await guest.call("tunnel_join", { joinLink });
    const text = "é".repeat(32_768);
    expect(await host.call("tunnel_say", { text })).toMatchObject({ status: "sent" });
    const [message] = await guest.hear(1, { tunnelId });
    expect(message?.text).toContain(text);
    expect(await code(guest, "tunnel_say", { text: "x", tunnelId, replyTo: 9_999 })).toBe("reply-unknown");
    expect(await code(guest, "tunnel_invite", { tunnelId })).toBe("not-the-host");
    await guest.call("tunnel_close", { tunnelId });
  });
});

it("colours in a goal, a message and a last message are taken out, and the result says how many", async () => {
  const [ana, ben] = [await Agent.start(), await Agent.start()];
  const opened = await ana.call("tunnel_open", { goal: "\u001b[1malign\u001b[0m" });
  expect(opened).toMatchObject({ goal: "align", removed: "2 control sequences" });
  await ben.call("tunnel_join", { joinLink: opened.joinLink });
  const said = await ben.call("tunnel_say", { text: "\u001b[31mFAIL\u001b[39m a.test.ts" });
  expect(said).toMatchObject({ status: "sent", removed: "2 control sequences" });
  const plain = await ben.call("tunnel_say", { text: "plain" });
  expect(plain).not.toHaveProperty("removed");
  const heard = await ana.hear(2);
  expect(heard.map(({ text }) => unfenced(text))).toEqual(["FAIL a.test.ts", "plain"]);
  const closed = await ben.call("tunnel_close", { summary: "\u001b[32mdone\u001b[m" });
  expect(closed).toMatchObject({ removed: "2 control sequences" });
  await Promise.all([ana.close(), ben.close()]);
});

describe("one process with several tunnels", () => {
  it("names them when a call does not say which, up to the limit", async () => {
    const agent = await Agent.start();
    const ids: string[] = [];
    for (let made = 0; made < 8; made += 1) {
      const { tunnelId = "" } = await agent.call("tunnel_open", { goal: `goal ${made}` });
      ids.push(tunnelId);
    }
    expect(await code(agent, "tunnel_open", { goal: "one more" })).toBe("too-many-tunnels");
    expect(await code(agent, "tunnel_join", { joinLink: link })).toBe("too-many-tunnels");
    for (const tool of ["tunnel_say", "tunnel_listen", "tunnel_close", "tunnel_invite"]) {
      const refusal = await agent.refused(tool, tool === "tunnel_say" ? { text: "x" } : {});
      expect(refusal.code).toBe("tunnel-ambiguous");
      for (const id of ids) expect(refusal.message).toContain(id);
    }
    const status = await agent.call("tunnel_status");
    expect(status.tunnels?.map(({ tunnelId }) => tunnelId)).toEqual(ids);
    for (const tunnelId of ids.slice(1)) await agent.call("tunnel_close", { tunnelId });
    expect(await agent.call("tunnel_status")).toMatchObject({ tunnelId: ids[0], goal: "goal 0" });
    expect(await code(agent, "tunnel_say", { text: "x" })).toBe("nobody-joined");
    await agent.close();
  });

  it("keeps two conversations of one guest apart", async () => {
    const other = await Agent.start({ TUNNEL_NAME: "cleo" });
    const second = await other.call("tunnel_open", { goal: "another matter" });
    const [first, both] = [
      await guest.call("tunnel_join", { joinLink: freshLink() }),
      await guest.call("tunnel_join", { joinLink: second.joinLink }),
    ];
    await other.call("tunnel_say", { text: "from cleo" });
    await host.call("tunnel_say", { text: "from ana" });
    expect(await guest.hear(1, { tunnelId: first.tunnelId })).toMatchObject([{ fromName: "ana" }]);
    expect(await guest.hear(1, { tunnelId: both.tunnelId })).toMatchObject([{ fromName: "cleo" }]);
    expect(await code(guest, "tunnel_say", { text: "to whom?" })).toBe("tunnel-ambiguous");
    await guest.call("tunnel_close", { tunnelId: both.tunnelId });
    await guest.call("tunnel_close", { tunnelId: first.tunnelId });
    await other.close();
  });
});

it("exactly one of two who use a link at the same time gets in", async () => {
  const third = await Agent.start({ TUNNEL_NAME: "dora" });
  const joinLink = freshLink();
  const results = await Promise.all([guest, third].map((agent) => agent.result("tunnel_join", { joinLink })));
  const refused = results.filter(({ isError }) => isError === true);
  expect(refused.map(({ structuredContent }) => structuredContent)).toMatchObject([
    { error: { code: "invite-refused" } },
  ]);
  await third.close();
});

it("a port in use, an address that is not ours and a variable that does not parse are told", async () => {
  const squatter = createTcpServer();
  await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
  const { port } = squatter.address() as AddressInfo;
  const taken = await Agent.start({ TUNNEL_PORT: String(port) });
  expect(await taken.refused("tunnel_open", { goal: "x" })).toMatchObject({
    code: "port-in-use",
    message: expect.stringContaining(String(port)),
  });
  squatter.close();
  const again = await taken.call("tunnel_open", { goal: "x" });
  expect(portOf(again.joinLink)).toBe(port);
  // Another tunnel of this server shares it (fixed-port.test.ts).
  const beside = await taken.call("tunnel_open", { goal: "y" });
  expect(portOf(beside.joinLink)).toBe(port);
  for (const { tunnelId } of [again, beside]) await taken.call("tunnel_close", { tunnelId });
  await until("nothing listens any more", async () => !(await accepts(port)));
  const elsewhere = await Agent.start({ TUNNEL_BIND: "192.0.2.1" });
  expect(await code(elsewhere, "tunnel_open", { goal: "x" })).toBe("bind-failed");
  await Promise.all([taken.close(), elsewhere.close()]);
});
