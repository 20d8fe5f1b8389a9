import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/clock.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { WatchClient } from "../../src/watch/client.ts";
import { Faces } from "../../src/watch/faces.ts";
import type { AskView, WatchEvent } from "../../src/watch/protocol.ts";
import { until } from "../support/processes.ts";
import { rejectedWith, rejection } from "../support/rejection.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

const WATCH = { path: "watch" } as const;
const TOKEN = "t".repeat(43);
const POSIX_PATH = process.platform !== "win32";

let folder: string;
let endpoint: string;
let server: Server;
let ana: Sessions;
let ben: Sessions;
let host: HostSession;
let guest: GuestSession;
const ends: (() => void)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "watch-"));
  endpoint = POSIX_PATH ? path.join(folder, "s") : `\\\\.\\pipe\\${path.basename(folder)}`;
  [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  const opened = await ana.host(hostRequest());
  host = opened.hosting;
  guest = await ben.join(joinRequest(opened.invites[0]?.joinLink));
  const faces = new Faces({
    sessions: ana,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid: 1, version: "0", folder: "/w" },
  });
  server = createServer((socket) => {
    // As the endpoint does it.
    socket.on("error", () => socket.destroy());
    faces.accept(socket, (token) => token === TOKEN);
  });
  await new Promise<void>((resolve) => server.listen(endpoint, resolve));
});

afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await Promise.all([ana.shutDown(), ben.shutDown()]);
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

async function face() {
  const events: WatchEvent[] = [];
  let isClosed = false;
  const client = new WatchClient({ endpoint, token: TOKEN }, "0", {
    event: (event) => void events.push(event),
    closed: () => (isClosed = true),
  });
  ends.push(() => client.close());
  await until("the snapshot", () => events.length > 0);
  const asks = (): AskView[] => events.flatMap((event) => (event.t === "ask" ? [event.ask] : []));
  const decide = (
    { ask, digest }: AskView,
    decision: { verdict: "approve" } | { verdict: "edit"; text: string },
  ) => client.ask({ do: "decide", ask, digest, decision });
  return { client, events, asks, decide, isClosed: () => isClosed };
}

