import { expect, it } from "vitest";
import { CLIENTS } from "../../../src/cli/setup/clients.ts";
import { CLIENT_NAMES } from "../../../src/cli/setup/names.ts";
import { locate, pathOf, type Platform } from "../../../src/cli/setup/places.ts";

const HOMES: Readonly<Record<Platform, string>> = {
  linux: "/home/ana",
  darwin: "/Users/ana",
  win32: "C:\\Users\\ana",
};

/** Where each client reads its servers, word for word: a wrong one is a file that nobody reads. */
const FILES: Readonly<Record<string, Readonly<Record<Platform, string>>>> = {
  "claude-code": same(".claude.json"),
  "claude-desktop": {
    linux: "/home/ana/.config/Claude/claude_desktop_config.json",
    darwin: "/Users/ana/Library/Application Support/Claude/claude_desktop_config.json",
    win32: "C:\\Users\\ana\\AppData\\Roaming\\Claude\\claude_desktop_config.json",
  },
  codex: same(".codex/config.toml"),
  copilot: same(".copilot/mcp-config.json"),
  cursor: same(".cursor/mcp.json"),
  gemini: same(".gemini/settings.json"),
  opencode: same(".config/opencode/opencode.json"),
  vscode: {
    linux: "/home/ana/.config/Code/User/mcp.json",
    darwin: "/Users/ana/Library/Application Support/Code/User/mcp.json",
    win32: "C:\\Users\\ana\\AppData\\Roaming\\Code\\User\\mcp.json",
  },
  "vscode-insiders": {
    linux: "/home/ana/.config/Code - Insiders/User/mcp.json",
    darwin: "/Users/ana/Library/Application Support/Code - Insiders/User/mcp.json",
    win32: "C:\\Users\\ana\\AppData\\Roaming\\Code - Insiders\\User\\mcp.json",
  },
  vscodium: {
    linux: "/home/ana/.config/VSCodium/User/mcp.json",
    darwin: "/Users/ana/Library/Application Support/VSCodium/User/mcp.json",
    win32: "C:\\Users\\ana\\AppData\\Roaming\\VSCodium\\User\\mcp.json",
  },
  zed: {
    linux: "/home/ana/.config/zed/settings.json",
    darwin: "/Users/ana/.config/zed/settings.json",
    win32: "C:\\Users\\ana\\AppData\\Roaming\\Zed\\settings.json",
  },
  windsurf: same(".codeium/windsurf/mcp_config.json"),
};

function same(below: string): Readonly<Record<Platform, string>> {
  return {
    linux: `/home/ana/${below}`,
    darwin: `/Users/ana/${below}`,
    win32: `C:\\Users\\ana\\${below.replaceAll("/", "\\")}`,
  };
}

function fileOf(name: string, platform: Platform, env: Record<string, string> = {}): string {
  const client = CLIENTS.find((one) => one.name === name);
  if (client === undefined) throw new Error(`no client ${name}`);
  const where = { platform, home: HOMES[platform], env };
  const located = client.folders
    .map((folder) => locate(folder, where))
    .findLast((folder) => folder !== undefined);
  return pathOf(platform).join(located ?? "", client.files.at(-1) ?? "");
}

it("the table has every client once, in the order of the titles", () => {
  expect(CLIENTS.map(({ name }) => name).toSorted()).toEqual([...CLIENT_NAMES].toSorted());
  const titles = CLIENTS.map(({ title }) => title);
  expect(titles).toEqual(titles.toSorted((a, b) => a.localeCompare(b, "en")));
});

it.each(CLIENT_NAMES)("%s has its file where it reads it, on each system", (name) => {
  for (const platform of ["linux", "darwin", "win32"] as const) {
    expect(fileOf(name, platform), platform).toBe(FILES[name]?.[platform]);
  }
});

it("variables that move a client's folder are followed, if they are absolute", () => {
  expect(fileOf("codex", "linux", { CODEX_HOME: "/x" })).toBe("/x/config.toml");
  expect(fileOf("codex", "linux", { CODEX_HOME: "x" })).toBe("/home/ana/.codex/config.toml");
  expect(fileOf("codex", "linux", { CODEX_HOME: "" })).toBe("/home/ana/.codex/config.toml");
  expect(fileOf("claude-code", "darwin", { CLAUDE_CONFIG_DIR: "/x" })).toBe("/x/.claude.json");
  expect(fileOf("gemini", "linux", { GEMINI_CLI_HOME: "/x" })).toBe("/x/.gemini/settings.json");
  expect(fileOf("copilot", "linux", { COPILOT_HOME: "/x" })).toBe("/x/mcp-config.json");
  expect(fileOf("vscode", "linux", { XDG_CONFIG_HOME: "/x" })).toBe("/x/Code/User/mcp.json");
  expect(fileOf("vscode", "darwin", { XDG_CONFIG_HOME: "/x" })).toBe(FILES["vscode"]?.darwin);
  expect(fileOf("opencode", "darwin", { XDG_CONFIG_HOME: "/x" })).toBe("/x/opencode/opencode.json");
  expect(fileOf("zed", "linux", { XDG_CONFIG_HOME: "/x" })).toBe("/x/zed/settings.json");
  expect(fileOf("zed", "linux", { FLATPAK_XDG_CONFIG_HOME: "/y" })).toBe("/y/zed/settings.json");
  expect(fileOf("zed", "darwin", { XDG_CONFIG_HOME: "/x" })).toBe("/Users/ana/.config/zed/settings.json");
  expect(fileOf("vscode", "win32", { AppData: "D:\\r" })).toBe("D:\\r\\Code\\User\\mcp.json");
});

it("Claude Desktop as a Windows package has its own folders, and other systems have none of them", () => {
  const folders = CLIENTS.find(({ name }) => name === "claude-desktop")?.folders ?? [];
  const located = (platform: Platform) =>
    folders.map((place) => locate(place, { platform, home: HOMES[platform], env: {} }));
  expect(located("win32")).toEqual([
    "C:\\Users\\ana\\AppData\\Local\\Claude-Data\\claude_*",
    "C:\\Users\\ana\\AppData\\Local\\Packages\\Claude_*\\LocalCache\\Roaming\\Claude",
    "C:\\Users\\ana\\AppData\\Roaming\\Claude",
  ]);
  expect(located("linux").slice(0, 2)).toEqual([undefined, undefined]);
});
