import path from "node:path";
import { describe, expect, test } from "vitest";
import { identityOf, readConfig, skillsDirectory, wantsColor, withoutSettings } from "../../src/cli/env.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { Config } from "../../src/session/config.ts";

const DEFAULTS: Config = {
  transport: "cloudflared",
  bind: "127.0.0.1",
  port: 0,
  publicUrl: undefined,
  name: undefined,
  cloudflaredPath: undefined,
  doh: true,
  standby: true,
  idleMinutes: 30,
  inviteMinutes: 10,
  skipReachabilityCheck: false,
  context: true,
  unattended: false,
  saveRoots: [],
  shareRoots: [],
  shareAllow: [],
  channel: false,
};

test("without variables the defaults hold, and an empty variable is no variable", () => {
  expect(readConfig({})).toEqual(DEFAULTS);
  expect(readConfig({ TUNNEL_PORT: "", TUNNEL_NAME: "", TUNNEL_PUBLIC_URL: "" })).toEqual(DEFAULTS);
});

const here = path.resolve(import.meta.dirname);
const program = path.resolve("/opt/cloudflared");

const GOOD: readonly [name: string, value: string, expected: Partial<Config>][] = [
  ["TUNNEL_TRANSPORT", "direct", { transport: "direct" }],
  ["TUNNEL_TRANSPORT", "cloudflared", {}],
  ["TUNNEL_BIND", "0.0.0.0", { bind: "0.0.0.0" }],
  ["TUNNEL_BIND", "::1", { bind: "::1" }],
  ["TUNNEL_PORT", "65535", { port: 65_535 }],
  ["TUNNEL_NAME", " Ana Müller ", { name: "Ana Müller" }],
  ["TUNNEL_NAME", "🙂".repeat(64), { name: "🙂".repeat(64) }],
  ["TUNNEL_CLOUDFLARED", program, { cloudflaredPath: program }],
  ["TUNNEL_DOH", "off", { doh: false }],
  ["TUNNEL_DOH", "on", {}],
  ["TUNNEL_STANDBY", "off", { standby: false }],
  ["TUNNEL_CHANNEL", "on", { channel: true }],
  ["TUNNEL_IDLE_MINUTES", "1440", { idleMinutes: 1_440 }],
  ["TUNNEL_INVITE_MINUTES", "1", { inviteMinutes: 1 }],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "1", { skipReachabilityCheck: true }],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "true", { skipReachabilityCheck: true }],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "0", {}],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "false", {}],
  ["TUNNEL_SAVE_ROOTS", [here, here].join(path.delimiter), { saveRoots: [here, here] }],
  ["TUNNEL_SHARE_ROOTS", `${here}${path.delimiter}`, { shareRoots: [here] }],
  ["TUNNEL_SHARE_ALLOW", path.join(here, "not there"), { shareAllow: [path.join(here, "not there")] }],
];

test.each(GOOD)("%s=%s", (name, value, expected) => {
  expect(readConfig({ [name]: value })).toEqual({ ...DEFAULTS, ...expected });
});

const BAD: readonly [name: string, value: string][] = [
  ["TUNNEL_TRANSPORT", "Direct"],
  ["TUNNEL_TRANSPORT", "constructor"],
  ["TUNNEL_BIND", "localhost"],
  ["TUNNEL_BIND", "127.0.0.1:80"],
  ["TUNNEL_PORT", "65536"],
  ["TUNNEL_PORT", "-1"],
  ["TUNNEL_PORT", "0x50"],
  ["TUNNEL_PORT", "1e3"],
  ["TUNNEL_NAME", "   "],
  ["TUNNEL_NAME", "two\nlines"],
  ["TUNNEL_NAME", "x".repeat(65)],
  ["TUNNEL_CLOUDFLARED", "bin/cloudflared"],
  ["TUNNEL_DOH", "no"],
  ["TUNNEL_STANDBY", "maybe"],
  ["TUNNEL_IDLE_MINUTES", "0"],
  ["TUNNEL_IDLE_MINUTES", "1441"],
  ["TUNNEL_INVITE_MINUTES", "10m"],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "yes"],
  ["TUNNEL_SAVE_ROOTS", "work"],
  ["TUNNEL_SAVE_ROOTS", path.join(here, "not there")],
  ["TUNNEL_SAVE_ROOTS", path.join(here, "x".repeat(5_000))],
  ["TUNNEL_SAVE_ROOTS", import.meta.filename],
  ["TUNNEL_SHARE_ROOTS", [here, "~"].join(path.delimiter)],
  ["TUNNEL_SHARE_ALLOW", ".env"],
  ["TUNNEL_SHARE_ALLOW", path.delimiter],
];

