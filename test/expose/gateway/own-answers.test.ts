import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import type { OwnAnswer } from "../../../src/expose/message.ts";
import {
  ask,
  fieldsOf,
  gatewayTo,
  HOST,
  listening,
  ok,
  OPEN_GATE,
  PROOF,
  rawService,
  RawVisitor,
  request,
  sleep,
  statusOf,
  until,
  upstreamAt,
} from "./harness.ts";

const answering = (answer: OwnAnswer) => ({ gate: { judge: () => ({ kind: "answer", answer }) as const } });

describe("answers of our own are marked (RFC 9209)", () => {
  it("with Proxy-Status, a field of ours, nosniff, and no-store", async () => {
    const { port, all } = await gatewayTo(1);
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(502);
    expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=connection_refused"]);
    expect(fieldsOf(text, "x-tunnel-answer")).toEqual(["connection_refused"]);
    expect(fieldsOf(text, "x-content-type-options")).toEqual(["nosniff"]);
    expect(fieldsOf(text, "cache-control")).toEqual(["no-store"]);
    expect(fieldsOf(text, "content-type")).toEqual(["text/plain; charset=utf-8"]);
    expect(all[0]?.end).toEqual({ how: "own-answer", why: "connection_refused" });
  });

  it("name neither the service's address nor what the visitor sent", async () => {
    const { port } = await gatewayTo(1);
    const text = await ask(port, request("GET /<script>"));
    expect(text).not.toMatch(/127\.0\.0\.1|localhost|script/);
  });

  it("of the gate keep its fields, its page and its word", async () => {
    const fields = [
      "Content-Type",
      "text/html; charset=utf-8",
      "WWW-Authenticate",
      "Basic",
      "Set-Cookie",
      "a=1",
      "Set-Cookie",
      "b=2",
    ];
    const { port, service } = await refusing({ status: 401, why: "no-access", fields, body: "<p>ä</p>" });
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(401);
    expect(fieldsOf(text, "content-type")).toEqual(["text/html; charset=utf-8"]);
    expect(fieldsOf(text, "set-cookie")).toEqual(["a=1", "b=2"]);
    expect(fieldsOf(text, "www-authenticate")).toEqual(["Basic"]);
    expect(fieldsOf(text, "proxy-status")).toEqual([
      'tunnel-mcp; error=http_request_denied; details="no-access"',
    ]);
    expect(Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1").toString()).toBe("<p>ä</p>");
    expect(service.received).toEqual([]);
  });

  it("that are no errors have no Proxy-Status", async () => {
    const { port } = await refusing({ status: 303, why: "claimed", fields: ["Location", "/"], body: "" });
    const text = await ask(port, request("GET /"));
    expect(fieldsOf(text, "location")).toEqual(["/"]);
    expect(fieldsOf(text, "proxy-status")).toEqual([]);
    expect(fieldsOf(text, "x-tunnel-answer")).toEqual(["claimed"]);
  });

  it("to HEAD have no body", async () => {
    const { port } = await refusing({ status: 401, why: "no-access", body: "no entry" });
    const text = await ask(port, request("HEAD /", "Connection: keep-alive") + request("HEAD /"));
    expect(text).not.toContain("no entry");
    expect(text.match(/HTTP\/1\.1 401/g)).toHaveLength(2);
  });

  it("come through although the visitor still sends its body", async () => {
    const { port } = await refusing({ status: 401, why: "no-access", body: "no entry" });
    const visitor = new RawVisitor(port, request("POST /", "Content-Length: 20000000"));
    for (let sent = 0; sent < 20; sent += 1) {
      visitor.write(Buffer.alloc(1_000_000));
      await sleep(1);
    }
    await visitor.sees("no entry");
    expect(statusOf(visitor.text)).toBe(401);
  });

  it("an endless body behind one is taken in for a while and no longer", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port, {
      ...answering({ status: 401, why: "no-access", body: "no" }),
      limits: { lingerMs: 100 },
    });
    const visitor = new RawVisitor(
      port,
      request("POST /", "Connection: keep-alive", "Content-Length: 1000000000"),
    );
    await visitor.closed();
    expect(statusOf(visitor.text)).toBe(401);
  });

  async function refusing(answer: OwnAnswer) {
    const service = await rawService(() => ok());
    return { service, ...(await gatewayTo(service.port, answering(answer))) };
  }
});

