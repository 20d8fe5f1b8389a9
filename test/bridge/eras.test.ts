import { describe, expect, it } from "vitest";
import {
  client,
  modern,
  realServer,
  send,
  serve,
  stdioBackend,
  legacyRequest,
  type SdkEra,
} from "./support.ts";

const words = (result: { content?: unknown }): unknown => (result.content as { text?: string }[])[0]?.text;

describe.each<SdkEra>(["legacy", "modern"])("a client of the SDK in the %s era", (era) => {
  it.each(["both", "legacy", "modern"])("uses a stdio server that speaks: %s", async (mode) => {
    const { url, calls } = await serve(stdioBackend(realServer(mode).start));
    const one = await client(url, era);
    const { tools } = await one.listTools();
    const name = mode === "both" ? "search_books" : "echo";
    expect(tools.map((tool) => tool.name)).toContain(name);
    const result = await one.callTool({ name, arguments: { q: "x" } });
    expect(words(result)).toMatch(mode === "both" ? /^found x by \d+$/ : /"arguments":\{"q":"x"\}/);
    expect(calls.map(({ method, name, end }) => [method, name, end])).toContainEqual([
      "tools/call",
      name,
      "answered",
    ]);
    expect(one.getServerVersion()?.name).toBe({ both: "store", legacy: "by hand", modern: "new" }[mode]);
  });

  it("is told the progress of a call on its stream, and the answer after it", async () => {
    const { url } = await serve(stdioBackend(realServer("both").start));
    const one = await client(url, era);
    const notes: number[] = [];
    const result = await one.callTool(
      { name: "wait", arguments: { ms: 600, notes: 3 } },
      { onprogress: ({ progress }) => void notes.push(progress) },
    );
    expect([words(result), notes]).toEqual(["done", [1, 2, 3]]);
  });

  it("cancels a call, and the server hears of it", async () => {
    const server = realServer("both");
    const { url, calls } = await serve(stdioBackend(server.start));
    const one = await client(url, era);
    const abort = new AbortController();
    const call = one.callTool({ name: "wait", arguments: { ms: 20_000 } }, { signal: abort.signal });
    call.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    abort.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(server.notes, { timeout: 5_000 }).toContain("cancelled");
    await expect.poll(() => calls.map(({ end }) => end)).toContain("cancelled");
  });

  it("sees an error of a tool as the server gave it", async () => {
    const { url } = await serve(stdioBackend(realServer("both").start));
    const one = await client(url, era);
    expect(await one.callTool({ name: "fail", arguments: {} })).toMatchObject({
      isError: true,
      content: [{ type: "text", text: "it went wrong" }],
    });
    const resources = await one.listResources();
    expect(resources.resources.map(({ uri }) => uri)).toEqual(["diary://today"]);
    expect((await one.readResource({ uri: "diary://today" })).contents).toMatchObject([
      { text: "dear diary" },
    ]);
  });
});

describe("what a server says of itself", () => {
  it("is told without what is not served: no list_changed, logs, tasks or subscriptions", async () => {
    const { url } = await serve(stdioBackend(realServer("legacy").start));
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    };
    const { json } = await send(url, legacyRequest(1, "initialize", params));
    expect(json.result).toMatchObject({ protocolVersion: "2025-06-18", serverInfo: { name: "by hand" } });
    expect(json.result?.["capabilities"]).toEqual({ tools: {} });
    const discovered = await modern(url, "server/discover");
    expect(discovered.json.result).toMatchObject({
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
    });
  });

  it("is in the version of an older client", async () => {
    const { url } = await serve(stdioBackend(realServer("modern").start));
    const ask = async (protocolVersion: string): Promise<unknown> =>
      (await send(url, legacyRequest(1, "initialize", { protocolVersion }))).json.result?.["protocolVersion"];
    expect(await ask("2024-11-05")).toBe("2024-11-05");
    expect(await ask("2025-11-25")).toBe("2025-11-25");
    expect(await ask("1999-01-01")).toBe("2025-11-25");
  });
});

describe("a call", () => {
  it("reaches a server without the client's envelope, and may ask the client for nothing", async () => {
    const old = await serve(stdioBackend(realServer("legacy").start));
    const seen = await modern(old.url, "tools/call", { name: "echo", arguments: {}, task: { ttl: 1 } });
    expect(JSON.stringify(seen.json)).not.toMatch(/io.modelcontextprotocol|task/);
    const young = await serve(stdioBackend(realServer("modern").start));
    const told = await modern(young.url, "tools/call", { name: "echo", arguments: {} });
    expect(told.text).toContain(String.raw`clientCapabilities\":{}`);
    expect(told.text).not.toContain("sampling");
    const asked = await modern(young.url, "tools/call", { name: "ask", arguments: {} });
    expect(asked.json.error).toMatchObject({ code: -32_000 });
  });
});