test.each(BAD)("%s=%j is refused by name", (name, value) => {
  expect(refusal({ [name]: value }).detail).toMatch(new RegExp(`^${name} must be `));
});

describe("TUNNEL_PUBLIC_URL", () => {
  test.each([
    ["wss://tunnel.example", "wss://tunnel.example"],
    ["https://tunnel.example/", "wss://tunnel.example"],
    ["http://10.0.0.7:8080", "ws://10.0.0.7:8080"],
    ["ws://[::1]:9", "ws://[::1]:9"],
  ])("%s becomes %s", (text, publicUrl) => {
    expect(readConfig({ TUNNEL_TRANSPORT: "direct", TUNNEL_PUBLIC_URL: text }).publicUrl).toBe(publicUrl);
  });

  test.each([
    "tunnel.example",
    "ftp://x",
    "wss://x/path",
    "wss://x?a=b",
    "wss://x#f",
    "wss://user:pass@x",
    "wss://",
  ])("%s is refused without being repeated", (text) => {
    const error = refusal({ TUNNEL_TRANSPORT: "direct", TUNNEL_PUBLIC_URL: text });
    expect(error.detail).toMatch(/^TUNNEL_PUBLIC_URL must be /);
    expect(error.message).not.toContain("pass");
  });

  test("means nothing to cloudflared, so together they are refused", () => {
    const detail = "TUNNEL_PUBLIC_URL must be unset, or used together with TUNNEL_TRANSPORT=direct";
    expect(refusal({ TUNNEL_PUBLIC_URL: "wss://tunnel.example" }).detail).toBe(detail);
  });
});

test("all problems are told at once, and no value is repeated", () => {
  const error = refusal({ TUNNEL_PORT: "s3cret", TUNNEL_BIND: "s3cret", TUNNEL_DOH: "s3cret" });
  expect(error.code).toBe("config-invalid");
  expect(error.detail?.split("; ")).toEqual([
    "TUNNEL_BIND must be an IP address such as 127.0.0.1 or 0.0.0.0",
    "TUNNEL_PORT must be a whole number from 0 to 65535",
    "TUNNEL_DOH must be on or off",
  ]);
  expect(error.message).not.toContain("s3cret");
});

test("the skills folder is the user's own, unless the variable names another", () => {
  expect(skillsDirectory({}, "/home/ana")).toBe(path.join("/home/ana", ".claude", "skills"));
  expect(skillsDirectory({ TUNNEL_SKILLS_DIR: "/elsewhere" }, "/home/ana")).toBe("/elsewhere");
});

test("colour needs a terminal and the user's consent", () => {
  expect(wantsColor({}, true)).toBe(true);
  expect(wantsColor({}, false)).toBe(false);
  expect(wantsColor({ NO_COLOR: "1" }, true)).toBe(false);
});

test("a child process inherits everything but the settings of this program", () => {
  expect(withoutSettings({ PATH: "/bin", TUNNEL_PORT: "1", TUNNEL_OTHER: "x", GONE: undefined })).toEqual({
    PATH: "/bin",
    TUNNEL_OTHER: "x",
  });
});

function refusal(env: Record<string, string>): TunnelError {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
  throw new Error("the environment was accepted");
}

test("Claude Code tells what it starts to which session and folder it belongs; else the folder is the own one", () => {
  const told = { CLAUDE_CODE_SESSION_ID: "5e55", CLAUDE_PROJECT_DIR: "/projects/shop" };
  expect(identityOf(told, "/projects/shop/api")).toEqual({ session: "5e55", folder: "/projects/shop" });
  const nothing = { session: undefined, folder: "/projects" };
  expect(identityOf({}, "/projects")).toEqual(nothing);
  expect(identityOf({ CLAUDE_CODE_SESSION_ID: "", CLAUDE_PROJECT_DIR: "" }, "/projects")).toEqual(nothing);
});