describe("502: the service gives no answer", () => {
  it("refused", async () => {
    const { port, news } = await gatewayTo(1);
    expect(statusOf(await ask(port, request("GET /")))).toBe(502);
    expect(news).toContainEqual({ kind: "unreachable", why: "connection_refused" });
  });

  it("accepts and closes", async () => {
    const server = createServer((socket) => socket.end());
    const { port } = await gatewayTo(await listening(server));
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(502);
    expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=http_response_incomplete"]);
  });

  it("accepts and resets", async () => {
    const server = createServer((socket) => socket.resetAndDestroy());
    const { port } = await gatewayTo(await listening(server));
    const text = await ask(port, request("POST /", "Content-Length: 1") + "x");
    expect(statusOf(text)).toBe(502);
    expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=connection_terminated"]);
  });

  it("speaks plain HTTP where https is wanted", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port, {
      upstream: () => ({ ...upstreamAt(service.port), scheme: "https" }),
    });
    const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const other = await listening(server);
    const plain = await gatewayTo(other, { upstream: () => ({ ...upstreamAt(other), scheme: "https" }) });
    const text = await ask(plain.port, request("GET /"));
    expect(statusOf(text)).toBe(502);
    expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=tls_protocol_error"]);
    expect(port).not.toBe(plain.port);
  });

  it("is told once, and so is that it is back", async () => {
    const service = await rawService(() => ok());
    let at = 1;
    const { port, news } = await gatewayTo(service.port, { upstream: () => upstreamAt(at) });
    await ask(port, request("GET /1"));
    await ask(port, request("GET /2"));
    at = service.port;
    await ask(port, request("GET /3"));
    await ask(port, request("GET /4"));
    const told = news.filter(({ kind }) => kind !== "request").map(({ kind }) => kind);
    expect(told).toEqual(["unreachable", "back"]);
  });

  it("the service may come back on the other family", async () => {
    const service = await rawService(() => ok());
    let upstream: ReturnType<typeof upstreamAt> = upstreamAt(1);
    const { port } = await gatewayTo(service.port, { upstream: () => upstream });
    expect(statusOf(await ask(port, request("GET /")))).toBe(502);
    upstream = upstreamAt(service.port);
    expect(statusOf(await ask(port, request("GET /")))).toBe(200);
  });
});

describe("504 and 408: not in time", () => {
  it("no head of the response", async () => {
    const service = await rawService(() => undefined);
    const { port, gateway } = await gatewayTo(service.port, { limits: { headMs: 100 } });
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(504);
    expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=http_response_timeout"]);
    await until(() => service.sockets.every((socket) => socket.destroyed) && gateway.stats.open === 0);
  });

  it("a slow upload is not late: each byte is progress", async () => {
    const service = await rawService((_head, socket) => {
      socket.on("data", (chunk: Buffer) => {
        if (chunk.includes("!")) socket.write(ok("taken"));
      });
      return undefined;
    });
    const { port } = await gatewayTo(service.port, { limits: { headMs: 150 } });
    const visitor = new RawVisitor(port, request("POST /", "Content-Length: 8"));
    for (const byte of "abcdefg!") {
      await sleep(60);
      visitor.write(byte);
    }
    expect(await visitor.closed()).toMatch(/taken$/);
  });

  it("a body that the visitor does not send on is its own fault: 408", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port, { limits: { headMs: 100 } });
    const visitor = new RawVisitor(port, request("POST /", "Content-Length: 8") + "abc");
    await visitor.sees("\r\n\r\n");
    expect(statusOf(visitor.text)).toBe(408);
    await until(() => service.sockets.every((socket) => socket.destroyed));
  });

  it("a body of the service that stands still is cut", async () => {
    const service = await rawService(() => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    const { port, all } = await gatewayTo(service.port, { limits: { bodyIdleMs: 100 } });
    expect(await ask(port, request("GET /"))).toMatch(/hello$/);
    expect(all[0]?.end).toEqual({ how: "limit", why: "idle" });
  });

  it("the head of a request", async () => {
    const { port } = await gatewayTo(1, { limits: { requestHeadMs: 50 } });
    const visitor = new RawVisitor(port, "GET / HT");
    // Node looks every 30 seconds; until then the connection is open.
    await sleep(100);
    expect(visitor.isClosed).toBe(false);
  });
});

