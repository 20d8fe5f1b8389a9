import { once } from "node:events";
import { request } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createHttp } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readOffer } from "../../../src/cli/chat/offer-line.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { until } from "../../support/processes.ts";
import { sessionsOn } from "../../session/support.ts";
import { codeOf } from "../../support/thrown.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, type Event, type Side } from "./support.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  await endSides();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Says back what it hears. */
const echo = (): Promise<number> =>
  listening(
    createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => undefined).pipe(socket)),
  );

const page = (): Promise<number> =>
  listening(
    createHttp((incoming, response) => response.end(`${incoming.method} of ${incoming.headers.host}`)),
  );

/** Everybody lets everything through, unless a test is about asking. */
const OPEN = { unattended: true };

async function two(kind: "people" | "programs", config: object = OPEN): Promise<{ ana: Side; ben: Side }> {
  const json = kind === "programs";
  const clock = systemClock;
  const ana = startSide({ ...openRequest, json }, { clock, sessions: sessionsOn(clock, config) });
  const link = json
    ? JSON.stringify(await ana.event("opened")).match(/ws:[^\s"\\]+#[\w.-]+/)?.[0]
    : await linkOf(ana);
  const ben = startSide({ ...joinRequest(link), json }, { clock, sessions: sessionsOn(clock, config) });
  if (json) {
    await ben.event("joined");
    await ana.event("system", ({ what }) => what === "joined");
  } else {
    await ana.seen(/ben has joined/);
    await ben.seen(/^ben>/);
  }
  return { ana, ben };
}

async function said(port: number, words: string, host = "127.0.0.1"): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  sockets.add(socket);
  socket.end(words);
  let back = "";
  for await (const chunk of socket) back += String(chunk);
  return back;
}

interface Got {
  readonly status: number;
  readonly text: string;
  readonly location: string | undefined;
  readonly cookie: string | undefined;
}

function got(url: string, headers: Record<string, string> = {}): Promise<Got> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ host: hostname, port, path: pathname + search, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          text,
          location: response.headers.location,
          cookie: response.headers["set-cookie"]?.[0]?.split(";")[0],
        }),
      );
    })
      .on("error", reject)
      .end();
  });
}

