import { describe, expect, it } from "vitest";
import stringWidth from "string-width";
import { Board } from "../../../src/cli/watch/board.ts";
import { readTyped, type Typed } from "../../../src/cli/watch/commands.ts";
import { servicesNews } from "../../../src/cli/watch/service-lines.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import type { ListenerView, OwnServiceView, ServicesView } from "../../../src/view/services.ts";
import type { WatchEvent } from "../../../src/watch/protocol.ts";
import { memberIdFromText } from "../../session/support.ts";
import { AT, FakeServer, hello, tunnelOf, Watcher } from "./support.ts";

const COUNTS = { open: 1, connections: 2, bytesIn: 2_048, bytesOut: 5 };

function own(serviceId: string, over: Partial<OwnServiceView> = {}): OwnServiceView {
  return {
    serviceId,
    name: "queue",
    service: "tcp",
    port: 5_433,
    readOnly: undefined,
    livesSec: undefined,
    maxConnections: 64,
    confirmEach: undefined,
    status: "offered",
    why: undefined,
    target: "localhost:5433",
    to: ["ben"],
    expiresInSec: 600,
    tools: undefined,
    calls: undefined,
    ...COUNTS,
    ...over,
  };
}

function listener(serviceId: string, over: Partial<ListenerView> = {}): ListenerView {
  return {
    serviceId,
    name: "api",
    fromName: "ben",
    service: "http",
    host: "127.9.8.7",
    port: 3_000,
    expiresInSec: undefined,
    status: "listening",
    trouble: undefined,
    ...COUNTS,
    ...over,
  };
}

const view = (over: Partial<ServicesView> = {}): ServicesView => ({
  offered: [own("own1")],
  listeners: [listener("theirs1")],
  toYou: [],
  ...over,
});

const told = (services: ServicesView | undefined, tunnelId = "aaaa"): WatchEvent => ({
  t: "services",
  tunnelId,
  services,
});

const connection = (over: Partial<Extract<WatchEvent, { t: "connection" }>> = {}): WatchEvent => ({
  t: "connection",
  tunnelId: "aaaa",
  change: "opened",
  side: "offered",
  serviceId: "own1",
  name: "queue",
  memberName: "ben",
  bytesIn: 0,
  bytesOut: 0,
  ...over,
});

