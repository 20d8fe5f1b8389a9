import { describe, expect, it } from "vitest";
import { traitsOf } from "../../src/mcp/clients/clients.ts";
import { isAtLeast } from "../../src/mcp/clients/version.ts";

describe("versions", () => {
  it.each([
    ["2.1.199", "2.1.199", true],
    ["2.1.198", "2.1.199", false],
    // By number, not by letter.
    ["2.1.1000", "2.1.199", true],
    ["2.1.99", "2.1.199", false],
    ["2.10.0", "2.9.9", true],
    ["3", "2.1.199", true],
    ["2.1", "2.1.0", true],
    ["v2.1.200", "2.1.199", true],
    [" 2.1.200 ", "2.1.199", true],
    ["2.1.199+build.7", "2.1.199", true],
    // semver.org, 11: before its release.
    ["2.1.199-beta.1", "2.1.199", false],
    ["2.1.200-beta.1", "2.1.199", true],
    ["2.1.199", "2.1.199-beta.1", true],
  ])("%s compared with %s", (version, since, expected) => {
    expect(isAtLeast(version, since)).toBe(expected);
  });

  it.each(["", "latest", "2.1.x", "2..1", "-1.0", "2.1.199 evil", "1".repeat(40), "0.0.0.0.0"])(
    "%j is none, so that nothing is known of it",
    (text) => {
      expect(isAtLeast(text, "2.1.199")).toBeUndefined();
    },
  );
});

const claude = (version: string) => ({ name: "claude-code", version });

describe("what is known of a client", () => {
  it.each([
    ["2.1.198", true],
    ["2.1.197", true],
    ["1.0.0", true],
    ["2.1.199", false],
    ["2.1.332", false],
    ["3.0.0", false],
    ["unheard of", false],
  ])("Claude Code %s runs what a human is to confirm unasked: %s", (version, ignoresHuman) => {
    expect(traitsOf(claude(version), false)).toMatchObject({ ignoresHuman });
  });

  it.each([
    [claude("2.1.332"), false, "command"],
    [claude("2.1.332"), true, "command"],
    [claude("2.1.197"), false, "command"],
    [claude("2.1.197"), true, "nothing"],
    [claude("2.0.0"), false, "nothing"],
    [claude("unheard of"), false, "nothing"],
    [{ name: "copilot-cli", version: "1.0.102" }, true, "command"],
    [{ name: "codex-mcp-client", version: "0.171.0" }, false, "nothing"],
    [{ name: "gemini-cli-mcp-client", version: "0.61.0" }, false, "nothing"],
    [{ name: "opencode", version: "1.18.33" }, false, "nothing"],
    [{ name: "Claude-Code", version: "2.1.332" }, false, "unknown"],
    [{ name: "constructor", version: "1.0.0" }, false, "unknown"],
    [undefined, false, "unknown"],
  ] as const)("%j, headless %s, is woken by %s", (client, isHeadless, wokenBy) => {
    expect(traitsOf(client, isHeadless)).toMatchObject({ wokenBy });
  });

  it("a client that nobody knows is neither refused anything nor told of channels and monitors", () => {
    for (const client of [undefined, { name: "a client", version: "9" }])
      expect(traitsOf(client, false)).toEqual({
        ignoresHuman: false,
        wokenBy: "unknown",
        runsMonitors: false,
        takesChannels: false,
      });
  });
});
