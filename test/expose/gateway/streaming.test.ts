import { describe, expect, it } from "vitest";
import {
  ask,
  fieldsOf,
  gatewayTo,
  HOST,
  httpService,
  ok,
  rawService,
  RawVisitor,
  request,
  sleep,
  statusOf,
  until,
} from "./harness.ts";

const MIB = 2 ** 20;
/** Written again and again: memory for each piece would have the collector at work long after the test. */
const BLOCK = Buffer.alloc(MIB);

describe("streaming", () => {
  it("each chunk of the service is with the visitor before the next one comes", async () => {
    const service = await rawService(() => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /"));
    await visitor.sees("\r\n\r\n");
    for (const part of ["one", "two", "three"]) {
      service.sockets[0]?.write(`${part.length}\r\n${part}\r\n`);
      await visitor.sees(part);
    }
    service.sockets[0]?.write("0\r\n\r\n");
    expect(await visitor.closed()).toMatch(/0\r\n\r\n$/);
  });

  it("each chunk of the visitor is with the service before the next one comes", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Transfer-Encoding: chunked"));
    for (const part of ["one", "two", "three"]) {
      visitor.write(`${part.length}\r\n${part}\r\n`);
      await until(() => (service.received[0] ?? "").includes(part));
    }
  });

  it("both ways at once", async () => {
    const service = await rawService((_head, socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Transfer-Encoding: chunked"));
    await visitor.sees("200 OK");
    for (const part of ["ping", "again"]) {
      visitor.write(`${part.length}\r\n${part}\r\n`);
      await until(() => (service.received[0] ?? "").includes(part));
      service.sockets[0]?.write(`${part.length}\r\n${part.toUpperCase().replace("PING", "PONG")}\r\n`);
      await visitor.sees(part === "ping" ? "PONG" : "AGAIN");
    }
  });

  it("an answer that comes before the whole body is passed on at once", async () => {
    const service = await rawService(
      () => "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    );
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Content-Length: 50000000"));
    visitor.write(BLOCK);
    await visitor.sees(/no$/);
    expect(statusOf(visitor.text)).toBe(413);
  });
});

describe("server-sent events", () => {
  it("a head that goes out before any event keeps its bytes (RFC 9110 §5.5)", async () => {
    const service = await rawService(
      () => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Latin: \xe9\r\n\r\n",
    );
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /", "Connection: keep-alive"));
    await visitor.sees("\r\n\r\n");
    expect(fieldsOf(visitor.text, "x-latin")).toEqual(["\xe9"]);
  });

  it("the head goes out at once, and each event when it comes; nothing holds them back", async () => {
    const service = await rawService(
      () => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n",
    );
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /"));
    await visitor.sees("\r\n\r\n");
    expect(fieldsOf(visitor.text, "x-accel-buffering")).toEqual(["no"]);
    expect(fieldsOf(visitor.text, "content-length")).toEqual([]);
    service.sockets[0]?.write("data: 1\n\n");
    await visitor.sees("data: 1\n\n");
  });

  it("X-Accel-Buffering of the service stays its own", async () => {
    const { port } = await gatewayTo(
      (
        await rawService(
          () =>
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: yes\r\nContent-Length: 0\r\n\r\n",
        )
      ).port,
    );
    expect(fieldsOf(await ask(port, request("GET /")), "x-accel-buffering")).toEqual(["yes"]);
  });

  it("other types do not get it", async () => {
    const { port } = await gatewayTo(
      (await rawService(() => ok("x", "Content-Type: text/event-streams"))).port,
    );
    expect(fieldsOf(await ask(port, request("GET /")), "x-accel-buffering")).toEqual([]);
  });
});

describe("cancellation", () => {
  it.each(["end", "resetAndDestroy", "destroy"] as const)(
    "a visitor of an event stream that leaves (%s): the service hears of it",
    async (how) => {
      const service = await rawService(
        () => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
      );
      const { port, all, gateway } = await gatewayTo(service.port);
      const visitor = new RawVisitor(port, request("GET /", "Connection: keep-alive"));
      await visitor.sees("data: 1");
      visitor.socket[how]();
      await until(() => service.sockets[0]?.destroyed === true);
      await until(() => all[0]?.end?.how === "visitor-left");
      expect(gateway.stats.open).toBe(0);
    },
  );

  it("a visitor that leaves before the head: the service hears of it", async () => {
    const service = await rawService(() => undefined);
    const { port, all } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /"));
    await until(() => service.sockets.length === 1);
    visitor.socket.destroy();
    await until(() => service.sockets[0]?.destroyed === true);
    await until(() => all[0]?.end?.how === "visitor-left");
  });

  it("a visitor that leaves with requests behind the one that is answered: the service hears of all", async () => {
    const service = await rawService(() => undefined);
    const { port, all, gateway } = await gatewayTo(service.port);
    const pipelined = ["/a", "/b", "/c"].map((path) => request(`GET ${path}`, "Connection: keep-alive"));
    const visitor = new RawVisitor(port, pipelined.join(""));
    await until(() => service.sockets.length === 3);
    visitor.socket.destroy();
    await until(() => service.sockets.every(({ destroyed }) => destroyed));
    expect(all.map(({ end }) => end?.how)).toEqual(["visitor-left", "visitor-left", "visitor-left"]);
    expect(gateway.stats.open).toBe(0);
  });

  it("a visitor that leaves in the middle of its body: the service sees it cut", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Transfer-Encoding: chunked") + "3\r\nabc\r\n");
    await until(() => (service.received[0] ?? "").includes("abc"));
    visitor.socket.destroy();
    await until(() => service.sockets[0]?.destroyed === true);
    expect(service.received[0]).not.toContain("0\r\n\r\n");
  });

  it("the service that leaves before the head: the visitor is told at once", async () => {
    const service = await rawService((_head, socket) => {
      socket.destroy();
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Content-Length: 1000") + "abc");
    await visitor.sees("\r\n\r\n");
    expect(statusOf(visitor.text)).toBe(502);
  });
});

describe("back-pressure", () => {
  it("a visitor that does not read holds its own stream back, and costs no more than that", async () => {
    const { port: servicePort } = await httpService((incoming, response) => {
      if (incoming.url !== "/big") {
        response.end("small");
        return;
      }
      response.writeHead(200, { "Content-Length": String(1_000 * MIB) });
      const fill = (): void => {
        while (response.write(BLOCK));
      };
      response.on("drain", fill);
      fill();
    });
    const { port, gateway } = await gatewayTo(servicePort);
    const visitor = new RawVisitor(port, request("GET /big"));
    visitor.socket.pause();
    await sleep(400);
    const taken = gateway.stats.bytesOut;
    expect(taken).toBeLessThan(50 * MIB);
    expect(await ask(port, request("GET /other"))).toMatch(/small/);
    await sleep(100);
    expect(gateway.stats.bytesOut - taken).toBeLessThan(MIB);
    visitor.socket.resume();
    await until(() => gateway.stats.bytesOut > taken + 20 * MIB);
    visitor.socket.destroy();
  });

  it("a visitor that does not read at all is cut after the stall limit", async () => {
    const service = await rawService((_head, socket) => {
      const fill = (): void => {
        while (!socket.destroyed && socket.write(BLOCK));
      };
      socket.on("drain", fill);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      fill();
      return undefined;
    });
    const { port, all } = await gatewayTo(service.port, { limits: { stallMs: 150 } });
    const visitor = new RawVisitor(port, request("GET /"));
    await visitor.sees("200 OK");
    visitor.socket.pause();
    await until(() => all[0]?.end !== undefined);
    expect(all[0]?.end).toEqual({ how: "limit", why: "stalled" });
    await until(() => service.sockets[0]?.destroyed === true);
  });

  it("a small response that is not read is cut as well", async () => {
    const service = await rawService(() =>
      Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${16 * MIB}\r\n\r\n`),
        Buffer.alloc(16 * MIB),
      ]),
    );
    const { port, all } = await gatewayTo(service.port, { limits: { stallMs: 150 } });
    const visitor = new RawVisitor(port, request("GET /"));
    visitor.socket.pause();
    await until(() => all[0]?.end !== undefined);
    expect(all[0]?.end?.how).toBe("limit");
  });

  it("a service that does not read holds the visitor back", async () => {
    const service = await rawService((_head, socket) => {
      socket.pause();
      return undefined;
    });
    const { port, gateway } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", `Content-Length: ${500 * MIB}`));
    for (let sent = 0; sent < 100 && !visitor.socket.writableNeedDrain; sent += 1) visitor.write(BLOCK);
    for (let sent = 0; sent < 60; sent += 1) visitor.write(BLOCK);
    await sleep(300);
    const taken = gateway.stats.bytesIn;
    expect(taken).toBeLessThan(50 * MIB);
    service.sockets[0]?.resume();
    await until(() => gateway.stats.bytesIn > taken + 5 * MIB);
  });
});

describe("connections to the service", () => {
  it("are kept for the next request", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port);
    for (let turn = 0; turn < 3; turn += 1) await ask(port, request("GET /"));
    await ask(port, request("POST /", "Content-Length: 1") + "x");
    expect(service.received).toHaveLength(1);
  });

  it.each([
    ["Connection: close", ok("hello", "Connection: close")],
    ["HTTP/1.0", ok().replace("HTTP/1.1", "HTTP/1.0")],
    ["bytes behind the body", `${ok()}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`],
    ["Keep-Alive: timeout=1", ok("hello", "Keep-Alive: timeout=1")],
  ])("are not kept after %s", async (_name, bytes) => {
    const service = await rawService(() => bytes);
    const { port } = await gatewayTo(service.port);
    for (let turn = 0; turn < 2; turn += 1) {
      const text = await ask(port, request("GET /"));
      expect(text).toMatch(/hello$/);
    }
    expect(service.received).toHaveLength(2);
  });

  it("bytes that come unasked on a kept one answer nobody", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port);
    await ask(port, request("GET /1"));
    service.sockets[0]?.write(ok("poison"));
    await sleep(20);
    expect(await ask(port, request("GET /2"))).toMatch(/hello$/);
    expect(service.received).toHaveLength(2);
  });

  it("are given up when they have been idle", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port, { limits: { serviceKeptMs: 100 } });
    await ask(port, request("GET /"));
    await until(() => service.sockets[0]?.destroyed === true);
  });

  it("one is given up for another service", async () => {
    const [first, second] = [await rawService(() => ok("one")), await rawService(() => ok("two"))];
    let at = first.port;
    const { port } = await gatewayTo(0, {
      upstream: () => ({ scheme: "http", address: "127.0.0.1", port: at, host: `localhost:${at}` }),
    });
    expect(await ask(port, request("GET /"))).toMatch(/one$/);
    at = second.port;
    expect(await ask(port, request("GET /"))).toMatch(/two$/);
    await until(() => first.sockets[0]?.destroyed === true);
  });

  /** A service that closes a kept connection on the second request that comes on it, without a byte. */
  async function racing() {
    let count = 0;
    const service = await rawService((_head, socket) => {
      count += 1;
      if (count === 2) {
        socket.resetAndDestroy();
        return undefined;
      }
      return ok(`turn ${count}`);
    });
    return { service, ...(await gatewayTo(service.port)) };
  }

  it.each(["GET", "HEAD"])(
    "a kept one that is reset before a byte: %s is sent once more (RFC 9112 §9.3.1)",
    async (method) => {
      const { port, service } = await racing();
      await ask(port, request("GET /"));
      expect(statusOf(await ask(port, request(`${method} /`)))).toBe(200);
      expect(service.received).toHaveLength(2);
    },
  );

  it.each(["POST", "PUT", "DELETE", "PATCH"])("%s is never sent twice", async (method) => {
    const { port, service } = await racing();
    await ask(port, request("GET /"));
    expect(statusOf(await ask(port, request(`${method} /`, "Content-Length: 0")))).toBe(502);
    expect(service.received.join("").match(new RegExp(`${method} /`, "g"))).toHaveLength(1);
  });

  it("GET with a body is never sent twice", async () => {
    const { port, service } = await racing();
    await ask(port, request("GET /"));
    expect(statusOf(await ask(port, request("GET /", "Content-Length: 3") + "abc"))).toBe(502);
    expect(service.received.join("").match(/abc/g)).toHaveLength(1);
  });

  it("a new one that is reset is not tried again", async () => {
    const service = await rawService((_head, socket) => {
      socket.resetAndDestroy();
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    expect(statusOf(await ask(port, request("GET /")))).toBe(502);
    expect(service.received).toHaveLength(1);
  });

  it("a kept one that is reset after a byte is not tried again", async () => {
    let count = 0;
    const service = await rawService((_head, socket) => {
      count += 1;
      if (count === 1) return ok();
      socket.write("HTTP/1.1 2", () => setTimeout(() => socket.resetAndDestroy(), 20));
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    await ask(port, request("GET /"));
    expect(statusOf(await ask(port, request("GET /")))).toBe(502);
    expect(service.received).toHaveLength(1);
  });

  it("one that is no longer young is not used for what cannot be sent twice", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port);
    await ask(port, request("GET /"));
    await sleep(1_100);
    await ask(port, request("POST /", "Content-Length: 1") + "x");
    expect(service.received).toHaveLength(2);
  });

  it("a visitor that left takes no later exchange of the same connection with it", async () => {
    const service = await rawService((head) => (head.includes("/slow") ? undefined : ok()));
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /", "Connection: keep-alive"));
    await visitor.sees("hello");
    const slow = new RawVisitor(port, request("GET /slow"));
    await until(() => service.received.join("").includes("/slow"));
    visitor.socket.destroy();
    await sleep(50);
    service.sockets[0]?.write(ok("late"));
    expect(await slow.closed()).toMatch(/late$/);
  });
});

describe("what the owner hears", () => {
  it("counts, and each request that was let in", async () => {
    const service = await rawService(() => ok("hello"));
    const { port, gateway, news, all } = await gatewayTo(service.port);
    await ask(port, request("POST /a?b", "Content-Length: 3") + "abc");
    await ask(port, request("GET /", "Host: other.example"));
    await until(() => news.length === 1);
    expect(news).toEqual([
      { kind: "request", way: "open", visitor: undefined, method: "POST", target: "/a?b", status: 200 },
    ]);
    expect(gateway.stats).toMatchObject({ requests: 1, refused: 1, open: 0, bytesIn: 3, bytesOut: 5 });
    expect(gateway.stats.lastRequestMs).toBeGreaterThan(0);
    expect(all.map(({ request: { decided } }) => decided)).toEqual([
      { way: "open", visitor: undefined },
      { refused: "other-host" },
    ]);
    expect(all[0]).toMatchObject({
      requestBody: "abc",
      responseBody: "hello",
      heads: [200],
      end: { how: "complete" },
    });
    expect(all[1]).toMatchObject({ heads: [421], end: { how: "own-answer", why: "other-host" } });
    expect(all[0]?.request.fields).toContain(HOST);
  });
});
