import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  fieldsOf,
  gatewayTo,
  HOST,
  httpService,
  later,
  ok,
  rawService,
  RawVisitor,
  request,
  sleep,
  statusOf,
  until,
} from "./harness.ts";

const HANDSHAKE = [
  "Upgrade: websocket",
  "Connection: keep-alive, Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Own: 1\r\n\r\n";

describe("WebSocket upgrade (RFC 9110 §7.8, RFC 6455 §4)", () => {
  it("the handshake goes on untouched, and 101 comes from the service alone", async () => {
    const service = await rawService(() => undefined);
    const { port, all } = await gatewayTo(service.port);
    const lines = [
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
      'Sec-WebSocket-Protocol: vite-hmr, "x"',
      "Cookie: a=b",
      `Origin: https://${HOST}`,
    ];
    const visitor = new RawVisitor(port, request("GET /ws?token=1", ...HANDSHAKE, ...lines));
    await until(() => service.received.length === 1 && (service.received[0] ?? "").endsWith("\r\n\r\n"));
    const [text = ""] = service.received;
    expect(text).toMatch(/^GET \/ws\?token=1 HTTP\/1\.1\r\n/);
    expect(fieldsOf(text, "upgrade")).toEqual(["websocket"]);
    expect(fieldsOf(text, "connection")).toEqual(["Upgrade"]);
    expect(fieldsOf(text, "sec-websocket-key")).toEqual(["dGhlIHNhbXBsZSBub25jZQ=="]);
    expect(fieldsOf(text, "sec-websocket-extensions")).toEqual([
      "permessage-deflate; client_max_window_bits",
    ]);
    expect(fieldsOf(text, "sec-websocket-protocol")).toEqual(['vite-hmr, "x"']);
    expect(fieldsOf(text, "origin")).toEqual([`http://localhost:${service.port}`]);
    expect(fieldsOf(text, "x-forwarded-host")).toEqual([HOST]);
    await sleep(20);
    expect(visitor.text).toBe("");
    service.sockets[0]?.write(SWITCH);
    await visitor.sees("\r\n\r\n");
    expect(statusOf(visitor.text)).toBe(101);
    expect(fieldsOf(visitor.text, "sec-websocket-accept")).toEqual(["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    expect(fieldsOf(visitor.text, "upgrade")).toEqual(["websocket"]);
    expect(fieldsOf(visitor.text, "connection")).toEqual(["Upgrade"]);
    expect(fieldsOf(visitor.text, "x-own")).toEqual(["1"]);
    expect(all[0]?.upgraded).toBe(true);
  });

  it("bytes pass both ways as they are, and those that come behind a head too", async () => {
    const [early, late] = [randomBytes(300), randomBytes(200_000)];
    const fromService = randomBytes(500);
    const service = await rawService((_head, socket) => {
      socket.write(Buffer.concat([Buffer.from(SWITCH), fromService]));
      return undefined;
    });
    const { port, gateway, all } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port);
    visitor.write(Buffer.concat([Buffer.from(request("GET /", ...HANDSHAKE)), early]));
    await until(() => visitor.text.length >= SWITCH.length + 500);
    expect(visitor.text.endsWith(fromService.toString("latin1"))).toBe(true);
    visitor.write(late);
    const sent = Buffer.concat([early, late]).toString("latin1");
    await until(
      () =>
        (service.received[0] ?? "").length >= sent.length &&
        (service.received[0] ?? "").endsWith(sent.slice(-50)),
    );
    expect(service.received[0]?.endsWith(sent)).toBe(true);
    expect(gateway.stats).toMatchObject({ open: 1, bytesIn: sent.length, bytesOut: 500 });
    // The inspector counts them, so it must hear of all.
    expect(all[0]?.requestBody).toBe(sent);
    expect(all[0]?.responseBody).toBe(fromService.toString("latin1"));
  });

  it("works with a real client and server, compressed and with a subprotocol", async () => {
    const { port: servicePort, server } = await httpService((_incoming, response) => response.end());
    const sockets = new WebSocketServer({
      server,
      perMessageDeflate: { threshold: 0 },
      handleProtocols: () => "chat",
    });
    later(() => sockets.close());
    sockets.on("connection", (socket) =>
      socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary })),
    );
    const { port } = await gatewayTo(servicePort);
    const client = new WebSocket(`ws://127.0.0.1:${port}/hmr`, ["chat", "other"], {
      headers: { host: HOST },
    });
    later(() => client.terminate());
    const messages: string[] = [];
    client.on("message", (data: Buffer) => messages.push(data.toString()));
    await new Promise((resolve) => client.once("open", resolve));
    expect(client.protocol).toBe("chat");
    expect(client.extensions).toContain("permessage-deflate");
    for (const text of ["one", "z".repeat(100_000), "three"]) client.send(text);
    await until(() => messages.length === 3);
    expect(messages).toEqual(["one", "z".repeat(100_000), "three"]);
    const closed = new Promise((resolve) => client.once("close", (code) => resolve(code)));
    for (const socket of sockets.clients) socket.close(4_001, "own code");
    expect(await closed).toBe(4_001);
  });

  it("another status passes as an ordinary response, with its body", async () => {
    const service = await rawService(
      () => "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    );
    const { port, all } = await gatewayTo(service.port);
    const text = await new RawVisitor(port, request("GET /", ...HANDSHAKE)).closed();
    expect(statusOf(text)).toBe(403);
    expect(fieldsOf(text, "connection")).toEqual(["close"]);
    expect(text).toMatch(/2\r\nno\r\n0\r\n\r\n$/);
    await until(() => all[0]?.end?.how === "complete");
  });

  it("no service is 502", async () => {
    const { port } = await gatewayTo(1);
    expect(statusOf(await new RawVisitor(port, request("GET /", ...HANDSHAKE)).closed())).toBe(502);
  });

  it("the gate hears that it is an upgrade, and refuses before the service sees it", async () => {
    const service = await rawService(() => SWITCH);
    const asked: boolean[] = [];
    const { port } = await gatewayTo(service.port, {
      gate: {
        judge: (_head, _source, { isUpgrade }) => {
          asked.push(isUpgrade);
          return { kind: "answer", answer: { status: 403, why: "cross-site", body: "no" } };
        },
      },
    });
    const text = await new RawVisitor(
      port,
      request("GET /", ...HANDSHAKE, "Origin: https://evil.example"),
    ).closed();
    expect(statusOf(text)).toBe(403);
    expect(asked).toEqual([true]);
    expect(service.received).toEqual([]);
  });

  it("a handshake with a body is 400: what follows would be read in two ways", async () => {
    const service = await rawService(() => SWITCH);
    const { port } = await gatewayTo(service.port);
    const text = await new RawVisitor(
      port,
      request("GET /", ...HANDSHAKE, "Content-Length: 5") + "GET /",
    ).closed();
    expect(statusOf(text)).toBe(400);
    expect(service.received).toEqual([]);
  });

  it("a handshake behind a request that is still open is cut", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(
      port,
      request("GET /slow", "Connection: keep-alive") + request("GET /ws", ...HANDSHAKE),
    );
    await visitor.closed();
    expect(visitor.text).toBe("");
    expect(service.received.join("")).not.toContain("/ws");
  });
});

