import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { createServer, type Server } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { Faces, MAX_FACES } from "../../src/watch/faces.ts";
import { WatchClient } from "../../src/watch/client.ts";
import type { AskView, WatchEvent } from "../../src/watch/protocol.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { rejectedWith } from "../support/rejection.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

const TOKEN = "t".repeat(43);

let folder: string;
let server: Server;
let ana: Sessions;
let ben: Sessions;
let host: HostSession;
let guest: GuestSession;
const clients: WatchClient[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "watch-"));
  [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  const opened = await ana.host(hostRequest("Agree on the API"));
  host = opened.hosting;
  guest = await ben.join(joinRequest(opened.invites[0]?.joinLink));
  const faces = new Faces({
    sessions: ana,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid: 1, version: "0", folder: "/w" },
  });
  server = createServer((socket) => faces.accept(socket, (token) => token === TOKEN));
  await new Promise<void>((resolve) => server.listen(path.join(folder, "s"), resolve));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all([ana.shutDown(), ben.shutDown()]);
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** A face, and all that it has been told. */
function face(token = TOKEN) {
  const events: WatchEvent[] = [];
  let isClosed = false;
  const client = new WatchClient({ endpoint: path.join(folder, "s"), token }, "0", {
    event: (event) => void events.push(event),
    closed: () => (isClosed = true),
  });
  clients.push(client);
  const of = <Kind extends WatchEvent["t"]>(kind: Kind) =>
    events.filter((event): event is Extract<WatchEvent, { t: Kind }> => event.t === kind);
  const asks = (): AskView[] => [
    ...of("hello").flatMap((hello) => hello.asks),
    ...of("ask").map(({ ask }) => ask),
  ];
  const texts = () =>
    of("entry").flatMap(({ entry }) =>
      entry.kind === "chat" ? [[entry.fromName, entry.author, entry.text]] : [],
    );
  return { client, events, of, asks, texts, isClosed: () => isClosed };
}

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

function heard(tunnel: HostSession | GuestSession): string[] {
  const { entries } = tunnel.inbox.take("look", 100);
  tunnel.inbox.settle();
  return entries.flatMap(({ entry }) =>
    entry.kind === "chat" ? [entry.text] : entry.kind === "notice" ? [entry.notice] : [],
  );
}

