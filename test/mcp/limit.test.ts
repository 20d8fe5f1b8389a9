import { expect, it } from "vitest";
import { longResultMeta, resultLimitFor } from "../../src/mcp/results/limit.ts";

const claude = (version: string) => ({ name: "claude-code", version });

it.each([
  ["a client of which nothing is known", { name: "new", version: "9.9.9" }, 40_000],
  ["Codex", { name: "codex-mcp-client", version: "0.171.0" }, 40_000],
  ["one that gives no name", undefined, 40_000],
  ["Claude Code before it could be told", claude("2.1.90"), 40_000],
  ["the first that can", claude("2.1.91"), 200_000],
  ["the one of Node 20", claude("2.1.197"), 200_000],
  ["the one that was tried", claude("2.1.332"), 200_000],
  ["a later one", claude("3.0"), 200_000],
  ["a build with a suffix", claude("2.2.0-beta.1"), 200_000],
  ["one whose version is no number", claude("dev"), 40_000],
])("%s is shown what it is known to take of a tool that brings messages", (_, client, limit) => {
  expect(resultLimitFor(client, {}, true)).toBe(limit);
  // Nothing says of any other tool that its results are long.
  expect(resultLimitFor(client, {}, false)).toBe(40_000);
});

it("the human's own limit wins, whatever the client, in either direction", () => {
  for (const set of [10_000, 300_000])
    for (const client of [claude("2.1.332"), undefined])
      for (const isLong of [true, false]) expect(resultLimitFor(client, { set }, isLong)).toBe(set);
  expect(longResultMeta({ set: 10_000 })).toEqual({ "anthropic/maxResultSizeChars": 200_000 });
  expect(longResultMeta({ set: 300_000 })).toEqual({ "anthropic/maxResultSizeChars": 300_000 });
});

it("Claude Code inside of Claude Desktop drops what tools say, and gets what any client gets", () => {
  expect(resultLimitFor(claude("2.1.332"), { dropsMeta: true }, true)).toBe(40_000);
});