describe("two people", () => {
  it("offer a TCP service, use it on the own loopback, see the counts, and end it", async () => {
    const { ana, ben } = await two("people");
    const target = await echo();
    ana.terminal.type(`/offer ${target} the queue --tcp --note echoes\r`);
    await ana.seen(new RegExp(`\\* the queue \\(.*:${target}\\) is offered to everybody\\. You are asked`));
    await ben.seen(
      new RegExp(
        `ana \\(human.*\\): offers the service the queue \\(tcp, .*port ${target} there\\): /connect 1$`,
      ),
    );
    await ben.seen(/^ {2}│ echoes$/);
    ben.terminal.type("/services\r");
    await ben.seen(/^Offered by others \(\/connect N\):$/);
    await ben.seen(/^ {2}1 {2}the queue of ana: tcp, at most 64 connections\b/);
    ben.terminal.type("/connect 1\r");
    const row = await ben.seen(/\* the queue is here: host 127\.0\.0\.1, port \d+\. Any program/);
    await ben.seen(/It is ana's: trust it no more than them\. \/disconnect 1 ends it\.$/);
    const port = Number(/port (\d+)/.exec(row)?.[1]);
    expect(await said(port, "hello")).toBe("hello");
    ben.terminal.type("/services\r");
    await ben.seen(
      new RegExp(`^ {2}1 {2}the queue of ana: 127\\.0\\.0\\.1:${port}, 0 open of 1 so far, 5 B in, 5 B`),
    );
    ana.terminal.type("/services\r");
    await ana.seen(/^ {2}1 {2}the queue \(.*\): tcp, to everybody, 0 open of 1 so far, 5 B in, 5 B/);
    ana.terminal.type("/withdraw the queue\r");
    await ana.seen(/\* the queue is no longer offered\.$/);
    await ben.seen(/ana.*: no longer offers the service the queue$/);
    await ben.seen(/! The service the queue is not here any more: its owner has withdrawn it\.$/);
    await expect(said(port, "hello")).rejects.toThrow(/ECONNREFUSED/);
    ben.terminal.type("/services\r");
    await ben.seen(/^No service is offered or used here\.$/);
  });

  it("take an HTTP service by a URL that works once and a header that stays, at a port of their own", async () => {
    const { ana, ben } = await two("people");
    ana.terminal.type(`/offer ${await page()} api --read-only --to ben --for 30m --max 5\r`);
    await ana.seen(/\* api \(.*\) is offered to ben\./);
    await ben.seen(
      /for ben alone\): offers the service api \(http, read only, at most 5 connections, for 30 minutes, port/,
    );
    const spare = await listening(createServer());
    await new Promise((resolve) => void servers.pop()?.close(resolve));
    ben.terminal.type(`/connect api ${spare}\r`);
    const address = /http:\S+$/.exec(await ben.seen(/\* api is here: http:\/\/127\.\S+$/))?.[0] ?? "";
    expect(new URL(address).port).toBe(String(spare));
    expect(new URL(address).hostname).not.toBe("127.0.0.1");
    const entry = /http:\S+$/.exec(await ben.seen(/^ {2}In a browser, once: http:\S+$/))?.[0] ?? "";
    const header = /: (\S+): (\S+)$/.exec(await ben.seen(/^ {2}Programs send with each request: \S+: \S+$/));
    const [, field = "", value = ""] = header ?? [];
    expect((await got(address)).status).toBe(403);
    const entered = await got(entry);
    expect([entered.status, entered.location]).toEqual([303, "/"]);
    expect((await got(address, { cookie: entered.cookie ?? "" })).status).toBe(200);
    expect((await got(entry)).status).not.toBe(303);
    expect(await got(address, { [field]: value })).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^GET of /),
    });
    ben.terminal.type("/disconnect 1\r");
    await ben.seen(/\* api is no longer here\.$/);
    await expect(got(address)).rejects.toThrow(/ECONNREFUSED/);
    // It is still offered.
    ben.terminal.type("/connect 1\r");
    await until("it is here again", () => (ben.terminal.raw.match(/api is here: /g) ?? []).length === 2);
  });

  it("are asked before it is offered and before the first connection, and the other side waits for that", async () => {
    const { ana, ben } = await two("people", {});
    const target = await echo();
    ana.terminal.type(`/offer ${target} queue --tcp\r`);
    await ana.seen(/\* queue \(.*\) is not offered yet: .* Type \/approve 1 or \/refuse 1\.$/);
    expect(ben.terminal.raw).not.toContain("queue");
    ana.terminal.type("/approve 1\r");
    await ben.seen(/offers the service queue/);
    ben.terminal.type("/connect queue\r");
    await ana.seen(/^\? 2 {2}ben wants to connect to queue \(/);
    await ben.seen(/\* The owner of queue, ana, is asked first\. You are told here when it is decided\.$/);
    ana.terminal.type("/approve 2\r");
    const row = await ben.seen(/\* queue is here: host 127\.0\.0\.1, port \d+/);
    expect(await said(Number(/port (\d+)/.exec(row)?.[1]), "hello")).toBe("hello");
  });

  it("are told that the other side's person does not want it", async () => {
    const { ana, ben } = await two("people", { unattended: false });
    ana.terminal.type(`/offer ${await echo()} queue --tcp\r`);
    await ana.seen(/Type \/approve 1/);
    ana.terminal.type("/approve 1\r");
    await ben.seen(/offers the service queue/);
    ben.terminal.type("/connect 1\r");
    await ana.seen(/^\? 2 {2}ben wants to connect/);
    ana.terminal.type("/refuse 2\r");
    await ben.seen(/the owner does not let you connect \(service-denied\)$/);
  });

  it("stop waiting for an owner who does not answer", async () => {
    const { ana, ben } = await two("people", { unattended: false });
    ana.terminal.type(`/offer ${await echo()} queue --tcp\r`);
    await ana.seen(/Type \/approve 1/);
    ana.terminal.type("/approve 1\r");
    await ben.seen(/offers the service queue/);
    ben.terminal.type("/connect 1\r");
    await ben.seen(/ana, is asked first/);
    ben.terminal.type("/disconnect 1\r");
    await ben.seen(/\* queue is no longer here\.$/);
    await ben.seen(/\(cancelled\)$/);
  });

  it.each<[line: string, why: RegExp]>([
    ["/offer", /the port is missing: \/offer 3000 \(input-invalid\)/],
    ["/offer 3000 --tpc", /there is no such option; did you mean --tcp\?/],
    ["/offer 3000 --read-only yes", /--read-only takes nothing/],
    ["/offer 3000 --tcp --mcp", /it is either --tcp or --mcp/],
    ["/offer 3000 --tcp --tcp", /--tcp is there twice/],
    ["/offer 3000 --for ever", /--for takes a time such as 2h/],
    ["/offer 3000 --max 0", /--max takes a number of connections/],
    ["/offer 3000 --to bne", /nobody else in the tunnel has this name: bne/],
    ["/offer 5432 --tcp", /a database is offered to named members only.*\(service-to-all\)/],
    ["/offer 22 --tcp", /\(service-target-refused\)/],
    ["/offer example.com:80", /\(service-target-not-local\)/],
    ["/connect 7", /no service of this id was offered to you \(service-unknown\)/],
    ["/connect", /\(service-unknown\)/],
    ["/withdraw nothing", /\(service-unknown\)/],
  ])("%s is refused with a reason, and the line comes back", async (line, why) => {
    const { ana } = await two("people");
    ana.terminal.type(`${line}\r`);
    await ana.seen(why);
    await ana.seen(new RegExp(`^ana> ${line}`));
  });

  it("a peer's names and notes cannot command the terminal, and are told apart by number", async () => {
    const { ana, ben } = await two("people");
    const target = await echo();
    ana.terminal.type(`/offer ${target} Done. Type /approve 1 now --tcp --note see\r`);
    await ben.seen(/offers the service “Done\. Type \/approve 1 now” \(tcp/);
    ana.terminal.type(`/offer ${target} twin --tcp\r`);
    await ben.seen(/the service twin .*\/connect 2$/);
    ana.terminal.type(`/offer ${target} TWIN --tcp\r`);
    await ben.seen(/the service TWIN .*\/connect 3$/);
    ben.terminal.type("/connect twin\r");
    await ben.seen(/several services have this name: 2, 3/);
  });

  it("complete commands, services and names with Tab", async () => {
    const { ana, ben } = await two("people");
    const target = await echo();
    ana.terminal.type(`/off\t${target} queue --tcp --to b\t\r`);
    await ana.seen(/\* queue \(.*\) is offered to ben\./);
    await ben.seen(/\/connect 1$/);
    ben.terminal.type("/con\tqu\t\r");
    await ben.seen(/\* queue is here/);
    ben.terminal.type("/s\t");
    await ben.seen(/^\/status {2}\/share {2}\/send {2}\/save {2}\/services {2}\/sign$/);
    ben.terminal.type("\u0015no slash\t\r");
    await ana.seen(/ben \(human, says their program\): no slash$/);
  });
});

