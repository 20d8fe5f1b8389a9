import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventReader } from "../../src/bridge/http/events.ts";
import { AllowedTools } from "../../src/bridge/protocol/tools.ts";
import { idAtTheEnds, LongLines, type Line } from "../../src/bridge/stdio/long-lines.ts";
import { commandNamed, isServerName } from "../../src/bridge/stdio/servers-file.ts";

describe("lines of a child", () => {
  const limits = { resultChars: 20, skippedChars: 100 };
  const cut = (text: string, at: readonly number[]): Line[] => {
    const lines = new LongLines(limits);
    const ends = [...at.map((one) => one % (text.length + 1)), text.length].toSorted((a, b) => a - b);
    return ends.flatMap((end, index) => [...lines.push(text.slice(ends[index - 1] ?? 0, end))]);
  };

  it("are the same however they are chunked", () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll("\n", ""));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), (all, at) => {
        const text = all.map((one) => `${one}\n`).join("");
        expect(cut(text, at)).toEqual(cut(text, []));
        const whole = cut(text, []).map((one) => (one.kind === "line" ? one.text : undefined));
        expect(whole).toEqual(all.map((one) => (one.length > 20 ? undefined : one.replace(/\r$/, ""))));
      }),
    );
  });

  it("that are too long leave their ends, and one without an end is told once", () => {
    const long = `{"id":7,"result":"${"x".repeat(60)}","jsonrpc":"2.0"}`;
    const [first, second] = cut(`${long}\nok\n`, [3, 30, 50]);
    expect(first).toMatchObject({ kind: "too-long", head: expect.stringMatching(/^\{"id":7,/) as string });
    expect(second).toEqual({ kind: "line", text: "ok" });
    expect(cut(`${"x".repeat(500)}\nmore\n`, [100, 200, 300])).toEqual([{ kind: "endless" }]);
  });

  it.each([
    [`{"jsonrpc":"2.0","id":12,"result":{`, "x", 12],
    [`{"result":{"id":3,`, `"}],"x":{"id":4}},"jsonrpc":"2.0","id":12}`, 12],
    [`{"result":{"id":3,`, `{"y":1},"id":12,"jsonrpc":"2.0"}`, 12],
    [`{"result":{"id":3,`, `"id":4}}`, undefined],
    [`{"id":"12","result"`, `"}`, undefined],
  ])("tell whose they are by their ends: %s … %s", (head, tail, id) => {
    expect(idAtTheEnds({ head, tail })).toBe(id);
  });
});

describe("events of a stream", () => {
  it("are the same however they are chunked, with any line end", () => {
    const text =
      'event: message\r\ndata: {"a":1}\r\n\r\n: waiting\n\ndata: one\ndata: two\nid: 3\n\nretry: 5\n\ndata:x\r\rdata: cut';
    for (let size = 1; size <= text.length; size += 1) {
      const reader = new EventReader(1_000);
      const events: string[] = [];
      for (let at = 0; at < text.length; at += size)
        events.push(...(reader.push(text.slice(at, at + size)) ?? []));
      expect([size, events]).toEqual([size, ['{"a":1}', "one\ntwo", "x"]]);
    }
  });

  it("that are too large end it, in one line or in many", () => {
    expect(new EventReader(100).push(`data: ${"x".repeat(200)}`)).toBeUndefined();
    expect(new EventReader(100).push("data: xxxxxxxx\n".repeat(20))).toBeUndefined();
    expect(new EventReader(100).push("data: xxxxxxxx\n\n".repeat(20))).toHaveLength(20);
  });
});

