import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createLookup } from "../../src/net/resolve.ts";
import type { TunnelError } from "../../src/errors/tunnel-error.ts";
import { formatLink, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { Guest } from "../../src/protocol/guest/guest.ts";
import { Room } from "../../src/protocol/host/room.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { loadDial, GuestSocket } from "../../src/transport/guest-socket.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

/** The first failure of a member that dials `origin`. */
async function failure(origin: string, lookup = createLookup({ doh: false })): Promise<TunnelError> {
  const clock = new FakeClock();
  const options = { goal: "goal", hostName: "ana", history: false, idleMs: 60_000, inviteMs: 60_000 };
  const room = new Room(nodePrimitives, options, clock.now());
  const { key } = room.mint(clock.now());
  const link = parseLink(formatLink({ origin, room: room.id, key, hostKey: room.hostKey }));
  const failures: TunnelError[] = [];
  const socket = new GuestSocket({
    member: new Guest(nodePrimitives, { link, name: "ben" }, clock.now()),
    room: room.id,
    clock,
    dial: await loadDial(),
    lookup,
    onNotice: () => undefined,
    onFailure: (error) => void failures.push(error),
  });
  cleanups.push(() => socket.stop());
  await until("it has failed", () => failures.length > 0);
  const [first] = failures;
  if (first === undefined) throw new Error("unreachable");
  return first;
}

async function serving(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("an answer that is no WebSocket", () => {
  it.each([
    [200, "not-a-tunnel"],
    [301, "not-a-tunnel"],
    [308, "not-a-tunnel"],
    [403, "not-a-tunnel"],
    [404, "tunnel-gone"],
    [429, "host-unreachable"],
    [502, "host-unreachable"],
    [530, "host-unreachable"],
  ])("HTTP %i is %s", async (status, code) => {
    let visits = 0;
    const other = createServer((_request, response) => {
      visits += 1;
      response.end();
    });
    const elsewhere = await serving(other);
    const server = createServer();
    server.on("upgrade", (_request, socket) => {
      socket.end(`HTTP/1.1 ${status} X\r\nLocation: ${elsewhere}/\r\nContent-Length: 3\r\n\r\nabc`);
    });
    expect(await failure(await serving(server))).toMatchObject({ code, detail: `HTTP ${status}` });
    expect(visits).toBe(0);
  });

  it("garbage, or an end without a word, is host-unreachable", async () => {
    const garbage = createTcpServer((socket) => {
      socket.on("error", () => undefined).end("SSH-2.0-OpenSSH_9.9\r\n");
    });
    expect(await failure(await serving(garbage))).toMatchObject({ code: "host-unreachable" });
    const silent = createTcpServer((socket) => {
      socket.on("error", () => undefined).destroy();
    });
    expect(await failure(await serving(silent))).toMatchObject({ code: "host-unreachable" });
  });
});

describe("no answer", () => {
  it("a closed port is host-unreachable", async () => {
    const server = createServer();
    const origin = await serving(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await failure(origin)).toMatchObject({ code: "host-unreachable", detail: "ECONNREFUSED" });
  });

  it.each(["ENOTFOUND", "EAI_AGAIN"])(
    "a name that does not resolve (%s) is host-name-unknown",
    async (code) => {
      const lookup = createLookup({
        doh: false,
        system: () => Promise.reject(Object.assign(new Error("no such name"), { code })),
      });
      expect(await failure("ws://a-b-c.trycloudflare.com", lookup)).toMatchObject({
        code: "host-name-unknown",
      });
    },
  );

  it("a name that leads to an address which is never a tunnel is told so", async () => {
    const system = () => Promise.resolve([{ address: "169.254.169.254", family: 4 }]);
    const error = await failure("ws://a-b-c.trycloudflare.com", createLookup({ doh: false, system }));
    expect(error).toMatchObject({ code: "link-address" });
  });
});
