import { describe, expect, it } from "vitest";
import {
  ask,
  fieldsOf,
  gatewayTo,
  HOST,
  ok,
  OPEN_GATE,
  rawService,
  RawVisitor,
  request,
  statusOf,
  until,
  upstreamAt,
} from "./harness.ts";

/** A gateway in front of a service that answers 200 to all. */
async function stage(options: Parameters<typeof gatewayTo>[1] = {}) {
  const service = await rawService(() => ok());
  return { service, ...(await gatewayTo(service.port, options)) };
}

describe("Host is exact and single (RFC 9112 §3.2, RFC 9110 §15.5.20)", () => {
  it.each([
    ["none", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["two", request("GET /", `Host: ${HOST}`, `Host: ${HOST}`), 400],
    ["two, the second one foreign", request("GET /", `Host: ${HOST}`, "Host: other.example"), 400],
    [
      "two, far apart",
      request("GET /", `Host: ${HOST}`, ...Array.from({ length: 2_500 }, () => "a:"), "Host: x"),
      400,
    ],
    ["empty", request("GET /", "Host:"), 400],
    ["with user information", request("GET /", `Host: user@${HOST}`), 400],
    ["with a path", request("GET /", `Host: ${HOST}/x`), 400],
    ["two in one line", request("GET /", `Host: ${HOST} ${HOST}`), 400],
    ["unknown", request("GET /", "Host: other.example"), 421],
    ["a name below ours", request("GET /", `Host: a.${HOST}`), 421],
    ["ours as the first label of another", request("GET /", `Host: ${HOST}.other.example`), 421],
    ["the loopback name", request("GET /", "Host: localhost"), 421],
    ["another port", request("GET /", `Host: ${HOST}:8443`), 421],
    ["HTTP/1.0 without one", "GET / HTTP/1.0\r\n\r\n", 400],
  ])("%s", async (_name, bytes, status) => {
    const { port, service } = await stage();
    const text = await ask(port, bytes);
    expect(statusOf(text)).toBe(status);
    expect(fieldsOf(text, "x-tunnel-answer")).toHaveLength(1);
    expect(service.received).toEqual([]);
  });

  it.each([`Host: ${HOST}`, `host: ${HOST.toUpperCase()}`, `Host: ${HOST}:443`])(
    "%s is ours",
    async (line) => {
      const { port } = await stage();
      expect(statusOf(await ask(port, request("GET /", line)))).toBe(200);
    },
  );

  it("is the port as well on a plain address", async () => {
    const { port, gateway } = await stage();
    gateway.publish(new URL("http://192.168.1.7:8080"));
    expect(statusOf(await ask(port, request("GET /", "Host: 192.168.1.7:8080")))).toBe(200);
    expect(statusOf(await ask(port, request("GET /", "Host: 192.168.1.7")))).toBe(421);
  });

  it("is the loopback name at the service, alone", async () => {
    const { port, service } = await stage();
    await ask(port, request("GET /"));
    expect(fieldsOf(service.received[0] ?? "", "host")).toEqual([`localhost:${service.port}`]);
  });

  it("is the user's own at the service where one is given", async () => {
    const { port, service } = await stage({ hostHeader: "app.test:81" });
    await ask(port, request("GET /"));
    expect(fieldsOf(service.received[0] ?? "", "host")).toEqual(["app.test:81"]);
  });

  it("cannot be made to hold lines by the user's own", async () => {
    await expect(stage({ hostHeader: "a\r\nX-Evil: 1" })).rejects.toMatchObject({
      code: "expose-target-invalid",
    });
  });
});

describe("absolute-form (RFC 9112 §3.2.2)", () => {
  it("of another authority is refused, whatever Host says", async () => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request("GET http://other.example/x")))).toBe(400);
    expect(service.received).toEqual([]);
  });

  it("of ours wins over Host, and goes on in origin-form", async () => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request(`GET https://${HOST}/x?y`, "Host: other.example")))).toBe(200);
    expect(service.received[0]).toMatch(/^GET \/x\?y HTTP\/1\.1\r\n/);
  });

  it("without a path asks for the root", async () => {
    const { port, service } = await stage();
    await ask(port, request(`GET https://${HOST}?y`));
    expect(service.received[0]).toMatch(/^GET \/\?y HTTP\/1\.1\r\n/);
  });

  it.each([`https://user@${HOST}/x`, "ftp://shown.example.com/x", "https:///x", "shown.example.com/x", "x"])(
    "%s is 400",
    async (target) => {
      const { port, service } = await stage();
      expect(statusOf(await ask(port, request(`GET ${target}`)))).toBe(400);
      expect(service.received).toEqual([]);
    },
  );
});