describe("a face of this side's person", () => {
  it("H12: is shown the tunnels, what was said and what waits, whenever it comes", async () => {
    await guest.say({ text: "hello" });
    host.oversight.hold("out", { path: "watch" });
    expect(await host.say({ text: "an answer" })).toMatchObject({ status: "held", askId: 1 });
    const { of, texts } = face();
    await until("it has the entry", () => texts().length === 1);
    const [hello] = of("hello");
    expect(hello?.tunnels[0]).toMatchObject({
      goal: "Agree on the API",
      oversight: { gates: ["hold-out"], heldOut: 1 },
    });
    expect(hello?.asks[0]).toMatchObject({ ask: 1, subject: { text: "an answer" }, state: "waiting" });
    expect(of("ask")).toEqual([]);
    expect(texts()).toEqual([["ben", undefined, "hello"]]);
  });

  it("H9, H10: decides about what it was shown, and every other face learns it", async () => {
    host.oversight.hold("out", { path: "watch" });
    const [one, other] = [face(), face()];
    await until("both are there", () => other.of("hello").length === 1 && one.of("hello").length === 1);
    await host.say({ text: "an answer" });
    await until("both are asked", () => one.asks().length === 1 && other.asks().length === 1);
    const { ask, digest } = one.asks()[0] ?? { ask: 0, digest: "" };
    const approve = { do: "decide", ask, decision: { verdict: "approve" } } as const;
    expect(await rejectedWith(one.client.ask({ ...approve, digest: "0".repeat(64) }))).toBe("ask-changed");
    await one.client.ask({ ...approve, digest });
    expect(await rejectedWith(other.client.ask({ ...approve, digest }))).toBe("ask-decided");
    await until("the other is told", () =>
      other.asks().some(({ state, by }) => state === "approved" && by === "watch"),
    );
    await until("it has arrived", () => guest.inbox.unread > 0);
    expect(heard(guest)).toContain("an answer");
    await until("the agent is told", () => heard(host).includes("decided"));
  });

  it("H15, H26: sends a person's own words in place of the agent's, as the person's", async () => {
    host.oversight.hold("out", { path: "watch" });
    const { client, asks } = face();
    await host.say({ text: "a rude answer" });
    await until("it is asked", () => asks().length === 1);
    const { ask, digest } = asks()[0] ?? { ask: 0, digest: "" };
    await client.ask({ do: "decide", ask, digest, decision: { verdict: "edit", text: "a kind answer" } });
    await until("it has arrived", () => guest.inbox.unread > 0);
    const { entries } = guest.inbox.take("look", 10);
    expect(entries.at(-1)?.entry).toMatchObject({ kind: "chat", text: "a kind answer", author: "human" });
    expect(heard(host)).toContain("a kind answer");
  });

  it("H26: speaks as a person, to all or to some", async () => {
    const { client, texts } = face();
    await client.ask({ do: "say", tunnelId: host.tunnelId, text: "I am here", to: ["ben"] });
    await until("it is heard", () => texts().length === 1);
    expect(texts()).toEqual([["ana", "human", "I am here"]]);
    await until("it has arrived", () => guest.inbox.unread > 0);
    expect(heard(guest)).toContain("I am here");
  });

  it("H25: pauses and resumes, and the peer sees it", async () => {
    const { client } = face();
    await client.ask({ do: "pause", tunnelId: host.tunnelId });
    const seen = () => guest.presence().find(({ isHost }) => isHost)?.oversight?.state;
    await until("the peer sees it", () => seen() === "paused");
    await guest.say({ text: "are you there?" });
    expect(await host.say({ text: "yes" })).toMatchObject({ status: "held", why: { reason: "paused" } });
    expect(heard(host)).not.toContain("are you there?");
    await client.ask({ do: "resume", tunnelId: host.tunnelId });
    await until("the peer sees that, too", () => seen() === "free");
    await until("it is delivered", () => heard(host).includes("are you there?"));
    await until("the answer is sent", () => heard(guest).includes("yes"));
  });

  it("holds what comes in, and keeps back what is refused", async () => {
    const { client, asks } = face();
    await client.ask({ do: "hold", tunnelId: host.tunnelId, mode: "in" });
    await guest.say({ text: "run this" });
    await until("it is asked", () => asks().length === 1);
    expect(asks()[0]).toMatchObject({ member: "ben", gates: ["hold-in"], subject: { text: "run this" } });
    const { ask, digest } = asks()[0] ?? { ask: 0, digest: "" };
    await client.ask({ do: "decide", ask, digest, decision: { verdict: "refuse" } });
    await until("the agent is told no more", () => host.inbox.unread > 0);
    expect(heard(host)).toEqual(["withheld"]);
  });

  it("removes and ends, and keeps all of it in the audit", async () => {
    const { client } = face();
    await client.ask({ do: "kick", tunnelId: host.tunnelId, name: "ben" });
    await until("it is out", () => guest.end?.cause === "removed");
    await client.ask({ do: "end", tunnelId: host.tunnelId });
    expect(host.end?.cause).toBe("closed-here");
    const { records } = host.oversight.audit;
    expect(records.map((record) => (record.kind === "mode" ? record.mode : record.kind))).toEqual([
      "face",
      "remove",
      "end",
    ]);
    expect(await rejectedWith(client.ask({ do: "pause", tunnelId: host.tunnelId }))).toBe("tunnel-closed");
  });

  it("H8, P13: is seen by the others and by the audit when it comes and goes", async () => {
    const first = face();
    await until("it is there", () => first.of("hello").length === 1);
    const second = face();
    await until("the first is told", () => first.of("faces").some(({ count }) => count === 2));
    second.client.close();
    await until("and told again", () => first.of("faces").some(({ change }) => change === "closed"));
    expect(host.oversight.audit.records.map((one) => one.kind === "face" && one.change)).toEqual([
      "opened",
      "opened",
      "closed",
    ]);
  });

  it("H1: tells nothing to one without the token, and drops one that sends nonsense or too much", async () => {
    const stranger = face("x".repeat(43));
    await until("it is closed", stranger.isClosed);
    expect(stranger.events).toEqual([]);
    expect(await rejectedWith(stranger.client.ask({ do: "end", tunnelId: host.tunnelId }))).toBe(
      "control-failed",
    );
    const many = Array.from({ length: MAX_FACES + 1 }, () => face());
    await until("one is too many", () => many.some((one) => one.isClosed()));
    expect(many.filter((one) => one.isClosed())).toHaveLength(1);
  });

  it("refuses what it cannot carry out, with a code", async () => {
    const { client } = face();
    expect(await rejectedWith(client.ask({ do: "pause", tunnelId: "nothing" }))).toBe("tunnel-unknown");
    expect(await rejectedWith(client.ask({ do: "say", tunnelId: host.tunnelId, text: "\u0007" }))).toBe(
      "text-invalid",
    );
    expect(await rejectedWith(client.ask({ do: "kick", tunnelId: host.tunnelId, name: "nobody" }))).toBe(
      "member-unknown",
    );
  });
});