describe("503: too many at a time", () => {
  it("one more than the limit is told when to come again", async () => {
    const service = await rawService((head) => (head.startsWith("GET /slow") ? undefined : ok()));
    const { port, gateway } = await gatewayTo(service.port, { limits: { inFlight: 2 } });
    const slow = [1, 2].map(() => new RawVisitor(port, request("GET /slow")));
    await until(() => gateway.stats.open === 2);
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(503);
    expect(fieldsOf(text, "retry-after")).toEqual(["5"]);
    for (const visitor of slow) visitor.socket.destroy();
    await until(() => gateway.stats.open === 0);
    expect(statusOf(await ask(port, request("GET /")))).toBe(200);
  });
});

describe("before and after", () => {
  it("503 until the public address is known", async () => {
    const service = await rawService(() => ok());
    const { openGateway } = await import("../../../src/expose/gateway/gateway.ts");
    const { systemClock } = await import("../../../src/runtime/clock.ts");
    const gateway = await openGateway({
      bind: "127.0.0.1",
      port: 0,
      gate: OPEN_GATE,
      upstream: () => upstreamAt(service.port),
      proof: PROOF,
      sourceHeader: undefined,
      hostHeader: undefined,
      pseudonym: "x",
      clock: systemClock,
    });
    const text = await ask(gateway.port, request("GET /"));
    expect(statusOf(text)).toBe(503);
    expect(fieldsOf(text, "retry-after")).toHaveLength(1);
    expect(await ask(gateway.port, request(`GET ${PROOF.path}`, "Host: any.example"))).toContain(
      PROOF.answer,
    );
    await gateway.close();
    expect(service.received).toEqual([]);
  });

  it("410 once it is over, also on connections that are open", async () => {
    const service = await rawService(() => ok());
    const { port, gateway } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /", "Connection: keep-alive"));
    await visitor.sees("hello");
    gateway.expire();
    visitor.write(request("GET /"));
    expect(await visitor.closed()).toMatch(/HTTP\/1\.1 410 Gone\r\n/);
    gateway.publish(new URL(`https://${HOST}`));
    expect(statusOf(await ask(port, request("GET /")))).toBe(410);
    expect(service.received).toHaveLength(1);
  });

  it("what is under way is cut when it is over", async () => {
    const service = await rawService(
      () => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
    );
    const { port, gateway, all } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /"));
    await visitor.sees("data: 1");
    gateway.expire();
    await visitor.closed();
    expect(visitor.text).not.toMatch(/0\r\n\r\n$/);
    expect(all[0]?.end?.how).toBe("stopped");
    await until(() => service.sockets.every((socket) => socket.destroyed));
  });

  it("closing frees the port and leaves no connection", async () => {
    const service = await rawService(() => undefined);
    const { port, gateway } = await gatewayTo(service.port);
    const visitors = [new RawVisitor(port, request("GET /")), new RawVisitor(port)];
    await until(() => gateway.stats.open === 1);
    await gateway.close();
    for (const visitor of visitors) await visitor.closed();
    const again = createServer();
    await new Promise<void>((resolve) => void again.listen(port, "127.0.0.1", resolve));
    again.close();
  });

  it("a port that is taken is an error with a code", async () => {
    const { port } = await gatewayTo(1);
    await expect(gatewayTo(1, { port })).rejects.toMatchObject({ code: "port-in-use" });
  });
});