describe("the target is not normalised (RFC 9110 §7.7)", () => {
  it.each([
    "/a%2fb%2F%00%c3%A9",
    "//host/x",
    "///",
    "/../../etc/passwd",
    "/a/./b/../c",
    "/a?b?c=d&&e=%20+",
    "/%",
    "/a;b=c/d",
    '/"<>\\^`{|}',
    "/@fs/etc/passwd?raw??",
    "/.tunnelled",
    "/%2etunnel/claim",
  ])("%s passes byte for byte", async (target) => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request(`GET ${target}`)))).toBe(200);
    expect(service.received[0]?.split("\r\n")[0]).toBe(`GET ${target} HTTP/1.1`);
  });

  it.each(["/a#b", "/#", "/a?b#c", `https://${HOST}/#x`])("%s is refused for its #", async (target) => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request(`GET ${target}`)))).toBe(400);
    expect(service.received).toEqual([]);
  });

  it("OPTIONS * asks about the whole server", async () => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request("OPTIONS *")))).toBe(200);
    expect(service.received[0]).toMatch(/^OPTIONS \* HTTP\/1\.1\r\n/);
    expect(statusOf(await ask(port, request("GET *")))).toBe(400);
  });
});

describe("hop-by-hop fields (RFC 9110 §7.6.1)", () => {
  it("end here, and so do those that Connection names", async () => {
    const { port, service } = await stage();
    await ask(
      port,
      request(
        "GET /",
        "Connection: close, X-Hop,  x-other",
        "X-Hop: 1",
        "X-Other: 2",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
        "Proxy-Authenticate: Basic",
        "TE: gzip",
        "Trailer: X-T",
        "X-End: 3",
      ),
    );
    const [text = ""] = service.received;
    const gone = [
      "connection",
      "x-hop",
      "x-other",
      "keep-alive",
      "proxy-connection",
      "proxy-authorization",
      "proxy-authenticate",
      "te",
      "trailer",
    ];
    for (const name of gone) expect(fieldsOf(text, name), name).toEqual([]);
    expect(fieldsOf(text, "x-end")).toEqual(["3"]);
  });

  it("cannot be used to take ours away", async () => {
    const service = await rawService(() => ok());
    const { port } = await gatewayTo(service.port, {
      upstream: () => ({ ...upstreamAt(service.port), secretField: ["X-Folder-Key", "s3cret"] }),
    });
    const named =
      "x-forwarded-for, x-forwarded-proto, x-forwarded-host, forwarded, via, host, x-folder-key, content-length, transfer-encoding";
    await ask(
      port,
      request("POST /", `Connection: close, ${named}`, "Content-Length: 3", "X-Folder-Key: forged") + "abc",
    );
    const [text = ""] = service.received;
    expect(fieldsOf(text, "x-folder-key")).toEqual(["s3cret"]);
    expect(fieldsOf(text, "content-length")).toEqual(["3"]);
    for (const name of [
      "x-forwarded-for",
      "x-forwarded-proto",
      "x-forwarded-host",
      "forwarded",
      "via",
      "host",
    ]) {
      expect(fieldsOf(text, name), name).toHaveLength(1);
    }
  });

  it("the gate sees them all before they go", async () => {
    const seen: string[] = [];
    const { port } = await stage({
      gate: {
        judge: (head, source, about) => {
          seen.push(...head.fields);
          return OPEN_GATE.judge(head, source, about);
        },
      },
    });
    await ask(port, request("GET /", "Connection: close, Cookie", "Cookie: a=b"));
    expect(seen).toContain("Cookie");
  });
});

