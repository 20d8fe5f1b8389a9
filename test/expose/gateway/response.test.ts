import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import {
  ask,
  fieldsOf,
  gatewayTo,
  HOST,
  httpService,
  ok,
  OPEN_GATE,
  rawService,
  RawVisitor,
  request,
  sleep,
  statusOf,
  until,
} from "./harness.ts";

/** A gateway in front of a service that answers each request with these bytes, and perhaps closes. */
async function answering(bytes: string, closes: "closes" | "resets" | "stays" = "stays") {
  const service = await rawService((_head, socket) => {
    socket.write(Buffer.from(bytes, "latin1"), () => {
      if (closes === "closes") socket.end();
      if (closes === "resets") setTimeout(() => socket.resetAndDestroy(), 20);
    });
    return undefined;
  });
  return { service, ...(await gatewayTo(service.port)) };
}

const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

describe("interim responses (RFC 9110 §15.2)", () => {
  it("103 goes on at once, before the final response", async () => {
    const service = await rawService(
      () =>
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Hint: \xe4\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n",
    );
    const { port, all } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("GET /"));
    await visitor.sees("\r\n\r\n");
    expect(visitor.text).toBe(
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Hint: \xe4\r\n\r\n",
    );
    service.sockets[0]?.write(ok());
    expect(await visitor.closed()).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*hello$/);
    expect(all[0]?.heads).toEqual([103, 200]);
  });

  it("several pass, 102 and an unknown one too, and none is final", async () => {
    const { port } = await answering(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n${ok()}`);
    expect(await ask(port, request("GET /"))).toMatch(
      /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 199 Odd\r\n\r\nHTTP\/1\.1 200 OK/,
    );
  });

  it("100 that nobody asked for does not end the exchange", async () => {
    const { port } = await answering(`HTTP/1.1 100 Continue\r\n\r\n${ok()}`);
    expect(await ask(port, request("POST /", "Content-Length: 2") + "ab")).toMatch(
      /HTTP\/1\.1 200 OK[^]*hello$/,
    );
  });

  it("none reaches HTTP/1.0", async () => {
    const { port } = await answering(`HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${ok()}`);
    expect(await ask(port, `GET / HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it("101 to a request without Upgrade is no response", async () => {
    const { port } = await answering(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    );
    expect(statusOf(await ask(port, request("GET /")))).toBe(502);
  });
});

describe("responses without content (RFC 9110 §6.4.1, §8.6)", () => {
  it("204: a length is dropped, and the connection stays in step", async () => {
    const { port } = await answering("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    const text = await ask(port, request("GET /", "Connection: keep-alive") + request("GET /2"));
    expect(fieldsOf(text, "content-length")).toEqual([]);
    expect(fieldsOf(text, "transfer-encoding")).toEqual([]);
    expect(text.match(/HTTP\/1\.1 204/g)).toHaveLength(2);
  });

  it("204: chunked is dropped as well", async () => {
    const { port } = await answering("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect(await ask(port, request("GET /"))).not.toMatch(/chunked|Content-Length/i);
  });

  it("304 keeps its length, and has no body", async () => {
    const { port } = await answering(
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n',
    );
    const text = await ask(port, request("GET /", "Connection: keep-alive") + request("GET /2"));
    expect(fieldsOf(text, "content-length")).toEqual(["1234"]);
    expect(text.match(/HTTP\/1\.1 304/g)).toHaveLength(2);
  });

  it("HEAD keeps its length, and has no body", async () => {
    const { port } = await answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    const text = await ask(port, request("HEAD /", "Connection: keep-alive") + request("HEAD /2"));
    expect(fieldsOf(text, "content-length")).toEqual(["1234"]);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(bodyOf(text.slice(text.lastIndexOf("HTTP/1.1 200")))).toBe("");
  });

  it("HEAD without a length gains no framing", async () => {
    const { port } = await answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect(bodyOf(await ask(port, request("HEAD /")))).toBe("");
  });

  it("HEAD: the connection to the service is kept", async () => {
    const { port, service } = await answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
    for (let turn = 0; turn < 3; turn += 1) await ask(port, request("HEAD /"));
    expect(service.received).toHaveLength(1);
  });

  it("a body of no bytes is whole", async () => {
    const { port } = await answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(fieldsOf(await ask(port, request("GET /")), "content-length")).toEqual(["0"]);
  });
});

describe("truncation is told as truncation (RFC 9112 §8)", () => {
  it.each(["closes", "resets"] as const)("a length that is not reached: the service %s", async (how) => {
    const { port, all } = await answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", how);
    const failed = await failure(port);
    expect(failed).toBe("ECONNRESET");
    expect(all[0]?.end).toMatchObject({ how: "service-cut" });
  });

  it.each(["closes", "resets"] as const)("chunks without an end: the service %s", async (how) => {
    const { port, all } = await answering(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      how,
    );
    const visitor = new RawVisitor(port, request("GET /"));
    expect(await visitor.closed()).toMatch(/5\r\nhello\r\n$/);
    expect(all[0]?.end).toMatchObject({ how: "service-cut" });
  });

  it("a body up to the end of the connection, which was reset", async () => {
    const { port, all } = await answering("HTTP/1.1 200 OK\r\n\r\nhello", "resets");
    expect(await ask(port, request("GET /"))).not.toMatch(/0\r\n\r\n$/);
    expect(all[0]?.end).toMatchObject({ how: "service-cut" });
  });

  it("HTTP/1.0, to which a plain close is the end, is reset", async () => {
    const { port } = await answering(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "resets",
    );
    const visitor = new RawVisitor(port, `GET / HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
    await visitor.closed();
    expect(visitor.error).toBe("ECONNRESET");
  });

  it("a broken chunk in the middle", async () => {
    const { port, all } = await answering(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    );
    expect(await ask(port, request("GET /"))).not.toMatch(/0\r\n\r\n$/);
    expect(all[0]?.end).toMatchObject({ how: "service-cut", why: "http_protocol_error" });
  });

  it("a plain close of a body without length is its end (RFC 9112 §6.3)", async () => {
    const { port, all } = await answering("HTTP/1.0 200 OK\r\n\r\nhello", "closes");
    expect(await ask(port, request("GET /"))).toMatch(/5\r\nhello\r\n0\r\n\r\n$/);
    await until(() => all[0]?.end?.how === "complete");
  });

  async function failure(port: number): Promise<string | undefined> {
    return await new Promise((resolve) => {
      const sent = httpRequest({ port, host: "127.0.0.1", headers: { host: HOST } }, (response) => {
        response.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
        response.on("end", () => resolve(undefined));
        response.resume();
      });
      sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code)).end();
    });
  }
});

describe("fields of responses", () => {
  it("Set-Cookie lines stay apart, in their order (RFC 9110 §5.3)", async () => {
    const cookies = ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=3"];
    const { port } = await answering(ok("", ...cookies.map((one) => `Set-Cookie: ${one}`)));
    expect(fieldsOf(await ask(port, request("GET /")), "set-cookie")).toEqual(cookies);
  });

  it("keep their case, order and number, and Latin-1 byte for byte, in the reason too (RFC 9110 §5.5)", async () => {
    const { port } = await answering(
      "HTTP/1.1 200 Gr\xfc\xdfe\r\nx-B: 1\r\nX-a: \xe4\xff\x80\r\nx-b: 2\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n",
    );
    const text = await ask(port, request("GET /"));
    expect(text).toMatch(
      /^HTTP\/1\.1 200 Gr\xfc\xdfe\r\nx-B: 1\r\nX-a: \xe4\xff\x80\r\nx-b: 2\r\nX-Empty: \r\nContent-Length: 0\r\n/,
    );
  });

  it("Server, Date and Via of the service stay its own", async () => {
    const { port } = await answering(
      ok("", "Server: app", "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Via: 1.1 inner"),
    );
    const text = await ask(port, request("GET /"));
    expect([fieldsOf(text, "server"), fieldsOf(text, "date"), fieldsOf(text, "via")]).toEqual([
      ["app"],
      ["Thu, 01 Jan 1970 00:00:00 GMT"],
      ["1.1 inner"],
    ]);
  });

  it("of the hop to the service end here (RFC 9110 §7.6.1)", async () => {
    const { port } = await answering(
      ok(
        "",
        "Connection: X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=77",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        "X-End: 2",
      ),
    );
    const text = await ask(port, request("GET /"));
    expect(text).not.toMatch(/x-hop|timeout=77|proxy-authenticate|h2c/i);
    expect(fieldsOf(text, "x-end")).toEqual(["2"]);
  });

  it("a service cannot pass for the gateway", async () => {
    const { port } = await answering(ok("", "X-Tunnel-Answer: gone"));
    expect(fieldsOf(await ask(port, request("GET /")), "x-tunnel-answer")).toEqual([]);
  });

  it("a length beside chunked is dropped (RFC 9112 §6.3)", async () => {
    const { port, service } = await answering(
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    const text = await ask(port, request("GET /"));
    expect(fieldsOf(text, "content-length")).toEqual([]);
    expect(text).toContain("hello");
    await ask(port, request("GET /"));
    expect(service.received).toHaveLength(2);
  });

  it("folded lines become one (RFC 9112 §5.2)", async () => {
    const { port } = await answering("HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: 0\r\n\r\n");
    expect(fieldsOf(await ask(port, request("GET /")), "x-long")).toEqual(["a b"]);
  });

  it.each([
    ["no HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["TLS", "\x15\x03\x01\x00\x02\x02\x46"],
    ["a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["a NUL in a value", "HTTP/1.1 200 OK\r\nX-A: \0\r\n\r\n"],
    ["a CR in a value", "HTTP/1.1 200 OK\r\nX-A: a\rb\r\n\r\n"],
    ["a control character in a value", "HTTP/1.1 200 OK\r\nX-A: \x07\r\n\r\n"],
    ["a space in a name", "HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    [
      "a coding that nobody asked for",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a head without end", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(70_000)}`],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ])("%s is 502", async (_name, bytes) => {
    const { port } = await answering(bytes);
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(502);
    expect(fieldsOf(text, "proxy-status")[0]).toMatch(/^tunnel-mcp; error=http_/);
  });

  it("equal lengths twice are one (RFC 9110 §8.6)", async () => {
    const { port } = await answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab");
    expect(fieldsOf(await ask(port, request("GET /")), "content-length")).toEqual(["2"]);
  });

  it("no reason is a reason", async () => {
    const { port } = await answering("HTTP/1.1 299\r\nContent-Length: 2\r\n\r\nab");
    expect(await ask(port, request("GET /"))).toMatch(/^HTTP\/1\.1 299 [^]*ab$/);
  });

  it("a head that comes byte by byte is read", async () => {
    const bytes = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`;
    const service = await rawService((_head, socket) => {
      void (async () => {
        for (const byte of bytes) {
          socket.write(byte);
          await sleep(0);
        }
      })();
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    const text = await ask(port, request("GET /", "TE: trailers", "Connection: close, TE"));
    expect(bodyOf(text).replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, "")).toMatch(/^hello/);
    expect(text).toMatch(/0\r\nX-T: 1\r\n\r\n$/);
  });
});

describe("Location", () => {
  it.each([
    ["http://localhost:PORT/a?b#c", "https://shown.example.com/a?b#c"],
    ["http://127.0.0.1:PORT/a", "https://shown.example.com/a"],
    ["http://[::1]:PORT", "https://shown.example.com"],
    ["https://LOCALHOST:PORT//x/../y%2f", "https://shown.example.com//x/../y%2f"],
    ["//localhost:PORT/a", "//shown.example.com/a"],
    ["/a", "/a"],
    ["a?http://localhost:PORT/", "a?http://localhost:PORT/"],
    ["http://localhost:1/a", "http://localhost:1/a"],
    ["http://localhost/a", "http://localhost/a"],
    ["http://user@localhost:PORT/a", "http://user@localhost:PORT/a"],
    [
      "https://accounts.example/login?next=http://localhost:PORT/",
      "https://accounts.example/login?next=http://localhost:PORT/",
    ],
    ["myapp://localhost:PORT/a", "myapp://localhost:PORT/a"],
  ])("%s becomes %s", async (local, shown) => {
    const service = await rawService(
      () =>
        `HTTP/1.1 302 Found\r\nLocation: ${local.replace("PORT", String(service.port))}\r\nContent-Length: 0\r\n\r\n`,
    );
    const { port } = await gatewayTo(service.port);
    const text = await ask(port, request("GET /"));
    expect(statusOf(text)).toBe(302);
    expect(fieldsOf(text, "location")).toEqual([shown.replace("PORT", String(service.port))]);
  });

  it("is never followed, and bodies are never changed", async () => {
    const service = await rawService(() =>
      ["HTTP/1.1 307 Again", "Location: /b", "Content-Length: 24", "", "<http://localhost:30001/>"]
        .join("\r\n")
        .slice(0, -1),
    );
    const { port } = await gatewayTo(service.port);
    expect(await ask(port, request("GET /a"))).toMatch(/<http:\/\/localhost:30001\/$/);
    expect(service.received.join("").match(/HTTP\/1\.1\r\n/g)).toHaveLength(1);
  });

  it("is the gate's last of all", async () => {
    const service = await rawService(
      () => `HTTP/1.1 302 Found\r\nLocation: http://localhost:${service.port}/a\r\nContent-Length: 0\r\n\r\n`,
    );
    const { port } = await gatewayTo(service.port, {
      gate: {
        judge: (head, source, about) => {
          const admission = OPEN_GATE.judge(head, source, about);
          if (admission.kind !== "pass") return admission;
          const respond = (response: { fields: readonly string[]; status: number; reason: string }) => ({
            ...response,
            fields: response.fields.map((one) => one.replace(`https://${HOST}/`, `https://${HOST}/prefix/`)),
          });
          return { ...admission, target: "/inner", fields: ["X-Only", "this"], respond };
        },
      },
    });
    const text = await ask(port, request("GET /prefix/a", "X-Token: secret"));
    expect(fieldsOf(text, "location")).toEqual([`https://${HOST}/prefix/a`]);
    expect(service.received[0]).toMatch(/^GET \/inner HTTP/);
    expect(service.received[0]).not.toContain("secret");
  });
});

describe("trailers of responses (RFC 9110 §6.5.1)", () => {
  const body =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: \xe4\r\nX-Sum: 2\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\n";

  it("go to those who take them", async () => {
    const { port, service } = await answering(body);
    const text = await ask(port, request("GET /", "TE: trailers", "Connection: close, TE"));
    expect(text).toMatch(/\r\n0\r\nX-Sum: \xe4\r\nX-Sum: 2\r\n\r\n$/);
    expect(fieldsOf(text, "trailer")).toEqual(["X-Sum"]);
    expect(fieldsOf(service.received[0] ?? "", "te")).toEqual(["trailers"]);
    expect(fieldsOf(service.received[0] ?? "", "connection")).toEqual(["TE"]);
  });

  it("are dropped for others, and never merged", async () => {
    const { port, all } = await answering(body);
    const text = await ask(port, request("GET /"));
    expect(text).not.toMatch(/x-sum/i);
    expect(text).toMatch(/0\r\n\r\n$/);
    expect(all[0]?.trailers[0]).toBe("response");
  });
});

describe("compression", () => {
  it("is between the visitor and the service", async () => {
    const { port, service } = await answering(ok("\x1f\x8b\x08", "Content-Encoding: gzip"));
    const text = await ask(port, request("GET /", "Accept-Encoding: gzip, br"));
    expect(fieldsOf(text, "content-encoding")).toEqual(["gzip"]);
    expect(bodyOf(text)).toBe("\x1f\x8b\x08");
    expect(fieldsOf(service.received[0] ?? "", "accept-encoding")).toEqual(["gzip, br"]);
  });
});

describe("ranges", () => {
  it("pass both ways", async () => {
    const service = await httpService((incoming, response) => {
      response
        .writeHead(206, { "Content-Range": "bytes 1-2/4", "Content-Length": 2 })
        .end(incoming.headers.range?.slice(-2));
    });
    const { port } = await gatewayTo(service.port);
    const text = await ask(port, request("GET /", "Range: bytes=1-2"));
    expect(statusOf(text)).toBe(206);
    expect(fieldsOf(text, "content-range")).toEqual(["bytes 1-2/4"]);
  });
});