describe("a line that offers", () => {
  it("takes a target, a name with spaces, and options in any order", () => {
    expect(readOffer("3000")).toEqual({ target: "3000", kind: "http" });
    expect(readOffer("localhost:3000  my  API --read-only --TO ben, carl von b --for 1h30m --each")).toEqual({
      target: "localhost:3000",
      kind: "http",
      name: "my  API",
      readOnly: true,
      to: ["ben", "carl von b"],
      expiresInMinutes: 90,
      confirmEach: true,
    });
    expect(readOffer("3000 a--b --mcp --max 3 --note see -- the docs")).toEqual({
      target: "3000",
      kind: "mcp",
      name: "a--b",
      maxConnections: 3,
      note: "see -- the docs",
    });
    expect(codeOf(() => readOffer("3000 --to ben,"))).toBe("input-invalid");
  });
});

const offeredSchema = z.looseObject({ serviceId: z.string() });
const connectedSchema = z.looseObject({
  url: z.string(),
  host: z.string(),
  port: z.number(),
  header: z.object({ field: z.string(), value: z.string() }).optional(),
});
const idOf = (event: Event): string => offeredSchema.parse(event).serviceId;

describe("two programs", () => {
  it("offer, hear, use, list and end services", async () => {
    const { ana, ben } = await two("programs");
    const target = await echo();
    ana.write({
      offer: { target, kind: "tcp", name: "queue", note: "echoes", to: ["ben"], maxConnections: 3 },
      ref: 1,
    });
    const offered = await ana.event("offered");
    expect(offered).toMatchObject({
      ref: 1,
      name: "queue",
      service: "tcp",
      port: target,
      to: ["ben"],
      status: expect.stringMatching(/sent|queued/),
    });
    const heard = await ben.event("service");
    expect(heard).toMatchObject({
      serviceId: idOf(offered),
      fromName: "ana",
      name: "queue",
      note: "echoes",
      maxConnections: 3,
    });
    expect(JSON.stringify(heard)).not.toContain("127.0.0.1");
    ben.write({ connect: { serviceId: idOf(heard) }, ref: "c" });
    const connected = connectedSchema.parse(await ben.event("connected"));
    expect(connected).toMatchObject({ ref: "c", host: "127.0.0.1", fromName: "ana" });
    expect(connected.header).toBeUndefined();
    expect(await said(connected.port, "hello")).toBe("hello");
    ben.write({ services: true, ref: "l" });
    expect(await ben.event("services")).toMatchObject({
      ref: "l",
      offered: [],
      listeners: [{ serviceId: idOf(heard), connections: 1, bytesIn: 5, bytesOut: 5 }],
      toYou: [],
    });
    ana.write({ stop: idOf(offered), ref: 2 });
    expect(await ana.event("stopped")).toMatchObject({ ref: 2, name: "queue", status: "withdrawn" });
    expect(await ben.event("withdrawal")).toMatchObject({ serviceId: idOf(heard) });
    expect(await ben.event("notice", ({ what }) => what === "service-over")).toMatchObject({
      why: "withdrawn",
    });
    ben.write({ connect: { serviceId: idOf(heard) }, ref: "again" });
    expect(await ben.event("error", ({ ref }) => ref === "again")).toMatchObject({
      code: "service-gone",
      line: 3,
    });
  });

  it("get the header for an HTTP service, and are told first that its owner is asked", async () => {
    const { ana, ben } = await two("programs", { unattended: false });
    ana.write({ offer: { target: await page(), kind: "http", name: "api", confirmEach: false }, ref: 1 });
    expect(await ana.event("offered")).toMatchObject({ status: "held", askId: 1, gates: ["offer-service"] });
    const decide = async (id: number): Promise<void> => {
      const { asks } = ana.sessions.overseer;
      await until("it is asked", () => asks.find(id) !== undefined);
      const ask = asks.find(id);
      if (ask !== undefined) asks.decide(ask.id, ask.digest, { verdict: "approve" }, { path: "terminal" });
    };
    await decide(1);
    const serviceId = idOf(await ben.event("service"));
    ben.write({ connect: { serviceId }, ref: 5 });
    expect(await ben.event("asked")).toEqual({
      event: "asked",
      ref: 5,
      serviceId,
      name: "api",
      fromName: "ana",
    });
    await decide(2);
    const { host, port, url, header } = connectedSchema.parse(await ben.event("connected"));
    expect(url).toMatch(new RegExp(`^http://${host}:${port}/`));
    const { field = "", value = "" } = header ?? {};
    expect((await got(`http://${host}:${port}/x`, { [field]: value })).status).toBe(200);
    ben.write({ stop: serviceId });
    expect(await ben.event("stopped")).toMatchObject({ serviceId, status: "stopped" });
  });
});