describe("the end of a WebSocket", () => {
  async function open() {
    const service = await rawService(() => SWITCH);
    const staged = await gatewayTo(service.port, { limits: { lingerMs: 200 } });
    const visitor = new RawVisitor(staged.port, request("GET /", ...HANDSHAKE));
    await visitor.sees("\r\n\r\n");
    const [socket] = service.sockets;
    if (socket === undefined) throw new Error("no connection");
    return { ...staged, service, visitor, socket };
  }

  it("the visitor leaves: the service hears of it", async () => {
    const { visitor, socket, gateway } = await open();
    visitor.socket.end();
    await until(() => socket.destroyed && gateway.stats.open === 0);
  });

  it("the visitor is cut off: the service hears of it", async () => {
    const { visitor, socket, all } = await open();
    visitor.socket.resetAndDestroy();
    await until(() => socket.destroyed);
    await until(() => all[0]?.end?.how === "visitor-left");
  });

  it("the service ends, and its last bytes arrive", async () => {
    const { visitor, socket } = await open();
    socket.end("last words");
    expect(await visitor.closed()).toMatch(/last words$/);
  });

  it("the service is cut off: so is the visitor", async () => {
    const { visitor, socket, all } = await open();
    socket.resetAndDestroy();
    await visitor.closed();
    expect(all[0]?.end?.how).toBe("service-cut");
  });

  it("the exposure ends: both are cut", async () => {
    const { visitor, socket, gateway, all } = await open();
    gateway.expire();
    await visitor.closed();
    await until(() => socket.destroyed);
    expect(all[0]?.end?.how).toBe("stopped");
  });

  it("a side that does not read holds the other one back, and nobody else", async () => {
    const { visitor, socket, gateway } = await open();
    visitor.socket.pause();
    let taken = 0;
    const fill = (): void => {
      while (socket.writableLength < 1_000_000 && taken < 200_000_000) {
        taken += 65_536;
        socket.write(Buffer.alloc(65_536));
      }
    };
    fill();
    socket.on("drain", fill);
    let stopped = -1;
    while (stopped !== gateway.stats.bytesOut) {
      stopped = gateway.stats.bytesOut;
      await sleep(300);
    }
    expect(stopped).toBeLessThan(50_000_000);
    visitor.socket.resume();
    await until(() => gateway.stats.bytesOut > stopped + 1_000_000);
  });

  it("nothing either way for too long: it is closed", async () => {
    const service = await rawService(() => SWITCH);
    const { port, all } = await gatewayTo(service.port, { limits: { socketIdleMs: 100 } });
    const visitor = new RawVisitor(port, request("GET /", ...HANDSHAKE));
    await visitor.closed();
    expect(all[0]?.end).toEqual({ how: "limit", why: "idle" });
  });
});

