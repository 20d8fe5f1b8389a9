import { connect } from "node:net";
import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { parseFrame } from "../../src/bridge/protocol/frames.ts";
import {
  legacyRequest,
  modern,
  modernMeta,
  realServer,
  send,
  serve,
  stdioBackend,
  type Served,
} from "./support.ts";

async function scene(
  about: Parameters<typeof serve>[1] = {},
): Promise<Served & { readonly notes: () => string[] }> {
  const { start, notes } = realServer("both");
  return { ...(await serve(stdioBackend(start, { limits: about.limits ?? {} }), about)), notes };
}
const list = legacyRequest(1, "tools/list");

/** What comes back for raw bytes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let heard = "";
    const timer = setTimeout(() => socket.destroy(), 2_000);
    socket.on("data", (chunk) => (heard += String(chunk))).on("error", () => undefined);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(heard);
    });
  });
}

describe("HTTP that is refused", () => {
  it("GET, PUT and DELETE answer 405 and say what is served; another path 404", async () => {
    const { url } = await scene();
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const { status, headers } = await send(url, "", { Accept: "text/event-stream" }, method);
      expect([method, status, headers.get("allow")]).toEqual([method, 405, "POST"]);
    }
    expect((await send(new URL("/", url), list)).status).toBe(404);
    expect((await send(new URL("/mcp/../x", url), list)).status).toBe(404);
    expect((await send(new URL("/mcpx", url), list)).status).toBe(404);
  });

  it("another host, two hosts, another origin, another type", async () => {
    const { url, port, notes } = await scene();
    const head = (fields: string): string =>
      `POST /mcp HTTP/1.1\r\n${fields}Content-Type: application/json\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
    expect(await raw(port, head("Host: evil.example\r\n"))).toMatch(/^HTTP\/1.1 421 /);
    expect(await raw(port, head(""))).toMatch(/^HTTP\/1.1 421 /);
    expect(await raw(port, head(`Host: 127.0.0.1:${port}\r\nHost: evil.example\r\n`))).toMatch(
      /^HTTP\/1.1 4/,
    );
    expect((await send(url, list, { Origin: "http://evil.example" })).status).toBe(403);
    expect((await send(url, list, { Origin: "null" })).status).toBe(403);
    expect((await send(url, list, { "Content-Type": "text/plain" })).status).toBe(415);
    expect((await send(url, list, { "Content-Encoding": "gzip" })).status).toBe(415);
    expect((await send(url, list, { Accept: "text/html" })).status).toBe(406);
    expect(notes()).toEqual([]);
  });

  it("a body that is too large, too late or no text", async () => {
    const { url, port } = await scene({ limits: { requestBytes: 10_000, bodyMs: 500 } });
    expect((await send(url, { ...list, x: "y".repeat(20_000) })).status).toBe(413);
    const slow = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: 100\r\n\r\n{`;
    expect(await raw(port, slow)).toMatch(/^HTTP\/1.1 408 /);
    expect(await raw(port, "POST /mcp HTTP/1.1\r\nHost: 127")).toBe("");
    const { status, json } = await send(url, new Uint8Array([0x7b, 0xff, 0xfe]));
    expect([status, json.error?.code]).toEqual([400, -32_700]);
  });
});

describe("messages that are refused", () => {
  it.each([
    ["no JSON", "{", -32_700],
    ["a batch", [list, list], -32_600],
    ["an empty batch", [], -32_600],
    ["a text", '"x"', -32_600],
    ["null", "null", -32_600],
    ["another protocol", { ...list, jsonrpc: "1.0" }, -32_600],
    ["an id of null", { ...list, id: null }, -32_600],
    ["an id that is an object", { ...list, id: {} }, -32_600],
    ["an id that is a fraction", { ...list, id: 1.5 }, -32_600],
    ["an id that is long", { ...list, id: "x".repeat(300) }, -32_600],
    ["a method that is a number", { ...list, method: 1 }, -32_600],
    ["a method that is long", { ...list, method: "x".repeat(300) }, -32_600],
    ["params that are a list", { ...list, params: [] }, -32_602],
    [
      "great depth",
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${'{"a":'.repeat(5_000)}1${"}".repeat(5_001)}`,
      -32_600,
    ],
    ["greater depth", `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`, -32_600],
  ])("%s", async (_what, body, code) => {
    const { url, notes } = await scene();
    const { status, json } = await send(url, body);
    expect([status, json.error?.code]).toEqual([400, code]);
    expect(notes()).toEqual([]);
  });

  it("methods that would need a state, or let a server be told things, do not reach it", async () => {
    const { url, notes } = await scene();
    for (const method of [
      "logging/setLevel",
      "resources/subscribe",
      "tasks/get",
      "tasks/result",
      "sampling/createMessage",
      "__proto__",
      "constructor",
      "server/discover",
    ]) {
      const { status, json } = await send(url, legacyRequest(1, method));
      expect([method, status, json.error?.code]).toEqual([method, 200, -32_601]);
    }
    expect((await modern(url, "subscriptions/listen")).status).toBe(404);
    expect((await modern(url, "initialize")).json.error?.code).toBe(-32_601);
    expect(notes()).toEqual([]);
  });

  it("fields that do not agree with the body, with the codes of 2026-07-28", async () => {
    const { url } = await scene();
    const args = { name: "delete_all", arguments: {} };
    const code = async (
      headers: Record<string, string>,
      params: Record<string, unknown> = args,
    ): Promise<unknown> => {
      const { status, json } = await modern(url, "tools/call", params, headers);
      return [status, json.error?.code];
    };
    expect(await code({ "Mcp-Name": "search_books" })).toEqual([400, -32_020]);
    expect(await code({ "Mcp-Method": "tools/list" })).toEqual([400, -32_020]);
    expect(await code({ "MCP-Protocol-Version": "2025-11-25" })).toEqual([400, -32_020]);
    expect(await code({ "Mcp-Name": `=?base64?${btoa("delete_all")}?=` })).toEqual([200, undefined]);
    const body = (meta: object): object => ({ ...legacyRequest(1, "tools/list"), params: { _meta: meta } });
    const version = { "MCP-Protocol-Version": "2030-01-01", "Mcp-Method": "tools/list" };
    const unknown = await send(
      url,
      body({ ...modernMeta(), "io.modelcontextprotocol/protocolVersion": "2030-01-01" }),
      version,
    );
    expect([unknown.status, unknown.json.error?.code]).toEqual([400, -32_022]);
    expect(unknown.json.error?.data).toMatchObject({ requested: "2030-01-01" });
    const bare = await send(url, list, { "MCP-Protocol-Version": "2026-07-28" });
    expect([bare.status, bare.json.error?.code]).toEqual([400, -32_602]);
    expect((await send(url, list, { "MCP-Protocol-Version": "1.0" })).status).toBe(400);
  });

  it("answers and notifications are taken without a word, and go nowhere", async () => {
    const { url, notes } = await scene();
    expect((await send(url, { jsonrpc: "2.0", id: 1, result: {} })).status).toBe(202);
    expect((await send(url, { jsonrpc: "2.0", method: "notifications/whatever" })).status).toBe(202);
    expect(
      (await send(url, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: {} } }))
        .status,
    ).toBe(202);
    expect(notes()).toEqual([]);
  });
});

describe("ids of clients", () => {
  it("never meet: the same id at once, as text and number, comes back as it was", async () => {
    const { url } = await scene();
    const ids = [1, "1", 0, "", -5, 1, 1, "x".repeat(256), Number.MAX_SAFE_INTEGER];
    const answers = await Promise.all(
      ids.map((id, at) =>
        send(url, legacyRequest(id, "tools/call", { name: "search_books", arguments: { q: `n${at}.` } })),
      ),
    );
    expect(answers.map(({ json }) => json.id)).toEqual(ids);
    expect(answers.every(({ text }, at) => text.includes(`found n${at}. `))).toBe(true);
  });

  it("cancel nothing where it is not known which call is meant", async () => {
    const { url, notes } = await scene();
    const wait = (): ReturnType<typeof send> =>
      send(url, legacyRequest(7, "tools/call", { name: "wait", arguments: { ms: 1_500 } }));
    const both = [wait(), wait()];
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await send(url, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } });
    expect((await Promise.all(both)).map(({ text }) => text.includes("done"))).toEqual([true, true]);
    expect(notes()).not.toContain("cancelled");
  });
});

describe("tools that are allowed one by one", () => {
  it("are all that is listed and called, and nothing else of the server is served", async () => {
    const { url, calls } = await scene({ tools: ["search_*"] });
    const listed = await send(url, list);
    expect(listed.json.result?.["tools"]).toMatchObject([
      { name: "search_books" },
      { name: "search_people" },
    ]);
    const call = (name: unknown): ReturnType<typeof send> =>
      send(url, legacyRequest(1, "tools/call", { name, arguments: { q: "x" } }));
    expect((await call("search_books")).text).toContain("found x");
    for (const name of [
      "delete_all",
      "search",
      "Search_books",
      " search_books",
      "",
      ["search_books"],
      { toString: "search_books" },
      undefined,
    ])
      expect([name, (await call(name)).json.error?.code]).toEqual([name, -32_602]);
    for (const method of ["resources/list", "prompts/list", "completion/complete"])
      expect((await send(url, legacyRequest(1, method))).json.error?.code).toBe(-32_601);
    const read = await modern(url, "resources/read", { uri: "diary://today" });
    expect([read.status, read.json.error?.code]).toEqual([404, -32_601]);
    const opened = await send(url, legacyRequest(1, "initialize", { protocolVersion: "2025-11-25" }));
    expect(opened.json.result?.["capabilities"]).toEqual({ tools: {} });
    expect(calls.filter(({ end }) => end === "refused")).toHaveLength(12);
    expect(calls[0]).toMatchObject({ who: "ben", method: "tools/list", end: "answered" });
  });
});

describe("what leaves", () => {
  it("is judged whole, and is not sent where that says no, or fails", async () => {
    const judged: string[] = [];
    const { url, calls } = await scene({
      outbound: ({ text, method, name }) => {
        judged.push(`${method} ${String(name)}`);
        if (text.includes("explode")) return Promise.reject(new Error("no verdict"));
        return Promise.resolve(text.includes("ghp_") ? { leaves: false, why: "withheld" } : { leaves: true });
      },
    });
    const secret = await send(
      url,
      legacyRequest(1, "tools/call", { name: "secret", arguments: { value: "ghp_x" } }),
    );
    expect(secret.json).toEqual({ jsonrpc: "2.0", id: 1, error: { code: -32_000, message: "withheld" } });
    const failed = await send(
      url,
      legacyRequest(2, "tools/call", { name: "search_books", arguments: { q: "explode" } }),
    );
    expect(failed.text).not.toContain("explode");
    expect(failed.json.error?.message).toMatch(/could not be searched/);
    expect(judged).toEqual(["tools/call secret", "tools/call search_books"]);
    expect(calls.map(({ end }) => end)).toEqual(["withheld", "withheld"]);
  });

  it("progress is judged too: a note that does not leave is left out", async () => {
    const { url } = await scene({
      outbound: ({ text }) =>
        Promise.resolve(text.includes("step 2") ? { leaves: false, why: "no" } : { leaves: true }),
    });
    const params = { name: "wait", arguments: { ms: 600, notes: 3 }, _meta: { progressToken: "mine" } };
    const { text, headers } = await send(url, legacyRequest(1, "tools/call", params));
    expect(headers.get("content-type")).toBe("text/event-stream");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(text.match(/step \d/g)).toEqual(["step 1", "step 3"]);
    expect(text).toContain('"progressToken":"mine"');
    expect(text.trimEnd().split("\n").at(-1)).toContain('"result"');
  });
});

describe("answers that nobody reads", () => {
  it("are bounded together: more are refused until the others are cut", async () => {
    const { bridge, url } = await scene({ limits: { unreadChars: 2_000_000, stallMs: 1_500 } });
    const visitor = bridge.visitor({ who: "cleo", origin: new URL("http://here") });
    /** A connection that takes the first bytes of an answer, and never says that it has. */
    const ask = (): (() => string) => {
      let heard = "";
      const socket = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer) => void (heard += String(chunk)),
        writev: (chunks) => void (heard += chunks.map(({ chunk }) => String(chunk)).join("")),
      });
      visitor.accept(socket);
      const body = JSON.stringify(
        legacyRequest(1, "tools/call", { name: "big", arguments: { chars: 1_500_000 } }),
      );
      socket.push(
        `POST /mcp HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return () => heard;
    };
    const first = ask();
    await expect.poll(() => first().length, { timeout: 5_000 }).toBeGreaterThan(100);
    const second = ask();
    await expect.poll(second, { timeout: 5_000 }).toContain("too many answers wait to be read");
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const third = ask();
    await expect.poll(() => third().length, { timeout: 5_000 }).toBeGreaterThan(100);
    expect(third()).not.toContain("too many");
    expect((await send(url, list)).status).toBe(200);
  });
});

describe("too many calls at once", () => {
  it("take up no more room with their bodies than there is, and give it back", async () => {
    const { url } = await serve(stdioBackend(realServer("legacy").start), { limits: { bodiesBytes: 2_000 } });
    const sized = (chars: number): object =>
      legacyRequest(1, "tools/call", { name: "echo", arguments: { text: "x".repeat(chars) } });
    for (let turn = 0; turn < 5; turn += 1) {
      const crowded = await send(url, sized(3_000));
      expect([crowded.status, crowded.headers.get("retry-after")]).toEqual([503, "1"]);
      expect((await send(url, sized(1_000))).status).toBe(200);
    }
  });

  it("are refused with 503, and the others are answered", async () => {
    const { url } = await scene({ limits: { callsOfVisitor: 4 } });
    await send(url, list);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, id) =>
        send(url, legacyRequest(id, "tools/call", { name: "wait", arguments: { ms: 500 } })),
      ),
    );
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(6);
    expect(answers.filter(({ text }) => text.includes("done"))).toHaveLength(4);
    expect(answers.find(({ status }) => status === 503)?.headers.get("retry-after")).toBe("1");
    expect((await send(url, list)).status).toBe(200);
  });
});

it("any text is a frame or is refused, and never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.anything().map((value) => JSON.stringify(value) ?? ""),
      ),
      (text) => {
        const frame = parseFrame(text);
        return ["request", "notification", "response", "bad"].includes(frame.kind);
      },
    ),
  );
});