describe("forwarded fields are replaced, never appended (RFC 7239 §8.1)", () => {
  it("whatever the visitor says of itself", async () => {
    const { port, service } = await stage();
    await ask(
      port,
      request(
        "GET /",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-For: 7.7.7.7",
        "X-Forwarded-Proto: ftp",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Prefix: //evil",
        "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
      ),
    );
    const [text = ""] = service.received;
    expect(fieldsOf(text, "x-forwarded-for")).toEqual(["127.0.0.1"]);
    expect(fieldsOf(text, "x-forwarded-proto")).toEqual(["https"]);
    expect(fieldsOf(text, "x-forwarded-host")).toEqual([HOST]);
    expect(fieldsOf(text, "forwarded")).toEqual([`for=127.0.0.1;host="${HOST}";proto=https`]);
    expect(text).not.toMatch(/6\.6\.6\.6|7\.7\.7\.7|evil/);
  });

  it("an IPv6 address stands quoted in Forwarded (§6), and comes from the edge's field alone", async () => {
    const { port, service, all } = await stage({ sourceHeader: "cf-connecting-ip" });
    await ask(port, request("GET /", "CF-Connecting-IP: 2001:db8::7", "X-Forwarded-For: 6.6.6.6"));
    const [text = ""] = service.received;
    expect(fieldsOf(text, "x-forwarded-for")).toEqual(["2001:db8::7"]);
    expect(fieldsOf(text, "forwarded")).toEqual([`for="[2001:db8::7]";host="${HOST}";proto=https`]);
    expect(all[0]?.request.source.address).toBe("2001:db8::7");
  });

  it.each([["not an address"], ["1.2.3.4, 5.6.7.8"], [""]])(
    "an edge's field of %j is not believed",
    async (value) => {
      const { port, all } = await stage({ sourceHeader: "cf-connecting-ip" });
      await ask(port, request("GET /", `CF-Connecting-IP: ${value}`));
      expect(all[0]?.request.source.address).toBe("127.0.0.1");
    },
  );

  it("two lines of the edge's field are not believed, nor is one that was not declared", async () => {
    const { port, all } = await stage({ sourceHeader: "cf-connecting-ip" });
    await ask(port, request("GET /", "CF-Connecting-IP: 1.2.3.4", "CF-Connecting-IP: 5.6.7.8"));
    const other = await stage();
    await ask(other.port, request("GET /", "CF-Connecting-IP: 1.2.3.4"));
    expect([all[0], other.all[0]].map((one) => one?.request.source.address)).toEqual([
      "127.0.0.1",
      "127.0.0.1",
    ]);
  });
});

describe("Via (RFC 9110 §7.6.3)", () => {
  it("is added after those of others", async () => {
    const { port, service } = await stage();
    await ask(port, request("GET /", "Via: 1.1 edge"));
    expect(fieldsOf(service.received[0] ?? "", "via")).toEqual(["1.1 edge", "1.1 gateway-4713"]);
  });

  it.each(["Via: 1.1 gateway-4713", "Via: 1.0 a, 1.1 Gateway-4713 (x)"])(
    "%s is a loop: 508",
    async (line) => {
      const { port, service } = await stage();
      const text = await ask(port, request("GET /", line));
      expect(statusOf(text)).toBe(508);
      expect(fieldsOf(text, "proxy-status")).toEqual(["tunnel-mcp; error=proxy_loop_detected"]);
      expect(service.received).toEqual([]);
    },
  );

  it("tells a service that leads back to its own public address", async () => {
    let back = 0;
    const stage = await gatewayTo(0, { upstream: () => ({ ...upstreamAt(back), host: HOST }) });
    back = stage.port;
    expect(statusOf(await ask(stage.port, request("GET /")))).toBe(508);
  });
});