describe("the proof", () => {
  it("is given before the Host rule, to GET of exactly its path", async () => {
    const { port } = await gatewayTo(1);
    const text = await ask(port, request(`GET ${PROOF.path}`, "Host: anything.example"));
    expect(statusOf(text)).toBe(404);
    expect(text.endsWith(`\r\n\r\n${PROOF.answer}`)).toBe(true);
    for (const start of [`GET ${PROOF.path}?`, `GET ${PROOF.path}/`, `POST ${PROOF.path}`]) {
      expect(await ask(port, request(start))).not.toContain(PROOF.answer);
    }
  });

  it("is still given when the exposure is over", async () => {
    const { port, gateway } = await gatewayTo(1);
    gateway.expire();
    expect(await ask(port, request(`GET ${PROOF.path}`))).toContain(PROOF.answer);
  });
});

describe("the reserved path never reaches the service", () => {
  it.each(["/.tunnel/", "/.tunnel/x", "/.tunnel/probe/", "/.tunnel/claim?x"])(
    "%s, whatever the gate says",
    async (target) => {
      const service = await rawService(() => ok());
      const { port } = await gatewayTo(service.port);
      const text = await ask(port, request(`GET ${target}`));
      expect(statusOf(text)).toBe(404);
      expect(fieldsOf(text, "x-tunnel-answer")).toEqual(["not-found"]);
      expect(service.received).toEqual([]);
    },
  );

  it("also where a prefix is taken off on the way", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port, {
      gate: {
        judge: (head, source, about) =>
          ({ ...OPEN_GATE.judge(head, source, about), target: head.target.slice(7) }) as ReturnType<
            typeof OPEN_GATE.judge
          >,
      },
    });
    expect(statusOf(await ask(port, request("GET /prefix/.tunnel/claim")))).toBe(404);
    expect(service.received).toEqual([]);
  });
});

describe("forms of ours", () => {
  async function formStage(maxBytes: number, limits = {}) {
    const posted: string[] = [];
    const service = await rawService(() => ok());
    const submit = (body: string): OwnAnswer => {
      posted.push(body);
      return { status: 303, why: "claimed", fields: ["Location", "/"], body: "" };
    };
    const stage = await gatewayTo(service.port, {
      gate: { judge: () => ({ kind: "form", maxBytes, submit }) },
      limits,
    });
    return { ...stage, posted, service };
  }

  it("the body goes to the gate, and neither to the service nor into the record", async () => {
    const { port, posted, service, all } = await formStage(100);
    const text = await ask(port, request("POST /.tunnel/claim", "Content-Length: 12") + "claim=s3cret");
    expect(statusOf(text)).toBe(303);
    expect(posted).toEqual(["claim=s3cret"]);
    expect(service.received).toEqual([]);
    expect(JSON.stringify(all)).not.toContain("s3cret");
  });

  it("with Expect, and in chunks", async () => {
    const { port, posted } = await formStage(100);
    const visitor = new RawVisitor(
      port,
      request("POST /.tunnel/claim", "Expect: 100-continue", "Transfer-Encoding: chunked"),
    );
    await visitor.sees("100 Continue");
    visitor.write("6\r\nclaim=\r\n1\r\nx\r\n0\r\n\r\n");
    expect(await visitor.closed()).toMatch(/HTTP\/1\.1 303/);
    expect(posted).toEqual(["claim=x"]);
  });

  it("too long is 413, and the gate does not hear of it", async () => {
    const { port, posted } = await formStage(10);
    const visitor = new RawVisitor(
      port,
      request("POST /.tunnel/claim", "Content-Length: 11") + "claim=12345",
    );
    expect(statusOf(await visitor.closed())).toBe(413);
    expect(posted).toEqual([]);
  });

  it("too late is 408", async () => {
    const { port, posted } = await formStage(100, { formMs: 50 });
    const visitor = new RawVisitor(port, request("POST /.tunnel/claim", "Content-Length: 11") + "claim=");
    await visitor.sees("\r\n\r\n");
    expect(statusOf(visitor.text)).toBe(408);
    expect(posted).toEqual([]);
  });
});