describe("patterns of tools", () => {
  it.each([
    ["search_*", ["search_", "search_a"], ["search", "asearch_", "Search_a"]],
    ["*", ["a", "x.y"], []],
    ["a*b*c", ["abc", "axxbyyc", "abbc"], ["ab", "abcd", "acb", "bc"]],
    ["a*a", ["aa", "aba"], ["a"]],
    ["get.x", ["get.x"], ["getyx", "get.xx"]],
  ])("%s", (pattern, fit, others) => {
    const tools = new AllowedTools([pattern]);
    expect(fit.filter((name) => !tools.has(name))).toEqual([]);
    expect(others.filter((name) => tools.has(name))).toEqual([]);
  });

  it("take no longer for a pattern that is made to", () => {
    const tools = new AllowedTools([`${"a*".repeat(60)}b`]);
    const begun = performance.now();
    expect(tools.has("a".repeat(100_000))).toBe(false);
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it("leave out of a list what is no tool", () => {
    const tools = new AllowedTools(["a"]);
    const listed = [{ name: "a" }, { name: "b" }, null, "a", ["a"], { name: ["a"] }, {}];
    expect(tools.listed({ tools: listed, nextCursor: "x" })).toEqual({
      tools: [{ name: "a" }],
      nextCursor: "x",
    });
    expect(tools.listed({ tools: "a" })).toEqual({ tools: [] });
  });
});

describe("the file of MCP servers", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "tunnel-servers-test-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const env = { PATH: "/bin", HOME: "/home/x", KEY: "k3y", EMPTY: "", TUNNEL_NAME: "mine", OTHER: "o" };
  function write(content: unknown, mode = 0o600): string {
    const path = join(root, "servers.json");
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content), { mode });
    chmodSync(path, mode);
    return path;
  }
  const named = (name: string, path: string | undefined) =>
    commandNamed(name, { path, cwd: root, env, platform: process.platform });

  it("gives a command with its own environment, its folder, and variables put in", async () => {
    const path = write({
      mcpServers: {
        docs: {
          command: "npx",
          args: ["-y", "docs@1", "--key=${KEY}", "${EMPTY:-none}", "$KEY"],
          env: { TOKEN: "${KEY}", PATH: "/opt" },
        },
        near: { type: "stdio", command: "./run.sh", cwd: "tools" },
      },
    });
    expect(await named("docs", path)).toEqual({
      file: "npx",
      args: ["-y", "docs@1", "--key=k3y", "none", "$KEY"],
      env: { PATH: "/opt", HOME: "/home/x", TOKEN: "k3y" },
      cwd: root,
    });
    expect(await named("near", "servers.json")).toMatchObject({
      file: join(root, "tools", "run.sh"),
      cwd: join(root, "tools"),
    });
    symlinkSync(path, join(root, "link.json"));
    expect(await named("docs", join(root, "link.json"))).toMatchObject({ file: "npx" });
  });

  it("is not used where it is not set, not there, not a file or not the user's alone", async () => {
    await expect(named("docs", undefined)).rejects.toMatchObject({ code: "mcp-servers-unset" });
    await expect(named("docs", "none.json")).rejects.toMatchObject({ code: "mcp-servers-unreadable" });
    mkdirSync(join(root, "folder"));
    await expect(named("docs", "folder")).rejects.toMatchObject({ code: "mcp-servers-unreadable" });
    if (process.platform === "win32") return;
    for (const mode of [0o644, 0o640, 0o660, 0o606])
      await expect(named("docs", write({ mcpServers: {} }, mode))).rejects.toMatchObject({
        code: "mcp-servers-open",
      });
  });

  it.each([
    ["no JSON", "{", "it is not JSON"],
    ["a list", [], "at its top"],
    ["another key", { mcpServers: {}, servers: {} }, "at its top: servers is not known"],
    ["no command", { mcpServers: { docs: { url: "http://localhost" } } }, "at mcpServers.docs.command"],
    [
      "a misspelt key",
      { mcpServers: { docs: { command: "x", agrs: [] } } },
      "at mcpServers.docs: agrs is not known",
    ],
    [
      "args that are a text",
      { mcpServers: { docs: { command: "x", args: "y" } } },
      "at mcpServers.docs.args",
    ],
    [
      "an argument with NUL",
      { mcpServers: { docs: { command: "x", args: ["a\0b"] } } },
      "at mcpServers.docs.args.0",
    ],
    [
      "a variable with =",
      { mcpServers: { docs: { command: "x", env: { "A=B": "c" } } } },
      "at mcpServers.docs.env",
    ],
    [
      "a number as a variable",
      { mcpServers: { docs: { command: "x", env: { A: 1 } } } },
      "at mcpServers.docs.env.A",
    ],
    ["another transport", { mcpServers: { docs: { type: "sse", command: "x" } } }, "at mcpServers.docs.type"],
    ["a name that is a port", { mcpServers: { 3000: { command: "x" } } }, "at mcpServers.3000"],
    [
      "a variable that is not set",
      { mcpServers: { docs: { command: "${NOBODY}" } } },
      "the variable NOBODY is not set",
    ],
    [
      "one of our own",
      { mcpServers: { docs: { command: "${TUNNEL_NAME}" } } },
      "the variable TUNNEL_NAME is not set",
    ],
  ])("is refused with %s, and no value of it is told", async (_what, content, detail) => {
    await expect(named("docs", write(content))).rejects.toMatchObject({
      code: "mcp-servers-invalid",
      detail,
    });
  });

  it("tells the names that there are", async () => {
    const path = write({ mcpServers: { docs: { command: "x" }, search: { command: "y" } } });
    await expect(named("__proto__", path)).rejects.toMatchObject({
      code: "mcp-server-unknown",
      detail: "it names docs, search",
    });
  });

  it("has names that are no ports, no addresses and no command lines", () => {
    expect(["docs", "my.docs", "a-b_c", "x1"].filter((name) => !isServerName(name))).toEqual([]);
    const others = [
      "3000",
      "localhost:3000",
      "a b",
      "./run",
      "",
      "-x",
      "a/b",
      "node evil.js",
      "x".repeat(65),
      "a;b",
    ];
    expect(others.filter(isServerName)).toEqual([]);
  });
});
