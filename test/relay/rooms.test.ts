import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { RELAY_LIMITS } from "../../src/relay/limits/limits.ts";
import { until } from "../support/processes.ts";
import { aRelay, atEnd, echoed, echoRoom, guest, hostOf, roomId, tcpServer, upgrade } from "./support.ts";

const quick = { ...RELAY_LIMITS, forgetfulMs: 0, held: { ...RELAY_LIMITS.held, ms: 300 } };

describe("a room at a relay", () => {
  it("has the relay's own address, and carries its guests' bytes both ways as they are", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    expect(tunnel.url).toBe(`ws://127.0.0.1:${relay.port}`);
    const guests = await Promise.all(Array.from({ length: 5 }, () => guest(relay.port, room)));
    for (const one of guests) {
      const bytes = randomBytes(700_000);
      expect((await echoed(one, bytes)).equals(bytes)).toBe(true);
    }
  });

  it("passes on what a WebSocket needs and a tag of the source, and no word of the guest on itself", async () => {
    const relay = await aRelay();
    const { port, heads } = await echoRoom();
    const [room, other] = [roomId(), roomId()];
    const host = hostOf(relay);
    await host(port, { kind: "room", room });
    await host(port, { kind: "room", room: other });
    const headers = {
      "Sec-WebSocket-Key": "abc",
      Origin: "https://page.example",
      "Tunnel-Source": "forged",
      "X-Forwarded-For": "198.51.100.1",
      Cookie: "a=b",
    };
    await guest(relay.port, room, headers);
    await guest(relay.port, room, headers);
    await guest(relay.port, other, headers);
    const [first = "", second = "", third = ""] = heads;
    expect(first.split("\r\n")[0]).toBe(`GET /t/${room} HTTP/1.1`);
    expect(first).toContain("Sec-WebSocket-Key: abc");
    expect(first).toContain("Origin: https://page.example");
    expect(first).not.toMatch(/forged|198\.51|Cookie|127\.0\.0\.1\b(?!:)/);
    const tag = (head: string): string | undefined => /^tunnel-source: ([0-9a-f]{16})$/m.exec(head)?.[1];
    expect(tag(first)).toBeDefined();
    expect(tag(second)).toBe(tag(first));
    expect(tag(third)).not.toBe(tag(first));
  });

  it("is 404 where nobody knows it or its host has given it up, and for everything that is no upgrade", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    expect((await upgrade(relay.port, `/t/${roomId()}`)).status).toBe(404);
    expect((await upgrade(relay.port, `/t/${room}/x`)).status).toBe(404);
    const status = await new Promise((resolve) =>
      request({ host: "127.0.0.1", port: relay.port, path: `/t/${room}` }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end(),
    );
    expect(status).toBe(404);
    await tunnel.stop();
    await until("the room is given up", async () => (await upgrade(relay.port, `/t/${room}`)).status === 404);
  });

  it("holds a guest while the host is away, then 503 and Retry-After, never 404", async () => {
    const relay = await aRelay({ limits: quick });
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    // It is told to come back later than the guest is held.
    relay.hosts.get({ kind: "room", name: room })?.close("too-many", 2_000);
    await until("the host is away", () => tunnel.health().state === "degraded");
    const began = Date.now();
    const refused = await upgrade(relay.port, `/t/${room}`);
    expect(refused.status).toBe(503);
    expect(Date.now() - began).toBeGreaterThanOrEqual(quick.held.ms - 20);
    expect("response" in refused ? refused.response.headers["retry-after"] : "").toBe("2");
  });

  it("lets a held guest in as soon as the host is back, by the same link", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    relay.hosts.get({ kind: "room", name: room })?.close("too-many", 500);
    await until("the host is away", () => tunnel.health().state === "degraded");
    const one = await guest(relay.port, room);
    expect((await echoed(one, Buffer.from("hello"))).toString()).toBe("hello");
    expect(tunnel.health().state).toBe("up");
  });

  it("keeps its guests when the host's line breaks, and is back in a moment", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    const before = await guest(relay.port, room);
    relay.hosts.get({ kind: "room", name: room })?.close("too-slow");
    await until("the host is back", () => relay.hosts.get({ kind: "room", name: room })?.isReady === true);
    expect((await echoed(before, Buffer.from("still here"))).toString()).toBe("still here");
    await until("its health is good", () => tunnel.health().state === "up");
  });

  it("answers 503 where the host's room does not answer", async () => {
    const relay = await aRelay();
    const room = roomId();
    // Nobody listens at port 1.
    await hostOf(relay)(1, { kind: "room", room });
    expect((await upgrade(relay.port, `/t/${room}`)).status).toBe(503);
  });

  it("slows a fast host down to a guest that does not read, and other guests go on", async () => {
    const relay = await aRelay();
    let written = 0;
    const port = await tcpServer((socket) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk)) written += chunk.length;
      };
      socket.on("data", () => undefined).on("drain", more);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      more();
    });
    const room = roomId();
    await hostOf(relay)(port, { kind: "room", room });
    const slow = await guest(relay.port, room);
    slow.pause();
    const rss = process.memoryUsage().rss;
    await new Promise((resolve) => setTimeout(resolve, 700));
    const stalledAt = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(written).toBe(stalledAt);
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 * 1024 * 1024);
    const quickOne = await guest(relay.port, room);
    let read = 0;
    quickOne.on("data", (chunk: Buffer) => (read += chunk.length));
    await until("the other one reads", () => read > 4 * 1024 * 1024);
  });

  it("lets guests in over the host's line where a proxy on the way takes no other connection of the host", async () => {
    const relay = await aRelay();
    // Passes the WebSocket of the host, and nothing else that asks for an upgrade.
    const proxy = await tcpServer((socket) => {
      socket.once("data", (chunk: Buffer) => {
        if (chunk.includes("/_tunnel/guest/"))
          return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        const onward = connect(relay.port, "127.0.0.1", () =>
          onward.write(chunk.toString("latin1").replace(/Host: .*/, `Host: 127.0.0.1:${proxy}`), "latin1"),
        );
        onward.on("error", () => socket.destroy());
        socket.pipe(onward).pipe(socket);
      });
    });
    const { port, heads } = await echoRoom();
    const room = roomId();
    await hostOf(proxy)(port, { kind: "room", room });
    for (let at = 0; at < 3; at += 1) {
      const one = await guest(relay.port, room);
      const bytes = randomBytes(3_000_000);
      expect((await echoed(one, bytes)).equals(bytes)).toBe(true);
      one.destroy();
    }
    expect(heads.every((head) => /^tunnel-source: [0-9a-f]{16}$/m.test(head))).toBe(true);
    await until("nothing is left", () => relay.hosts.all[0]?.visits.total === 0);
  });

  it("is closed for its guests, too, when an operator closes it", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    const one = await guest(relay.port, room);
    const closed = new Promise((resolve) => one.resume().once("close", resolve));
    const { claims } = relay.context;
    const claim = await claims.find({ kind: "room", name: room });
    if (claim?.node === undefined) throw new Error("not claimed");
    await claims.tell(claim.node, { type: "close", claim, epoch: claim.epoch });
    await closed;
    expect(await new Promise((resolve) => tunnel.onDown(resolve))).toMatchObject({
      code: "relay-refused",
      detail: "closed",
    });
    expect((await upgrade(relay.port, `/t/${room}`)).status).toBe(404);
  });

  it("belongs to its key: nobody else takes it, and its own newest process does", async () => {
    const relay = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    await expect(hostOf(relay)(port, { kind: "room", room })).rejects.toMatchObject({ code: "relay-name" });
    expect(tunnel.health().state).toBe("up");
    expect((await upgrade(relay.port, `/t/${room}`)).status).toBe(101);
  });

  it("is served again by a relay that was killed and started anew on its port, with the same link", async () => {
    const first = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(first)(port, { kind: "room", room });
    await first.close();
    await until("the host has noticed", () => tunnel.health().state === "degraded");
    const second = await aRelay({ port: first.port, limits: RELAY_LIMITS });
    // The new one knows nothing yet, and holds the guest all the same.
    const one = await guest(second.port, room);
    expect((await echoed(one, Buffer.from("again"))).toString()).toBe("again");
    expect(tunnel.health().state).not.toBe("down");
    atEnd(() => one.destroy());
  });

  it("is back after a drain that took longer than its host was told to wait", async () => {
    const first = await aRelay();
    const { port } = await echoRoom();
    const room = roomId();
    await hostOf(first)(port, { kind: "room", room });
    // Somebody is in, so the drain takes all of its time; the host tries again meanwhile, and nobody listens.
    const stays = await guest(first.port, room);
    await first.drain({ backMs: 100, graceMs: 1_500 });
    stays.destroy();
    const second = await aRelay({ port: first.port, limits: RELAY_LIMITS });
    const one = await guest(second.port, room);
    expect((await echoed(one, Buffer.from("again"))).toString()).toBe("again");
    atEnd(() => one.destroy());
  });
});