/** A connection that says what it likes. */
async function raw(...lines: string[]): Promise<{ socket: Socket; read: () => string }> {
  const socket = connect(endpoint);
  ends.push(() => socket.destroy());
  socket.on("error", () => socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  for (const line of lines) socket.write(`${line}\n`);
  return { socket, read: () => text };
}
const GREETING = JSON.stringify({ token: TOKEN, version: "0" });

it.each([
  "garbage",
  "{}",
  "null",
  "[]",
  '{"do":"approve","id":1}',
  '{"do":"decide","id":1,"ask":1,"digest":"x","decision":{"verdict":"approve"}}',
  '{"do":"pause","id":1,"tunnelId":"x","more":1}',
  '{"do":"end","id":0,"tunnelId":"x"}',
  `{"do":"say","id":1,"tunnelId":"x","text":${JSON.stringify("x".repeat(300 * 1024))}}`,
])("a line that is no command is answered, and the face goes on: %.60s", async (line) => {
  const { socket, read } = await raw(GREETING, line);
  await until("it is answered", () => read().includes('"ok":false'));
  expect(read()).toContain('"code":"input-invalid"');
  socket.write(`${JSON.stringify({ do: "pause", id: 7, tunnelId: host.tunnelId })}\n`);
  await until("the next one is carried out", () => read().includes('"id":7,"ok":true'));
});

it("a line without an end fills no memory, before the greeting and after it", async () => {
  for (const first of [[], [GREETING]]) {
    const { socket } = await raw(...first);
    const gone = new Promise((resolve) => socket.once("close", resolve));
    for (let at = 0; at < 64 && !socket.destroyed; at += 1) socket.write("x".repeat(64 * 1024));
    await gone;
  }
});

it("a face that stops reading is dropped, and costs no more than its bound", async () => {
  const { socket, read } = await raw(GREETING);
  await until("the snapshot", () => read() !== "");
  socket.pause();
  const text = "x".repeat(60_000);
  const records = () => host.oversight.audit.records.filter((one) => one.kind === "face");
  for (let at = 0; at < 1_200 && records().length < 2; at += 1) await host.say({ text: `${at} ${text}` });
  await until("it is dropped", () => records().at(-1)?.kind === "face" && records().length === 2);
  // Another one is served as ever.
  expect((await face()).events[0]?.t).toBe("hello");
}, 60_000);

it("64 KiB of text go both ways whole, and a thousand entries arrive in order", async () => {
  const { client, events } = await face();
  const text = "ä€😀\n".repeat(6_000);
  await client.ask({ do: "say", tunnelId: host.tunnelId, text });
  const texts = () =>
    events.flatMap((one) => (one.t === "entry" && one.entry.kind === "chat" ? [one.entry.text] : []));
  await until("it is heard", () => texts().length === 1);
  expect(texts()[0]).toBe(text);
  for (let at = 0; at < 1_000; at += 1) await host.say({ text: `${at}` });
  await until("all have come", () => texts().length === 1_001);
  expect(texts().slice(1)).toEqual(Array.from({ length: 1_000 }, (_, at) => `${at}`));
  // States are told in steps, not with each entry.
  expect(events.filter(({ t }) => t === "tunnel").length).toBeLessThan(300);
}, 60_000);

it("H12: a face that comes late is given the last of what was said, and not thousands", async () => {
  for (let at = 0; at < 300; at += 1) await host.say({ text: `${at}` });
  const { events } = await face();
  const entries = () => events.filter(({ t }) => t === "entry").length;
  await until("they have come", () => entries() > 0);
  expect(entries()).toBeLessThanOrEqual(50);
});

it("several tunnels have one numbering, and each command its own", async () => {
  const other = (await ana.host(hostRequest("another"))).hosting;
  const { client, asks, events, decide } = await face();
  expect(events[0]).toMatchObject({ tunnels: [{ goal: expect.anything() }, { goal: "another" }] });
  for (const tunnel of [host, other]) {
    await client.ask({ do: "hold", tunnelId: tunnel.tunnelId, mode: "out" });
    await tunnel.say({ text: `from ${tunnel.tunnelId}` });
  }
  await until("both are asked", () => asks().length === 2);
  expect(asks().map(({ ask, tunnelId }) => [ask, tunnelId])).toEqual([
    [1, host.tunnelId],
    [2, other.tunnelId],
  ]);
  // The digest of one is none of the other.
  const [first, second] = asks();
  if (first === undefined || second === undefined) throw new Error("no asks");
  expect(await rejectedWith(decide({ ...first, digest: second.digest }, { verdict: "approve" }))).toBe(
    "ask-changed",
  );
  await client.ask({ do: "end", tunnelId: other.tunnelId });
  await until("its ask is withdrawn", () =>
    asks().some(({ ask, state }) => ask === 2 && state === "withdrawn"),
  );
  await decide(first, { verdict: "approve" });
  await until("the other goes on", () => guest.inbox.unread > 0);
});

it("a decision that comes while the tunnel ends is told so, and numbers are never used again", async () => {
  const { client, asks, decide } = await face();
  await client.ask({ do: "hold", tunnelId: host.tunnelId, mode: "out" });
  await host.say({ text: "may I?" });
  await until("it is asked", () => asks().length === 1);
  const [ask] = asks();
  if (ask === undefined) throw new Error("no ask");
  await client.ask({ do: "end", tunnelId: host.tunnelId });
  const late = await rejection(decide(ask, { verdict: "approve" }));
  expect(late).toMatchObject({ code: "ask-decided", detail: "it is no longer asked" });
  expect([...guest.inbox.said()]).toEqual([]);
  const next = (await ana.host(hostRequest("another"))).hosting;
  next.oversight.hold("out", WATCH);
  expect(await next.say({ text: "and now?" })).toMatchObject({ status: "held", askId: 2 });
  expect(await rejectedWith(client.ask({ do: "go-on", tunnelId: host.tunnelId }))).toBe("tunnel-closed");
});

it("an edit of a message for one member stays for that one", async () => {
  const { client, asks, decide } = await face();
  const carl = sessionsOn(systemClock);
  ends.push(() => void carl.shutDown());
  const [invite] = host.invite(1);
  const third = await carl.join({ ...joinRequest(invite?.joinLink), name: "carl" });
  await client.ask({ do: "hold", tunnelId: host.tunnelId, mode: "out" });
  const to = host
    .presence()
    .filter(({ name }) => name === "ben")
    .map(({ id }) => id);
  await host.say({ text: "for ben", to });
  await until("it is asked", () => asks().length === 1);
  const [ask] = asks();
  if (ask === undefined) throw new Error("no ask");
  expect(ask.subject).toMatchObject({ to: ["ben"] });
  await decide(ask, { verdict: "edit", text: "in my words, for ben" });
  await until("it has come", () => [...guest.inbox.said()].length > 0);
  expect([...guest.inbox.said()].at(-1)).toMatchObject({ text: "in my words, for ben", author: "human" });
  expect([...third.inbox.said()].map((one) => (one.kind === "chat" ? one.text : ""))).not.toContain(
    "in my words, for ben",
  );
});

it("words for a name that is not there go to nobody, and a guest takes nobody out", async () => {
  const { client } = await face();
  const say = { do: "say", tunnelId: host.tunnelId, text: "hello" } as const;
  expect(await rejectedWith(client.ask({ ...say, to: ["nobody"] }))).toBe("member-unknown");
  expect(await rejectedWith(client.ask({ ...say, to: ["ben", "nobody"] }))).toBe("member-unknown");
  expect([...guest.inbox.said()]).toEqual([]);
  expect(host.oversight.audit.records.filter((one) => one.kind === "mode")).toEqual([]);
});

it("H30, P14: a peer's flood under hold-in is eight asks and one line, and one notice to the agent", async () => {
  const { client, asks, events } = await face();
  await client.ask({ do: "hold", tunnelId: host.tunnelId, mode: "in" });
  const before = process.memoryUsage().heapUsed;
  for (let at = 0; at < 5_500; at += 1) await guest.say({ text: `flood ${at}` });
  await until(
    "all have come",
    () => host.inbox.unread >= 0 && events.filter(({ t }) => t === "entry").length >= 5_500,
    60_000,
  );
  expect(asks()).toHaveLength(8);
  expect(asks().every(({ state }) => state === "waiting")).toBe(true);
  expect(events.filter(({ t }) => t === "crowded")).toHaveLength(1);
  expect(host.oversight.heldIn).toBeLessThanOrEqual(5_000);
  const notices = host.inbox
    .take("look", 100)
    .entries.flatMap(({ entry }) => (entry.kind === "notice" ? [entry.notice] : []));
  expect(notices).toEqual(["withheld"]);
  expect((process.memoryUsage().heapUsed - before) / 1024 ** 2).toBeLessThan(200);
}, 120_000);