describe("a person who watches services", () => {
  it("sees connections come and go, with the member and the bytes", () => {
    const w = new Watcher();
    w.hear(hello([tunnelOf()]), connection());
    w.hear(connection({ change: "closed", bytesIn: 2_048, bytesOut: 5 }));
    w.hear(connection({ side: "taken", name: "api" }));
    expect(w.terminal.rows).toEqual(
      expect.arrayContaining([
        "* queue: connected: ben",
        "* queue: closed: ben (2.0 KiB in, 5 B out)",
        "* api: connected: this machine, to ben",
      ]),
    );
  });

  it("is told of listeners that come and go, of owners that are cut off, and of the end of an offer", () => {
    const w = new Watcher();
    w.hear(hello([tunnelOf()]), told(view()));
    w.hear(told(view({ listeners: [listener("theirs1", { status: "away" })] })));
    w.hear(told(view({ offered: [own("own1", { status: "over", why: "expired" })], listeners: [] })));
    expect(w.terminal.rows).toEqual(
      expect.arrayContaining([
        "* api of ben is on this machine now: 127.9.8.7:3000",
        "* api of ben is cut off with its owner",
        "* queue (localhost:5433) is no longer offered: its time is over",
        "* api of ben is no longer on this machine",
      ]),
    );
    // The same once more is no news.
    expect(servicesNews(view(), view())).toEqual([]);
    expect(servicesNews(undefined, view({ offered: [own("x", { status: "over" })], listeners: [] }))).toEqual(
      [],
    );
  });

  it("lists them, with the time that is left by now", async () => {
    const w = new Watcher(120);
    const toYou = [{ ...own("offer1"), name: "docs", fromName: "ben", to: undefined, expiresInSec: 30 }];
    w.hear(hello([tunnelOf()]), told(view({ toYou })));
    await w.type("services");
    expect(w.terminal.rows).toEqual(
      expect.arrayContaining([
        "[aaaa] services",
        "offered by you (withdraw SERVICE):",
        "  own1  queue (localhost:5433): tcp, to ben, 1 open of 2 so far, 2.0 KiB in, 5 B out, 10 minutes left",
        "used on this machine (disconnect SERVICE):",
        "  theirs1  api of ben: 127.9.8.7:3000, 1 open of 2 so far, 2.0 KiB in, 5 B out",
        "offered by others:",
      ]),
    );
    await w.clock.advance(60_000);
    await w.type("services");
    expect(w.text).toContain("9 minutes left");
    expect(w.terminal.rows.filter((row) => row === "offered by others:")).toHaveLength(1);
    w.hear(told(undefined));
    await w.type("services");
    expect(w.text).toContain("No service is offered or used.");
  });

  it("withdraws an offer and ends a listener, by name or id, each at its own server", async () => {
    const w = new Watcher();
    w.hear(hello([tunnelOf()]), told(view()));
    await w.type("withdraw QUEUE");
    await w.type("disconnect theirs1");
    expect(w.server.told).toEqual([
      { do: "stop-service", tunnelId: "aaaa", service: "own1" },
      { do: "stop-service", tunnelId: "aaaa", service: "theirs1" },
    ]);
  });

  it("sees which tool of an MCP server a member has called, and how that ended", () => {
    const w = new Watcher();
    const call = {
      at: 0,
      method: "tools/call",
      name: "search_pages\u001b[2J",
      end: "answered",
      ms: 12,
      chars: 1_204,
    } as const;
    const event = {
      t: "call",
      tunnelId: "aaaa",
      serviceId: "own1",
      name: "docs",
      memberName: "ben",
    } as const;
    w.hear(hello([tunnelOf()]), { ...event, call });
    w.hear({ ...event, call: { ...call, name: undefined, method: "tools/list", end: "refused" } });
    expect(w.terminal.rows).toEqual(
      expect.arrayContaining([
        "* docs: ben called tools/call search_pages\\u{1B}[2J (answered, 12 ms, 1204 characters)",
        "* docs: ben called tools/list (refused, 12 ms)",
      ]),
    );
  });

  it("is told by what name a service goes that is no longer offered", () => {
    const w = new Watcher();
    w.hear(hello([tunnelOf()]), told(view()));
    const entry = {
      kind: "withdrawal",
      seq: 2,
      ts: AT,
      from: memberIdFromText("idofben"),
      fromName: "ben",
      lookAlike: undefined,
      own: undefined,
      intent: undefined,
      author: undefined,
      replyTo: undefined,
      to: undefined,
      beforeYou: undefined,
      serviceId: "theirs1",
    } as const;
    w.hear({ t: "entry", at: 1, tunnelId: "aaaa", isOwn: false, entry });
    expect(w.text).toMatch(/ben \(agent\) no longer offers the service api/);
  });

  it("is not drowned by connections: very many are one line", async () => {
    const w = new Watcher();
    w.hear(hello([tunnelOf()]));
    for (let at = 0; at < 5_000; at += 1) w.hear(connection());
    await w.clock.advance(6_000);
    expect(w.terminal.rows.filter((row) => row.startsWith("* queue: connected"))).toHaveLength(60);
    expect(w.text).toContain("queue: 4940 more connections began or ended in this time.");
  });

  it("cannot be deceived by what a peer has called a service", () => {
    const w = new Watcher(60);
    const name = "\u001b]0;x\u0007? 9 approve it ".repeat(9);
    w.hear(hello([tunnelOf()]), connection({ name, memberName: name }));
    w.hear(told(view({ listeners: [listener("x", { name, fromName: name })] })));
    expect(w.terminal.title).toBe("tunnel-mcp watch");
    for (const row of w.terminal.rows) expect(stringWidth(row)).toBeLessThan(60);
    expect(w.terminal.rows.filter((row) => row.startsWith("?"))).toEqual([]);
  });
});

describe("a typed command about services", () => {
  const [one, two] = [new FakeServer("1"), new FakeServer("2")];
  const board = new Board();
  board.heard(one, hello([tunnelOf()]));
  board.heard(one, told(view()));
  board.heard(two, hello([tunnelOf("bbbb")]));
  board.heard(
    two,
    told(view({ offered: [own("own2"), own("gone", { name: "old", status: "over" })] }), "bbbb"),
  );
  const read = (line: string): Typed =>
    readTyped(line, { board, chosen: undefined, wasShown: () => "shown" });

  it.each<[line: string, code: string, detail: RegExp]>([
    ["withdraw", "input-invalid", /the name is missing/],
    ["withdraw queue", "input-invalid", /several have this name: give the id, own1 in aaaa, own2 in bbbb/],
    ["withdraw old", "service-unknown", /^$/],
    ["withdraw api", "service-unknown", /^$/],
    ["disconnect queue", "service-unknown", /^$/],
  ])("%j is refused: %s", (line, code, detail) => {
    try {
      read(line);
      throw new Error("it was taken");
    } catch (error) {
      expect(error).toBeInstanceOf(TunnelError);
      expect(error).toMatchObject({ code });
      expect(error instanceof TunnelError ? (error.detail ?? "") : "").toMatch(detail);
    }
  });

  it("goes to the server that has it, until that has gone", () => {
    expect(read("withdraw own2")).toMatchObject({
      server: two,
      command: { tunnelId: "bbbb", service: "own2" },
    });
    board.gone(two);
    expect(read("withdraw queue")).toMatchObject({ server: one });
    board.heard(one, {
      ...hello([tunnelOf()]),
      services: [{ tunnelId: "aaaa", services: view() }],
    } as WatchEvent);
    expect(read("disconnect api")).toMatchObject({ command: { service: "theirs1" } });
  });
});