describe("framing of requests (RFC 9112 §6)", () => {
  it("chunked after another coding is 501, and the connection is closed", async () => {
    const { port, service } = await stage();
    const text = await ask(
      port,
      request("POST /", "Connection: keep-alive", "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
    );
    expect(statusOf(text)).toBe(501);
    expect(service.received).toEqual([]);
  });

  it.each(["xchunked", "identity", "chunked, chunked", "chunkedx"])(
    "%s is refused, and never taken for chunked",
    async (coding) => {
      const { port, service } = await stage();
      const text = await ask(port, request("POST /", `Transfer-Encoding: ${coding}`) + "0\r\n\r\n");
      expect([400, 501]).toContain(statusOf(text));
      expect(service.received).toEqual([]);
    },
  );

  it("two lines of codings are 501 as well", async () => {
    const { port, service } = await stage();
    const text = await ask(
      port,
      request("POST /", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked") + "0\r\n\r\n",
    );
    expect(statusOf(text)).toBe(501);
    expect(service.received).toEqual([]);
  });

  it.each([
    ["length and coding", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    ["two equal lengths", "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"],
    ["a list of lengths", "Content-Length: 3, 3\r\n\r\nabc"],
    ["a negative length", "Content-Length: -1\r\n\r\n"],
    ["a length with a sign", "Content-Length: +3\r\n\r\nabc"],
    ["a hexadecimal length", "Content-Length: 0x3\r\n\r\nabc"],
    ["chunked not last", "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
    ["a bare LF", "X-A: 1\nX-B: 2\r\n\r\n"],
    ["a bare CR", "X-A: 1\rX-B: 2\r\n\r\n"],
    ["a NUL", "X-A: 1\0\r\n\r\n"],
    ["a folded line", "X-A: 1\r\n 2\r\n\r\n"],
    ["a space before the colon", "X-A : 1\r\n\r\n"],
    ["no colon", "X-A\r\n\r\n"],
    ["a space in the name", "X A: 1\r\n\r\n"],
    ["a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"],
    ["a chunk longer than it says", "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"],
    ["a length in the trailers", "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"],
  ])("%s is 400", async (_name, rest) => {
    const { port, service } = await stage();
    const text = await ask(port, `POST / HTTP/1.1\r\nHost: ${HOST}\r\n${rest}`);
    expect(statusOf(text)).toBe(400);
    expect(fieldsOf(text, "x-tunnel-answer")).toHaveLength(1);
    // A body that turns out broken in the middle may have begun; its end never comes.
    expect(service.received.join("")).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  it("a coding in HTTP/1.0 is faulty", async () => {
    const { port } = await stage();
    const text = await ask(
      port,
      `POST / HTTP/1.0\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    expect(statusOf(text)).toBe(400);
  });

  it("a chunked body is framed anew: its extensions end here", async () => {
    const { port, service } = await stage();
    await ask(
      port,
      request("POST /", "Transfer-Encoding: Chunked") + "3;x=y\r\nabc\r\n000002\r\nde\r\n0\r\n\r\n",
    );
    const [text = ""] = service.received;
    expect(fieldsOf(text, "transfer-encoding")).toEqual(["chunked"]);
    expect(text).not.toContain("x=y");
    expect(text.slice(text.indexOf("\r\n\r\n") + 4)).toMatch(
      /^(?:3\r\nabc\r\n2\r\nde|5\r\nabcde)\r\n0\r\n\r\n$/,
    );
  });

  it("a length stays a length", async () => {
    const { port, service } = await stage();
    await ask(port, request("PUT /", "Content-Length: 0005") + "abcde");
    const [text = ""] = service.received;
    expect(fieldsOf(text, "content-length")).toEqual(["5"]);
    expect(fieldsOf(text, "transfer-encoding")).toEqual([]);
    expect(text.endsWith("\r\n\r\nabcde")).toBe(true);
  });

  it("GET with a body is framed, not dropped (RFC 9110 §9.3.1)", async () => {
    const { port, service } = await stage();
    await ask(port, request("GET /", "Content-Length: 4") + "GET ");
    expect(service.received[0]?.endsWith("\r\n\r\nGET ")).toBe(true);
  });

  it("pipelined requests go on one by one, with their answers in order", async () => {
    const service = await rawService((head) => ok(head.split(" ")[1]));
    const { port } = await gatewayTo(service.port);
    const text = await ask(
      port,
      request("GET /1", "Connection: keep-alive") +
        request("GET /2", "Connection: keep-alive") +
        request("GET /3"),
    );
    expect(text.match(/\/[123]$|\/[123](?=HTTP)/g)).toEqual(["/1", "/2", "/3"]);
  });
});

describe("Expect (RFC 9110 §10.1.1)", () => {
  it("100-continue: the gate decides before the 100", async () => {
    const { port, service } = await stage({
      gate: { judge: () => ({ kind: "answer", answer: { status: 401, why: "no-access", body: "no" } }) },
    });
    const text = await ask(
      port,
      request("POST /", "Expect: 100-continue", "Content-Length: 5", "Connection: keep-alive"),
    );
    expect(statusOf(text)).toBe(401);
    expect(text).not.toContain("100 Continue");
    expect(service.received).toEqual([]);
  });

  it("100-continue: the service decides, and the body follows its 100", async () => {
    let isAsked = false;
    const service = await rawService((_head, socket) => {
      isAsked = true;
      socket.on("data", (chunk: Buffer) => {
        if (chunk.includes("hello")) socket.write(ok("done"));
      });
      return undefined;
    });
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", "Expect: 100-Continue", "Content-Length: 5"));
    await until(() => isAsked);
    expect(fieldsOf(service.received[0] ?? "", "expect")).toEqual(["100-continue"]);
    expect(visitor.text).toBe("");
    service.sockets[0]?.write("HTTP/1.1 100 Continue\r\n\r\n");
    await visitor.sees("HTTP/1.1 100 Continue\r\n\r\n");
    visitor.write("hello");
    expect(await visitor.closed()).toMatch(/done$/);
  });

  it("100-continue: a final answer of the service closes the connection, on which the body may or may not come", async () => {
    const service = await rawService(() => "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    const { port } = await gatewayTo(service.port);
    const text = await ask(
      port,
      request("POST /", "Expect: 100-continue", "Content-Length: 5", "Connection: keep-alive"),
    );
    expect(statusOf(text)).toBe(413);
    expect(fieldsOf(text, "connection")).toEqual(["close"]);
  });

  it("anything else is 417", async () => {
    const { port, service } = await stage();
    const text = await ask(port, request("POST /", "Expect: miracles", "Content-Length: 0"));
    expect(statusOf(text)).toBe(417);
    expect(fieldsOf(text, "x-tunnel-answer")).toHaveLength(1);
    expect(service.received).toEqual([]);
  });
});

describe("methods", () => {
  it("CONNECT is 405 (RFC 9110 §9.3.6)", async () => {
    const { port, service } = await stage();
    expect(
      statusOf(await ask(port, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n")),
    ).toBe(405);
    expect(service.received).toEqual([]);
  });

  it("TRACE is 405, and names what is allowed (RFC 9110 §9.3.8, §15.5.6)", async () => {
    const { port, service } = await stage();
    const text = await ask(port, request("TRACE /", "Cookie: secret=1"));
    expect(statusOf(text)).toBe(405);
    expect(fieldsOf(text, "allow")).toHaveLength(1);
    expect(text).not.toContain("secret");
    expect(service.received).toEqual([]);
  });

  it.each(["DELETE", "PATCH", "PROPFIND", "OPTIONS", "PURGE"])("%s passes", async (method) => {
    const { port, service } = await stage();
    expect(statusOf(await ask(port, request(`${method} /`)))).toBe(200);
    expect(service.received[0]).toMatch(new RegExp(`^${method} / HTTP/1.1`));
  });

  it("preflights reach the service with their fields", async () => {
    const { port, service } = await stage();
    await ask(
      port,
      request("OPTIONS /api", "Origin: https://other.example", "Access-Control-Request-Method: PUT"),
    );
    const [text = ""] = service.received;
    expect(fieldsOf(text, "access-control-request-method")).toEqual(["PUT"]);
    expect(fieldsOf(text, "origin")).toEqual(["https://other.example"]);
  });
});

describe("sizes", () => {
  it("a head over the limit is 431 (RFC 6585 §5)", async () => {
    const { port, service } = await stage();
    const text = await ask(port, request("GET /", `X-Long: ${"a".repeat(17 * 1024)}`));
    expect(statusOf(text)).toBe(431);
    expect(fieldsOf(text, "x-tunnel-answer")).toEqual(["head-too-long"]);
    expect(service.received).toEqual([]);
  });

  it("a visitor that sends a megabyte of head still reads its 431", async () => {
    const { port } = await stage();
    const text = await ask(
      port,
      request("GET /", ...Array.from({ length: 1_000 }, () => `X-Long: ${"a".repeat(1_000)}`)),
    );
    expect(statusOf(text)).toBe(431);
  });

  it("a length over a limit that is set is 413 before a byte is read (RFC 9110 §15.5.14)", async () => {
    const { port, service } = await stage({ limits: { requestBodyBytes: 10 } });
    const text = await ask(port, request("POST /", "Content-Length: 11") + "01234567890");
    expect(statusOf(text)).toBe(413);
    expect(service.received).toEqual([]);
  });

  it("a chunked body over a limit that is set is cut, and told as 413", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port, { limits: { requestBodyBytes: 10 } });
    const text = await ask(
      port,
      request("POST /", "Transfer-Encoding: chunked") + "b\r\n01234567890\r\n0\r\n\r\n",
    );
    expect(statusOf(text)).toBe(413);
    await until(() => service.sockets.every((socket) => socket.destroyed));
    expect(service.received.join("")).not.toContain("0\r\n\r\n");
  });

  it("without a limit no length is too long", async () => {
    const service = await rawService(() => undefined);
    const { port } = await gatewayTo(service.port);
    const visitor = new RawVisitor(port, request("POST /", `Content-Length: ${2 ** 40}`));
    await until(() => service.received.length === 1);
    expect(visitor.text).toBe("");
  });
});

describe("fields are kept as they are", () => {
  it("in their case, order and number, and byte for byte in Latin-1 (RFC 9110 §5.5)", async () => {
    const { port, service } = await stage();
    const lines = [
      "x-B: 1",
      "X-a: 2",
      "x-b:   3  ",
      "X-Latin: \xe4\xff\x80",
      "Cookie: a=b",
      "Cookie: c=d",
      "X-Empty:",
    ];
    await ask(port, request("GET /", ...lines));
    const sent = (service.received[0] ?? "")
      .split("\r\n")
      .filter((line) => /^(?:x-(?:[ab]|latin|empty)|cookie):/i.test(line));
    expect(sent).toEqual([
      "x-B: 1",
      "X-a: 2",
      "x-b: 3",
      "X-Latin: \xe4\xff\x80",
      "Cookie: a=b",
      "Cookie: c=d",
      "X-Empty: ",
    ]);
  });
});

describe("trailers of requests (RFC 9110 §6.5)", () => {
  it("go on behind the body, without those that frame or authenticate", async () => {
    const { port, service } = await stage();
    const body = "3\r\nabc\r\n0\r\nX-Sum: 7\r\nAuthorization: Basic eA==\r\nHost: evil\r\n\r\n";
    await ask(port, request("POST /", "Transfer-Encoding: chunked", "Trailer: X-Sum") + body);
    expect(service.received[0]).toMatch(/\r\n0\r\nX-Sum: 7\r\n\r\n$/);
    expect(service.received[0]).not.toMatch(/evil|Basic/);
  });
});

describe("Origin and Referer", () => {
  it("of the public address become those of the service", async () => {
    const { port, service } = await stage();
    await ask(port, request("POST /", `Origin: https://${HOST}`, `Referer: https://${HOST}/page?x`));
    const [text = ""] = service.received;
    expect(fieldsOf(text, "origin")).toEqual([`http://localhost:${service.port}`]);
    expect(fieldsOf(text, "referer")).toEqual([`http://localhost:${service.port}/page?x`]);
  });

  it.each(["https://other.example", `https://${HOST}.other.example`, `http://${HOST}`, "null"])(
    "%s stays what it is",
    async (origin) => {
      const { port, service } = await stage();
      await ask(port, request("POST /", `Origin: ${origin}`, `Referer: ${origin}/x`));
      const [text = ""] = service.received;
      expect(fieldsOf(text, "origin")).toEqual([origin]);
      expect(fieldsOf(text, "referer")).toEqual([`${origin}/x`]);
    },
  );
});
