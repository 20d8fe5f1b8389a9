import { createServer, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { ServerCommand } from "../../../src/bridge/stdio/servers-file.ts";
import type { Exposure } from "../../../src/expose/exposures/exposure.ts";
import type { ExposureRequest } from "../../../src/expose/exposures/request.ts";
import type { Exposures } from "../../../src/expose/exposures/exposures.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startedView } from "../../../src/view/expose/exposures.ts";
import { z } from "zod";
import { gone, until } from "../../support/processes.ts";
import { client, legacyRequest, modern, realServer, send, type Started } from "../../bridge/support.ts";
import { cleanUp, exposuresOn, service, settled } from "../support.ts";

afterEach(cleanUp);

const COMMAND: ServerCommand = { file: "unused", args: [], env: {}, cwd: "." };

/** Exposures whose file of servers names `store`, which is the test server in a mode. */
function withStore(
  mode: string,
  over: Parameters<typeof exposuresOn>[1] = {},
): {
  readonly exposures: Exposures;
  readonly overseer: ReturnType<typeof exposuresOn>["overseer"];
  readonly store: Started;
} {
  const store = realServer(mode);
  const stdio = {
    commandNamed: (name: string) =>
      name === "store" ? Promise.resolve(COMMAND) : Promise.reject(new TunnelError("mcp-server-unknown")),
    start: () => store.start,
  };
  return { ...exposuresOn(systemClock, { stdio, ...over }), store };
}

interface Open {
  readonly exposure: Exposure;
  readonly url: URL;
  readonly headers: { readonly Authorization: string };
}

async function open(exposures: Exposures, request: ExposureRequest): Promise<Open> {
  const { exposure } = exposures.start(request, { isConsented: true });
  await settled(exposure);
  if (exposure.state.name === "failed") throw exposure.state.error;
  const url = exposure.publicUrl ?? new URL("none:");
  return { exposure, url, headers: { Authorization: `Bearer ${exposure.ways.bearer ?? ""}` } };
}

async function store(mode = "both", more: ExposureRequest = {}): Promise<Open & { readonly store: Started }> {
  const made = withStore(mode);
  return { ...(await open(made.exposures, { mcp: "store", ...more })), store: made.store };
}

const viewOf = (exposure: Exposure) => startedView(exposure, { now: 0, newClaims: [], platform: "linux" });

describe("a stdio server that is exposed", () => {
  it.each(["legacy", "modern"] as const)("serves a client of the %s era by its token alone", async (era) => {
    const { url, headers, exposure } = await store();
    expect(url.pathname).toBe("/mcp");
    const made = await client(url, era, headers);
    expect((await made.listTools()).tools.map(({ name }) => name)).toContain("search_books");
    expect(JSON.stringify(await made.callTool({ name: "search_books", arguments: { q: "sea" } }))).toContain(
      "found sea",
    );
    await expect(client(url, era, {})).rejects.toThrow();
    await expect(client(url, era, { Authorization: "Bearer wrong" })).rejects.toThrow();
    expect(viewOf(exposure)).toMatchObject({
      publicUrl: url.href,
      access: { bearer: expect.stringMatching(/^[\w-]{32}$/) },
      local: {
        target: "the stdio MCP server store",
        serverName: "store",
        tools: expect.arrayContaining(["fail"]),
      },
      clients: {
        claudeCode: `claude mcp add --transport http mcp-store ${url.href} --header 'Authorization: ${headers.Authorization}'`,
        json: JSON.stringify({ mcpServers: { "mcp-store": { type: "http", url: url.href, headers } } }),
        // It takes https alone.
        messagesApi: undefined,
      },
    });
  });

  it("streams progress, and cancels what a client of 2026-07-28 hangs up on", async () => {
    const { url, headers, store: started } = await store();
    const made = await client(url, "modern", headers);
    const notes: number[] = [];
    await made.callTool(
      { name: "wait", arguments: { ms: 300, notes: 3 } },
      { onprogress: ({ progress }) => notes.push(progress) },
    );
    expect(notes).toEqual([1, 2, 3]);
    const gives = new AbortController();
    const call = made.callTool({ name: "wait", arguments: { ms: 60_000 } }, { signal: gives.signal });
    const over = call.catch(() => "given up");
    await new Promise((resolve) => setTimeout(resolve, 200));
    gives.abort();
    expect(await over).toBe("given up");
    await until("the server hears of it", () => started.notes().includes("cancelled"));
  });

  it("serves the tools alone that are named", async () => {
    const { url, headers, exposure } = await store("both", { tools: ["search_*"] });
    const made = await client(url, "modern", headers);
    expect((await made.listTools()).tools.map(({ name }) => name)).toEqual(["search_books", "search_people"]);
    await expect(made.callTool({ name: "delete_all", arguments: {} })).rejects.toThrow(/does not let/);
    await expect(made.readResource({ uri: "diary://today" })).rejects.toThrow();
    expect(exposure.found?.mcp).toMatchObject({ tools: ["search_books", "search_people"], isListed: true });
  });

  it("has one process for all, which keeps their ids apart, for 300 clients at once", async () => {
    const { url, headers, store: started } = await store();
    const call = (at: number) =>
      send(
        url,
        legacyRequest(at % 7, "tools/call", { name: "search_books", arguments: { q: `q${at}` } }),
        headers,
      );
    const answers = await Promise.all(Array.from({ length: 300 }, (_, at) => call(at)));
    for (const [at, { status, json }] of answers.entries()) {
      expect(status).toBe(200);
      expect(json.id).toBe(at % 7);
      expect(JSON.stringify(json.result)).toContain(`found q${at} `);
    }
    expect(started.notes()).toHaveLength(1);
  });

  it("has one process for each session, where that is asked for; nobody else's session is guessed or kept", async () => {
    const { url, headers, store: started } = await store("both", { perSession: true });
    const begin = async (): Promise<string> => {
      const params = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "t", version: "1" },
      };
      const { headers: got } = await send(url, legacyRequest(1, "initialize", params), headers);
      return got.get("mcp-session-id") ?? "";
    };
    const [one, two] = [await begin(), await begin()];
    expect(one).toMatch(/^[0-9a-f]{32}$/);
    const found = async (session: string): Promise<string> => {
      const call = legacyRequest(1, "tools/call", { name: "search_books", arguments: { q: "x" } });
      return (await send(url, call, { ...headers, "Mcp-Session-Id": session })).text;
    };
    expect(await found(one)).not.toBe(await found(two));
    expect(await found("0".repeat(32))).toContain("no such session");
    expect((await send(url, legacyRequest(1, "tools/list"), headers)).status).toBe(400);
    // The session is none without the token.
    expect((await send(url, legacyRequest(1, "tools/list"), { "Mcp-Session-Id": one })).status).toBe(401);
    const end = await send(url, "", { ...headers, "Mcp-Session-Id": one }, "DELETE");
    expect(end.status).toBe(204);
    expect(await found(one)).toContain("no such session");
    expect(await found(two)).toContain("found x");
    // One for clients without sessions, one that was asked for its tools and has ended, and one for each.
    expect(started.notes()).toHaveLength(4);
    await gone(Number(started.notes()[1]));
  });

  it("is not cancelled by another client that gives the same id", async () => {
    const { url, headers, store: started } = await store();
    const call = legacyRequest(5, "tools/call", { name: "wait", arguments: { ms: 700 } });
    const answer = send(url, call, { ...headers, "User-Agent": "one" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } };
    expect((await send(url, cancel, { ...headers, "User-Agent": "two" })).status).toBe(202);
    expect((await answer).text).toContain("done");
    const second = send(url, call, { ...headers, "User-Agent": "one" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await send(url, cancel, { ...headers, "User-Agent": "one" });
    expect((await second).text).toContain("cancelled");
    await until("the server hears of it", () => started.notes().includes("cancelled"));
  });

  it("ends with the exposure, and with all that it has started", async () => {
    const { exposure, store: started } = await store("forks");
    expect(started.notes()).toHaveLength(2);
    await exposure.stop("stopped");
    await Promise.all(started.notes().map(Number).map(gone));
  });
});

describe("a hostile client of an exposed server", () => {
  it("gets GET and PUT as 405, other paths as 404, and nothing from an Upgrade", async () => {
    const { url, headers } = await store("legacy");
    expect((await send(url, "", headers, "GET")).status).toBe(405);
    expect((await send(url, "{}", headers, "PUT")).status).toBe(405);
    expect((await send(new URL("/", url), "{}", headers)).status).toBe(404);
    expect((await send(new URL("/mcp/../x", url), "{}", headers)).status).toBe(404);
  });

  it("is refused what is too large before it is read, and what is no JSON, no MCP or packed", async () => {
    const { url, headers } = await store("legacy");
    expect((await send(url, "x".repeat(5 * 1024 * 1024), headers)).status).toBe(413);
    expect((await send(url, "{", headers)).json.error?.code).toBe(-32_700);
    expect((await send(url, "[]", headers)).json.error?.code).toBe(-32_600);
    expect((await send(url, { jsonrpc: "2.0", id: null, method: "ping" }, headers)).status).toBe(400);
    expect((await send(url, "{}", { ...headers, "Content-Type": "text/plain" })).status).toBe(415);
    expect((await send(url, "{}", { ...headers, "Content-Encoding": "gzip" })).status).toBe(415);
    expect((await send(url, "{}", { ...headers, Accept: "text/html" })).status).toBe(406);
  });

  it("mixes eras and is told with the codes of 2026-07-28", async () => {
    const { url, headers } = await store("legacy");
    const code = async (more: Record<string, string>): Promise<unknown> => {
      const { status, json } = await modern(url, "tools/list", {}, { ...headers, ...more });
      return [status, json.error?.code];
    };
    expect(await code({})).toEqual([200, undefined]);
    expect(await code({ "MCP-Protocol-Version": "2025-11-25" })).toEqual([400, -32_020]);
    expect(await code({ "Mcp-Method": "tools/call" })).toEqual([400, -32_020]);
    expect((await modern(url, "resources/subscribe", {}, headers)).status).toBe(404);
    expect(
      (await send(url, legacyRequest(1, "ping"), { ...headers, "MCP-Protocol-Version": "1999-01-01" })).json
        .error?.code,
    ).toBe(-32_022);
  });

  it("is served under the public host and our own loopback one, and no other (rebinding)", async () => {
    const { url, headers } = await store("legacy");
    const asked = (host: string): Promise<string> =>
      new Promise((resolve) => {
        const body = JSON.stringify(legacyRequest(1, "ping"));
        const socket = connect(Number(url.port), "127.0.0.1");
        socket.end(
          `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${headers.Authorization}\r\nContent-Type: application/json\r\n` +
            `Accept: */*\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
        let got = "";
        socket
          .on("data", (chunk) => (got += String(chunk)))
          .on("close", () => resolve(got.split(" ")[1] ?? ""));
      });
    expect(await asked(url.host)).toBe("200");
    expect(await asked(`localhost:${url.port}`)).toBe("200");
    for (const host of [
      "evil.example",
      `evil.example:${url.port}`,
      "localhost",
      "localhost:1",
      `localhost.evil.example:${url.port}`,
    ])
      expect(await asked(host)).toBe("421");
  });

  it("leaves no secret in what is recorded, and its call can be sent again", async () => {
    const { url, headers, exposure } = await store("legacy");
    await send(url, legacyRequest(9, "tools/call", { name: "echo", arguments: { a: 1 } }), headers);
    const { requests } = exposure.inspector.list({ limit: 10 });
    expect(JSON.stringify(requests)).not.toContain(exposure.ways.bearer);
    const id = requests.find(({ decided }) => "way" in decided && decided.way === "bearer")?.id ?? 0;
    const replayed = await exposure.replay({ id }, new AbortController().signal);
    expect(replayed.replay.response?.status).toBe(200);
  });
});

describe("an HTTP server that is exposed", () => {
  /** Takes down what comes. */
  async function upstream(): Promise<{
    readonly port: number;
    readonly heard: IncomingMessage["headers"][];
  }> {
    const heard: IncomingMessage["headers"][] = [];
    const port = await service((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        if (request.method !== "POST" || request.url !== "/deep/mcp?a=1")
          return void response.writeHead(404).end();
        heard.push(request.headers);
        const { id, method } = JSON.parse(body) as { id?: number; method: string };
        if (id === undefined) return void response.writeHead(202).end();
        const results: Record<string, object> = {
          initialize: {
            protocolVersion: "2025-11-25",
            capabilities: { tools: {} },
            serverInfo: { name: "far", version: "1" },
          },
          "tools/list": { tools: [{ name: "go", inputSchema: { type: "object" } }] },
          "tools/call": { content: [{ type: "text", text: "went" }] },
        };
        response.setHeader("content-type", "application/json");
        if (method === "initialize") response.setHeader("mcp-session-id", "s-1");
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
      });
    });
    return { port, heard };
  }

  it("gets the fields of MCP and its own host, and neither the token nor anything else of the client", async () => {
    const { port, heard } = await upstream();
    const { exposures } = withStore("legacy");
    const { exposure, url, headers } = await open(exposures, {
      mcp: `http://localhost:${port}/deep/mcp?a=1`,
    });
    expect(exposure.found?.mcp).toMatchObject({ serverName: "far", tools: ["go"] });
    heard.length = 0;
    const made = await client(url, "legacy", {
      ...headers,
      Cookie: "a=b",
      "Mcp-Param-Region": "eu",
      "X-Other": "x",
    });
    expect(JSON.stringify(await made.callTool({ name: "go", arguments: {} }))).toContain("went");
    const [last] = heard.toReversed();
    expect(last).toMatchObject({
      host: `localhost:${port}`,
      "mcp-session-id": "s-1",
      "mcp-param-region": "eu",
    });
    for (const fields of heard)
      for (const name of ["authorization", "cookie", "origin", "x-other", "x-forwarded-for"])
        expect(fields[name]).toBeUndefined();
  });

  it("that takes nothing without a session is called by a client that never names one (claude.ai)", async () => {
    const sessions: string[] = [];
    let isForgetful = false;
    const port = await service((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        const { id, method } = z
          .looseObject({ id: z.number().optional(), method: z.string() })
          .parse(JSON.parse(body || '{"method":""}'));
        if (request.url !== "/mcp") return void response.writeHead(404).end();
        if (id === undefined) return void response.writeHead(202).end();
        response.setHeader("content-type", "application/json");
        const answer = (result: object): void =>
          void response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
        if (method === "initialize") {
          sessions.push(`s-${sessions.length + 1}`);
          response.setHeader("mcp-session-id", sessions.at(-1) ?? "");
          return answer({
            protocolVersion: "2025-06-18",
            capabilities: { tools: {} },
            serverInfo: { name: "far", version: "1" },
          });
        }
        const session = String(request.headers["mcp-session-id"] ?? "");
        if (session === "") return void response.writeHead(400).end("no session");
        if (!sessions.includes(session) || (isForgetful && session !== sessions.at(-1)))
          return void response.writeHead(404).end("no such session");
        return answer({ content: [{ type: "text", text: `in ${session}` }], tools: [] });
      });
    });
    const { exposures } = withStore("legacy");
    const { url, headers } = await open(exposures, { mcp: `http://localhost:${port}/mcp` });
    const begun = sessions.length;
    const call = legacyRequest(1, "tools/call", { name: "go", arguments: {} });
    const all = await Promise.all(Array.from({ length: 20 }, () => send(url, call, headers)));
    expect(new Set(all.map(({ text }) => /in s-\d+/.exec(text)?.[0]))).toEqual(
      new Set([`in s-${begun + 1}`]),
    );
    // One for all of them, and another one once it is over.
    expect(sessions).toHaveLength(begun + 1);
    sessions.push("s-of-somebody-else");
    isForgetful = true;
    expect((await send(url, call, headers)).text).toContain(`in s-${begun + 3}`);
    // Whoever names a session has that one, or none.
    expect((await send(url, call, { ...headers, "Mcp-Session-Id": "guess" })).status).toBe(404);
  });

  it("is judged like any other target", async () => {
    const { exposures } = withStore("legacy");
    const code = (mcp: string): Promise<string> =>
      open(exposures, { mcp }).then(
        () => "open",
        (error: unknown) => (error instanceof TunnelError ? error.code : String(error)),
      );
    expect(await code("http://192.0.2.1:8080/mcp")).toBe("expose-target-not-local");
    expect(await code("http://169.254.169.254/mcp")).toBe("expose-target-forbidden");
    expect(await code("http://localhost:5432/mcp")).toBe("expose-target-refused");
    expect(await code("http://localhost:1/mcp")).toBe("expose-target-silent");
    expect(await code("other")).toBe("mcp-server-unknown");
    const plain = createServer((_request, response) => void response.end("hello"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as { port: number };
    expect(await code(`localhost:${port}/mcp`)).toBe("mcp-server-unfit");
    plain.close();
  });
});

describe("what is asked for", () => {
  const refusedBy = (request: ExposureRequest): string => {
    try {
      withStore("legacy").exposures.check(request);
      return "taken";
    } catch (error) {
      return error instanceof TunnelError ? `${error.code}: ${error.detail ?? ""}` : String(error);
    }
  };

  it("is a target or an MCP server, and what goes with each", () => {
    expect(refusedBy({})).toMatch(/^input-invalid: give target, or mcp/);
    expect(refusedBy({ target: "3000", mcp: "store" })).toMatch(
      /^input-invalid: give target or mcp, not both/,
    );
    expect(refusedBy({ target: "3000", tools: ["a"] })).toMatch(/^input-invalid: tools/);
    expect(refusedBy({ target: "3000", access: ["bearer"] })).toMatch(/^expose-access-invalid/);
    for (const access of [
      ["claim"],
      ["token"],
      ["basic"],
      ["prefix"],
      ["bearer", "open"],
      ["bearer", "token"],
    ] as const)
      expect(refusedBy({ mcp: "store", access })).toMatch(/^expose-access-invalid/);
    expect(refusedBy({ mcp: "store", openPaths: ["POST /mcp"] })).toMatch(/^input-invalid: openPaths/);
    expect(refusedBy({ mcp: "store", claims: 2 })).toMatch(/^input-invalid: claims/);
    expect(refusedBy({ mcp: "store", hostHeader: "x" })).toMatch(/^input-invalid: hostHeader/);
    expect(refusedBy({ mcp: "localhost:3000/mcp", perSession: true })).toMatch(/^input-invalid: perSession/);
    expect(refusedBy({ mcp: "store", tools: [] })).toMatch(/^mcp-tools-invalid/);
    expect(refusedBy({ mcp: "store", tools: ["a b"] })).toMatch(/^mcp-tools-invalid/);
    expect(refusedBy({ mcp: "store", origins: ["https://a.example/path"] })).toMatch(
      /^input-invalid: origins/,
    );
    expect(refusedBy({ mcp: "npx some-server" })).toMatch(/^expose-target-invalid/);
    expect(refusedBy({ mcp: "./folder" })).toMatch(/^expose-target-invalid/);
    expect(refusedBy({ mcp: "http://user:pass@localhost:1/mcp" })).toMatch(/^expose-target-invalid/);
    for (const mcp of ["store", "3000", "localhost:3000", "http://localhost:3000/mcp?x=1", "[::1]:3000/mcp"])
      expect(refusedBy({ mcp })).toBe("taken");
  });

  it("is the same server again, which is returned; with other tools it is an error that says so", async () => {
    const { exposures } = withStore("legacy");
    const { exposure } = await open(exposures, { mcp: "store", tools: ["echo"] });
    expect(exposures.start({ mcp: "store" }, { isConsented: true })).toMatchObject({
      exposure,
      wasRunning: true,
    });
    expect(() => exposures.start({ mcp: "store", tools: ["other"] }, { isConsented: true })).toThrow(
      /already/,
    );
    expect(() => exposures.start({ mcp: "store", perSession: true }, { isConsented: true })).toThrow(
      /already/,
    );
  });

  it("is shown to a person before it is open: the server, its tools and how clients get in", async () => {
    const { exposures, overseer } = withStore("both", { unattended: false });
    const { exposure } = exposures.start({ mcp: "store", tools: ["search_*"] }, { isConsented: false });
    await settled(exposure);
    expect(exposure.state.name).toBe("held");
    const [ask] = overseer.asks.waiting;
    expect(ask?.subject).toMatchObject({
      kind: "exposure",
      target: "the stdio MCP server store",
      access: ["bearer"],
      tools: ["search_books", "search_people"],
    });
    overseer.asks.decide(1, ask?.digest ?? "", { verdict: "refuse" }, { path: "watch" });
    await until("it is over", () => exposure.state.name === "failed");
    expect(exposure.state).toMatchObject({ error: { code: "expose-denied" } });
  });
});