describe("other upgrades are served plain", () => {
  it.each([
    [
      "h2c",
      ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
    ],
    ["TLS", ["Upgrade: TLS/1.2", "Connection: close, upgrade"]],
    ["anything", ["Upgrade: some/1", "Connection: Upgrade"]],
  ])("%s", async (_name, lines) => {
    const service = await rawService(() => ok("plain"));
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /x", ...lines));
    await visitor.sees("plain");
    expect(statusOf(visitor.text)).toBe(200);
    const [text = ""] = service.received;
    for (const name of ["upgrade", "connection", "http2-settings"]) expect(fieldsOf(text, name)).toEqual([]);
  });

  it("with the body, and with what is pipelined behind", async () => {
    const service = await rawService((head) => ok(`<${head.split(" ")[1] ?? ""}>`));
    const { port } = await gatewayTo(service.port);
    const first = request("POST /1", "Upgrade: h2c", "Connection: Upgrade", "Content-Length: 5") + "a b c";
    const visitor = new RawVisitor(port, first + request("GET /2"));
    expect(await visitor.closed()).toMatch(/<\/1>HTTP[^]*<\/2>$/);
    expect(service.received.join("")).toContain("\r\n\r\na b c");
  });

  it("a body that comes later arrives as well", async () => {
    let body = "";
    const service = await httpService((request, response) => {
      request
        .on("data", (chunk: Buffer) => (body += chunk.toString()))
        .on("end", () => response.end("plain"));
    });
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(
      port,
      request("POST /1", "Upgrade: h2c", "Connection: Upgrade, close", "Content-Length: 100000"),
    );
    await sleep(20);
    visitor.write("x".repeat(50_000));
    await sleep(20);
    visitor.write("y".repeat(50_000));
    expect(statusOf(await visitor.closed())).toBe(200);
    expect(body).toBe("x".repeat(50_000) + "y".repeat(50_000));
  });

  it("the fields that Connection names besides end here all the same", async () => {
    const service = await rawService(() => ok("plain"));
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(
      port,
      request("GET /", "Upgrade: h2c", "Connection: Upgrade, X-Hop, close", "X-Hop: 1"),
    );
    await visitor.closed();
    expect(service.received[0]).not.toMatch(/x-hop/i);
  });

  it("WebSocket in a POST is none", async () => {
    const service = await rawService(() => ok("plain"));
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(
      port,
      request("POST /", "Upgrade: websocket", "Connection: Upgrade, close", "Content-Length: 0"),
    );
    expect(statusOf(await visitor.closed())).toBe(200);
    expect(fieldsOf(service.received[0] ?? "", "upgrade")).toEqual([]);
  });

  it("the preface of HTTP/2 is 400", async () => {
    const { port } = await gatewayTo(1);
    const visitor = new RawVisitor(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    expect(statusOf(await visitor.closed())).toBe(400);
  });
});
