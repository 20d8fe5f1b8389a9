import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src/", import.meta.url));

/**
 * The folders from the top down, and whom each imports from. A folder may import from those below it alone. An arrow that no
 * import needs any more fails as well, so this table is always the truth.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  main: ["app", "runtime"],
  app: [
    "app/reaching",
    "cli",
    "cli/demo",
    "cli/anthropic",
    "cli/doctor",
    "cli/transcript",
    "cli/wake",
    "cli/setup",
    "cli/observe",
    "cli/relay",
    "cli/page",
    "mcp",
    "page/server",
    "relay/program",
    "cli/chat",
    "cli/watch",
    "cli/expose",
    "cli/io",
    "watch",
    "view/expose",
    "view/setup",
    "services/tunnels",
    "expose/exposures",
    "control",
    "session",
    "session/files",
    "session/paths",
    "oversight/filter",
    "tunnel/registry",
    "session/stays",
    "children/holding",
    "children",
    "net",
    "runtime",
    "errors",
  ],
  "app/reaching": [
    "cli",
    "services/tunnels",
    "services/taker",
    "expose/exposures",
    "bridge/stdio",
    "expose/oauth",
    "expose/inspector",
    "expose/proving",
    "control",
    "session",
    "session/paths",
    "net",
    "runtime",
  ],
  cli: [
    "cli/anthropic",
    "cli/transcript",
    "cli/setup",
    "cli/observe",
    "cli/chat",
    "cli/expose",
    "cli/io",
    "view/setup",
    "expose/exposures",
    "expose/access",
    "expose/target",
    "control",
    "oversight/gates",
    "oversight/bounds",
    "tunnel/registry",
    "tunnel/relay",
    "tunnel",
    "protocol/base",
    "errors",
  ],
  "cli/demo": [
    "cli/io",
    "bridge/stdio",
    "bridge/protocol",
    "tunnel/registry",
    "children",
    "runtime",
    "errors",
  ],
  "cli/anthropic": ["cli/doctor", "cli/io", "children", "runtime", "anthropic", "errors"],
  "cli/doctor": [
    "cli/io",
    "tunnel/registry",
    "tunnel/cloudflared",
    "tunnel/relay",
    "net",
    "runtime",
    "errors",
    "uplink",
  ],
  "cli/transcript": ["cli/wake", "cli/io", "control", "session/transcript", "runtime", "errors"],
  "cli/wake": ["cli/io", "control", "runtime", "errors"],
  "cli/setup": [
    "cli/setup/files",
    "cli/setup/formats",
    "cli/io",
    "view/setup",
    "tunnel/cloudflared",
    "runtime",
    "errors",
  ],
  "cli/setup/files": ["cli/setup/formats", "runtime"],
  "cli/setup/formats": ["view/setup", "errors"],
  "cli/observe": [
    "cli/page",
    "cli/chat",
    "cli/chat/json",
    "cli/chat/terminal",
    "cli/chat/conversation",
    "cli/io",
    "watch",
    "view",
    "services/tunnels",
    "expose/exposures",
    "session",
    "runtime",
    "errors",
  ],
  "cli/relay": ["cli/expose", "cli/chat/terminal", "cli/io", "view", "relay/admin", "relay/config", "net"],
  "cli/page": ["page/server", "cli/io", "runtime", "errors"],
  mcp: [
    "mcp/tools",
    "mcp/calls",
    "mcp/clients",
    "mcp/results",
    "view/setup",
    "services/tunnels",
    "expose/exposures",
    "session",
    "session/saying",
    "runtime",
    "arguments",
    "protocol/base",
    "errors",
  ],
  "mcp/tools": [
    "mcp/tools/expose",
    "mcp/calls",
    "mcp/results/files",
    "mcp/results",
    "view",
    "view/setup",
    "services/tunnels",
    "services/taker",
    "session",
    "session/files",
    "session/saying",
    "oversight/lanes",
    "tunnel/registry",
    "runtime",
    "arguments",
    "protocol/room",
    "protocol/services",
    "protocol/base",
    "errors",
  ],
  "mcp/tools/expose": [
    "mcp/calls",
    "mcp/clients",
    "mcp/results/expose",
    "mcp/results",
    "view/expose",
    "view",
    "expose/exposures",
    "expose/access",
    "expose/inspector",
    "tunnel/registry",
    "oversight/gates",
    "runtime",
    "arguments",
    "protocol/base",
    "errors",
  ],
  "mcp/calls": [
    "mcp/clients",
    "mcp/results",
    "view/setup",
    "services/tunnels",
    "expose/exposures",
    "session",
    "session/saying",
    "oversight/asks",
    "oversight/gates",
    "runtime",
    "arguments",
    "protocol/room",
    "protocol/base",
    "errors",
  ],
  "mcp/clients": ["protocol/room", "errors/base", "oversight/gates"],
  "mcp/results/files": ["mcp/results", "view", "session/files", "session/folders", "protocol/files"],
  "mcp/results/expose": ["mcp/results", "view/expose", "view", "expose/exposures", "errors"],
  "mcp/results": [
    "view/signing",
    "view",
    "view/setup",
    "bridge",
    "session",
    "session/saying",
    "protocol/room",
    "protocol/base",
    "errors",
  ],
  "page/server": [
    "page/shown",
    "page",
    "watch",
    "services",
    "expose/access",
    "control",
    "children",
    "runtime",
    "protocol/base",
    "errors",
  ],
  "page/shown": [
    "page",
    "page/text",
    "watch",
    "view/expose",
    "view/signing",
    "view/words",
    "view",
    "oversight/asks",
    "oversight/gates",
    "oversight/filter",
    "protocol/base",
  ],
  "page/browser": ["page", "watch"],
  "page/browser/deciding": ["page", "page/text", "protocol/sign-off", "protocol/base"],
  page: ["watch", "protocol/sign-off", "protocol/base"],
  "relay/program": [
    "relay/admin",
    "relay/log",
    "relay/node",
    "relay/token",
    "relay/config",
    "relay/cluster/peers",
    "relay/front",
    "relay",
    "relay/auth",
    "relay/state",
    "relay/cluster/nats",
    "relay/limits",
    "net",
    "runtime",
  ],
  "relay/admin": [
    "relay/log",
    "relay/records",
    "relay/node",
    "relay/cluster/peers",
    "relay/front",
    "relay/hosts",
    "relay",
    "relay/auth",
    "relay/state",
    "relay/cluster",
    "net",
    "runtime",
    "errors",
    "uplink",
  ],
  "relay/log": ["expose/access", "relay/rooms", "relay", "relay/claims", "runtime"],
  "relay/records": ["expose/access", "relay/hosts", "relay", "relay/claims", "uplink"],
  "relay/node": [
    "relay/http",
    "relay/tcp",
    "relay/config",
    "relay/cluster/peers",
    "relay/front",
    "relay/rooms",
    "relay/hosts",
    "relay",
    "relay/auth",
    "relay/cluster",
    "relay/claims",
    "relay/limits",
    "runtime",
    "errors",
  ],
  "relay/http": [
    "relay/front",
    "relay/hosts",
    "relay",
    "relay/claims",
    "relay/traffic",
    "expose/gateway",
    "expose/gateway/rules",
    "expose/gateway/outgoing",
    "expose",
    "uplink/line",
    "runtime",
    "uplink",
  ],
  library: ["expose/gateway", "expose", "tunnel/relay", "net", "runtime", "errors", "uplink"],
  "relay/tcp": [
    "relay/config",
    "relay/rooms",
    "relay/hosts",
    "relay",
    "net",
    "relay/claims",
    "relay/limits",
    "uplink/line",
  ],
  "relay/token": ["relay/config", "relay/auth", "net", "runtime", "errors", "uplink"],
  "relay/config": [
    "relay/cluster/peers",
    "relay/front",
    "relay/auth",
    "relay/cluster/nats",
    "relay/limits",
    "net",
    "errors",
  ],
  "relay/cluster/peers": [
    "relay/front",
    "relay/rooms",
    "relay/hosts",
    "relay",
    "relay/cluster",
    "relay/claims",
    "relay/traffic",
    "runtime",
    "errors",
    "uplink",
  ],
  "relay/front": [
    "relay/rooms",
    "relay/hosts",
    "relay",
    "net",
    "relay/limits",
    "uplink/line",
    "runtime",
    "errors",
    "uplink",
    "relay/traffic",
  ],
  "relay/rooms": ["relay/hosts", "relay", "net", "uplink/line", "uplink", "relay/traffic"],
  "relay/hosts": [
    "relay",
    "relay/auth",
    "relay/claims",
    "relay/limits",
    "uplink/line",
    "runtime",
    "uplink",
    "relay/traffic",
  ],
  relay: ["relay/auth", "relay/claims", "relay/limits", "runtime", "uplink"],
  "relay/auth": ["net", "runtime", "uplink"],
  "relay/state": ["runtime", "errors"],
  "relay/cluster/nats": ["relay/cluster", "runtime", "errors"],
  "relay/cluster": ["relay/claims", "relay/limits", "runtime", "uplink"],
  "relay/claims": ["runtime", "protocol/base", "errors", "uplink"],
  "relay/limits": ["uplink/line"],
  anthropic: ["errors"],
  "relay/traffic": ["uplink/line", "runtime", "uplink"],
  "page/text": [],
  "cli/chat": [
    "cli/watch",
    "cli/expose",
    "cli/chat/json",
    "cli/chat/terminal",
    "cli/chat/conversation",
    "cli/io",
    "watch",
    "view",
    "services/tunnels",
    "session",
    "oversight/asks",
    "tunnel/registry",
    "runtime",
    "protocol/room",
    "protocol/base",
    "errors",
  ],
  "cli/watch": [
    "cli/expose",
    "cli/chat/terminal",
    "cli/io",
    "watch",
    "view/expose",
    "view/signing",
    "view/words",
    "view",
    "oversight/asks",
    "oversight/filter",
    "runtime",
    "protocol/sign-off",
    "protocol/base",
    "errors",
  ],
  "cli/expose": [
    "cli/chat/terminal",
    "cli/io",
    "watch",
    "view/expose",
    "view",
    "control",
    "expose/exposures",
    "expose",
    "runtime",
    "protocol/base",
    "errors",
  ],
  "cli/chat/json": [
    "cli/chat/terminal",
    "cli/chat/conversation",
    "view",
    "session/folders",
    "arguments",
    "protocol/room",
    "protocol/services",
    "protocol/base",
    "errors",
  ],
  "cli/chat/terminal": [
    "cli/chat/conversation",
    "cli/io",
    "watch",
    "view/signing",
    "view/words",
    "view",
    "session",
    "session/files",
    "session/saying",
    "session/folders",
    "runtime",
    "protocol/sign-off",
    "protocol/base",
    "errors",
  ],
  "cli/chat/conversation": [
    "view",
    "view/setup",
    "services/tunnels",
    "services/taker",
    "session",
    "session/files",
    "session/saying",
    "session/folders",
    "oversight/gates",
    "tunnel",
    "runtime",
    "protocol/room",
    "protocol/base",
    "errors",
  ],
  "cli/io": [],
  watch: [
    "view/expose",
    "view/signing",
    "view",
    "services/tunnels",
    "services",
    "expose/exposures",
    "bridge",
    "control",
    "session",
    "session/transcript",
    "oversight/asks",
    "oversight/gates",
    "oversight/bounds",
    "runtime",
    "protocol/room",
    "protocol/sign-off",
    "protocol/base",
    "errors",
  ],
  "view/expose": [
    "view",
    "view/setup",
    "expose/mcp",
    "expose/exposures",
    "expose/oauth",
    "expose/access",
    "expose/inspector/replay",
    "expose/inspector",
    "expose/proving",
    "expose/target",
    "expose",
  ],
  "view/signing": ["view", "session", "protocol/sign-off", "protocol/base"],
  "view/words": ["view", "oversight/filter", "protocol/handshake"],
  view: [
    "view/setup",
    "services/tunnels",
    "services/taker",
    "services/owner",
    "services",
    "bridge",
    "session",
    "session/files",
    "session/saying",
    "session/commits",
    "session/git",
    "session/paths",
    "oversight/lanes",
    "oversight/gates",
    "oversight/bounds",
    "protocol/host",
    "protocol/guest",
    "protocol/sign-off",
    "protocol/room",
    "protocol/services",
    "protocol/files",
    "protocol/handshake",
    "protocol/base",
    "errors",
  ],
  "view/setup": ["control", "session", "runtime", "errors"],
  "services/tunnels": [
    "services/taker",
    "services/owner",
    "services",
    "services/connection",
    "bridge/stdio",
    "bridge",
    "expose/target",
    "session",
    "session/saying",
    "runtime",
    "protocol/room",
    "protocol/services",
    "protocol/files",
    "protocol/base",
    "errors",
  ],
  "services/taker": [
    "services",
    "services/connection",
    "bridge/http",
    "bridge",
    "bridge/protocol",
    "expose/access",
    "expose/gateway",
    "expose/gateway/rules",
    "expose",
    "session",
    "net",
    "runtime",
    "protocol/services",
    "protocol/link",
    "protocol/base",
    "errors",
  ],
  "services/owner": [
    "services",
    "services/connection",
    "expose/mcp",
    "bridge/http",
    "bridge/stdio",
    "bridge",
    "bridge/protocol",
    "expose/access",
    "expose/gateway",
    "expose/target",
    "expose",
    "session",
    "session/saying",
    "oversight/gates",
    "oversight/filter",
    "runtime",
    "protocol/services",
    "protocol/link",
    "protocol/base",
    "errors",
  ],
  services: [
    "bridge",
    "session",
    "session/files",
    "session/saying",
    "oversight",
    "protocol/room",
    "protocol/link",
    "protocol/base",
  ],
  "services/connection": ["runtime", "protocol/services", "protocol/link", "protocol/base", "errors"],
  "expose/exposures": [
    "expose/mcp",
    "bridge/stdio",
    "expose/oauth",
    "expose/access",
    "expose/gateway",
    "expose/inspector/replay",
    "expose/inspector",
    "expose/proving",
    "expose/tcp",
    "expose/target",
    "expose/target/folder",
    "expose",
    "control",
    "oversight",
    "tunnel/registry",
    "tunnel/pool",
    "tunnel",
    "runtime",
    "protocol/base",
    "errors",
  ],
  "expose/mcp": [
    "bridge/http",
    "bridge/stdio",
    "bridge",
    "bridge/protocol",
    "expose/access",
    "expose/target",
    "expose",
    "net",
    "runtime",
    "protocol/base",
    "errors",
  ],
  "bridge/http": ["bridge", "bridge/protocol", "runtime"],
  "bridge/stdio": ["bridge", "bridge/protocol", "children", "runtime", "errors"],
  bridge: ["bridge/protocol", "errors"],
  "bridge/protocol": [],
  "expose/oauth": ["expose/access", "expose", "net", "runtime", "protocol/base", "errors"],
  "expose/access": ["expose", "runtime", "protocol/base", "errors"],
  "expose/gateway": [
    "expose/gateway/rules",
    "expose/gateway/outgoing",
    "expose",
    "tunnel",
    "runtime",
    "errors",
  ],
  "expose/gateway/rules": ["expose/gateway/outgoing", "expose"],
  "expose/gateway/outgoing": ["expose", "net", "runtime"],
  "expose/inspector/replay": ["expose/inspector", "expose", "net", "runtime", "protocol/base", "errors"],
  "expose/inspector": ["expose", "runtime", "errors"],
  "expose/proving": ["expose", "tunnel", "net", "runtime", "errors"],
  "expose/tcp": ["expose/target", "expose", "runtime", "errors"],
  "expose/target": ["expose", "net", "runtime", "protocol/base", "errors"],
  "expose/target/folder": ["expose", "errors"],
  expose: ["net"],
  control: ["session", "runtime", "errors"],
  session: [
    "session/transcript",
    "oversight",
    "oversight/bounds",
    "transport",
    "tunnel/registry",
    "tunnel/pool",
    "tunnel",
    "session/stays",
    "session/files",
    "session/saying",
    "session/paths",
    "oversight/lanes",
    "oversight/asks",
    "oversight/gates",
    "oversight/filter",
    "children/holding",
    "net",
    "runtime",
    "arguments",
    "protocol/host",
    "protocol/guest",
    "protocol/room",
    "protocol/sign-off",
    "protocol/files",
    "protocol/link",
    "protocol/handshake",
    "protocol/base",
    "errors",
  ],
  "session/transcript": [
    "session/paths",
    "oversight/audit",
    "oversight/gates",
    "runtime",
    "protocol/sign-off",
    "protocol/room",
    "protocol/services",
    "protocol/files",
    "protocol/base",
    "errors",
  ],
  oversight: [
    "oversight/lanes",
    "oversight/audit",
    "oversight/asks",
    "oversight/gates",
    "oversight/bounds",
    "runtime",
    "protocol/room",
    "protocol/base",
    "errors",
  ],
  "oversight/audit": ["oversight/asks", "oversight/gates"],
  "oversight/bounds": [],
  transport: [
    "net",
    "runtime",
    "protocol/host",
    "protocol/guest",
    "protocol/link",
    "protocol/handshake",
    "protocol/base",
    "errors",
  ],
  "tunnel/registry": ["tunnel/cloudflared", "tunnel/exec", "tunnel/relay", "tunnel"],
  "tunnel/pool": ["tunnel", "runtime", "errors"],
  "tunnel/cloudflared": ["tunnel", "children/holding", "children", "net", "runtime", "errors"],
  "tunnel/exec": ["tunnel", "children", "net", "runtime", "errors"],
  "tunnel/relay": ["tunnel", "net", "uplink/line", "runtime", "errors", "uplink"],
  tunnel: ["children/holding", "net", "runtime", "errors"],
  "session/stays": [
    "session/files",
    "children/holding",
    "children",
    "runtime",
    "protocol/room",
    "protocol/keeping",
    "protocol/base",
    "errors",
  ],
  "session/files": [
    "session/saying",
    "session/commits",
    "session/folders",
    "session/git",
    "session/paths",
    "oversight/gates",
    "oversight/filter",
    "runtime",
    "protocol/room",
    "protocol/files",
    "protocol/link",
    "protocol/record",
    "protocol/base",
    "errors",
  ],
  "session/saying": [
    "oversight/lanes",
    "oversight/asks",
    "oversight/gates",
    "oversight/filter",
    "runtime",
    "protocol/guest",
    "protocol/room",
    "protocol/files",
    "protocol/base",
  ],
  "session/commits": ["session/git", "session/paths", "runtime", "errors"],
  "session/folders": [
    "session/git",
    "session/paths",
    "oversight/gates",
    "runtime",
    "protocol/files",
    "protocol/base",
    "errors",
  ],
  "session/git": ["session/paths", "runtime", "errors", "errors/base"],
  "session/paths": [
    "oversight/gates",
    "oversight/filter",
    "runtime",
    "protocol/files",
    "protocol/base",
    "errors",
  ],
  "oversight/lanes": ["oversight/asks", "oversight/gates", "errors"],
  "oversight/asks": ["oversight/gates", "oversight/filter", "runtime", "protocol/base", "errors"],
  "oversight/gates": ["oversight/filter"],
  "oversight/filter": ["oversight/filter/rules", "oversight/filter/views", "runtime", "errors"],
  "oversight/filter/rules": [],
  "oversight/filter/views": [],
  "children/holding": ["children", "runtime", "errors"],
  children: ["runtime", "errors"],
  net: ["runtime", "errors"],
  "uplink/line": ["runtime", "uplink"],
  runtime: ["protocol/base"],
  arguments: ["protocol/handshake", "protocol/base", "errors"],
  "protocol/host": [
    "protocol/pressure",
    "protocol/room",
    "protocol/sign-off",
    "protocol/link",
    "protocol/reliable",
    "protocol/record",
    "protocol/handshake",
    "protocol/keeping",
    "protocol/base",
    "errors",
  ],
  "protocol/pressure": ["protocol/reliable", "protocol/base"],
  "protocol/guest": [
    "protocol/room",
    "protocol/sign-off",
    "protocol/link",
    "protocol/record",
    "protocol/handshake",
    "protocol/keeping",
    "protocol/base",
    "errors",
  ],
  "protocol/room": [
    "protocol/sign-off",
    "protocol/services",
    "protocol/files",
    "protocol/handshake",
    "protocol/base",
    "errors",
  ],
  "protocol/sign-off": ["protocol/handshake", "protocol/base"],
  "protocol/services": [
    "protocol/files",
    "protocol/link",
    "protocol/record",
    "protocol/handshake",
    "protocol/base",
    "errors",
  ],
  "protocol/files": ["protocol/record", "protocol/handshake", "protocol/base", "errors"],
  "protocol/link": ["protocol/reliable", "protocol/record", "protocol/base", "errors"],
  "protocol/reliable": ["protocol/record", "protocol/base", "errors"],
  "protocol/record": ["protocol/handshake", "protocol/base", "errors"],
  "protocol/handshake": ["protocol/base", "errors"],
  "protocol/keeping": ["protocol/base", "errors"],
  "protocol/base": ["errors", "errors/base"],
  errors: ["errors/areas/files", "errors/areas", "errors/areas/addresses", "errors/base"],
  "errors/areas/files": ["errors/base"],
  "errors/areas": ["errors/base"],
  "errors/areas/addresses": ["errors/base"],
  "errors/base": [],
  uplink: [],
};
const ORDER = Object.keys(ARROWS);

/** Packages that the pure core may use: schemas, and a list of words. */
const CORE_PACKAGES = ["@scure/bip39/wordlists/english.js", "zod/mini"];

/** A folder with more files hides what is in it. */
const MAX_FILES = 15;

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.split(path.sep).join("/"));

const textOf = (file: string): string => readFileSync(path.join(src, file), "utf8");
const folderOf = (file: string): string =>
  file.includes("/") ? path.posix.dirname(file) : file.slice(0, -3);
/** The room of the house in which a folder lies. */
const roomOf = (folder: string): string => folder.split("/")[0] ?? folder;
/** Source without comments, roughly: enough to look for words of the language. */
const codeOf = (file: string): string => textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");

function importsOf(file: string): string[] {
  const found = codeOf(file).matchAll(/\b(?:from|import)(?:\s+|\s*\(\s*)(?<!Array\.from\s*\(\s*)"([^"]+)"/g);
  return Array.from(found, ([, specifier]) => specifier ?? "");
}

/** The files of the project that a file imports, types included. */
const ownImportsOf = (file: string): string[] =>
  importsOf(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => path.posix.join(path.posix.dirname(file), specifier));

/** The imports that are carried out as soon as a file is: neither types alone nor on demand. */
function loadedWith(file: string): string[] {
  const found = codeOf(file).matchAll(/\b(?:import|export)\s+(?!type\b)(?:[^"';]*?\bfrom\s+)?"([^"]+)"/g);
  return Array.from(found, ([, specifier]) => specifier ?? "");
}

/** Every arrow between two folders with a file that draws it. */
function drawn(): Map<string, string> {
  const arrows = new Map<string, string>();
  for (const file of files)
    for (const target of ownImportsOf(file))
      if (folderOf(target) !== folderOf(file)) arrows.set(`${folderOf(file)} → ${folderOf(target)}`, file);
  return arrows;
}

/** A way from a file back to itself, where there is one. */
function cycleFrom(start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let file = queue.shift(); file !== undefined; file = queue.shift())
    for (const target of ownImportsOf(file)) {
      if (target === start) {
        const way = [start];
        for (let at: string | undefined = file; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
        return way;
      }
      if (cameFrom.has(target)) continue;
      cameFrom.set(target, file);
      queue.push(target);
    }
  return undefined;
}

describe("architecture", () => {
  const declared = Object.entries(ARROWS).flatMap(([from, targets]) =>
    targets.map((to) => `${from} → ${to}`),
  );

  it("draws no arrow that is not in the table", () => {
    const undeclared = [...drawn()].filter(([arrow]) => !declared.includes(arrow));
    expect(undeclared).toEqual([]);
  });

  it("has no arrow in the table that nothing draws", () => {
    const arrows = drawn();
    expect(declared.filter((arrow) => !arrows.has(arrow))).toEqual([]);
  });

  it("points down only, and every folder of the house is in the table", () => {
    for (const [from, targets] of Object.entries(ARROWS))
      for (const to of targets) {
        expect(ORDER.indexOf(to), `${from} → ${to}`).toBeGreaterThan(ORDER.indexOf(from));
      }
    expect([...new Set(files.map(folderOf))].toSorted()).toEqual(ORDER.toSorted());
  });

  it("has no two files that import each other, by whatever way, types included", () => {
    expect(files.map(cycleFrom).filter(Boolean)).toEqual([]);
  });

  it("keeps folders small enough to see what is in them", () => {
    const crowded = ORDER.filter(
      (folder) => files.filter((file) => folderOf(file) === folder).length > MAX_FILES,
    );
    expect(crowded).toEqual([]);
  });

  it("keeps the core pure: of packages it knows only schemas and a list of words", () => {
    const used = files
      .filter((file) => roomOf(folderOf(file)) === "protocol")
      .flatMap(importsOf)
      .filter((specifier) => !specifier.startsWith("."));
    expect([...new Set(used)].toSorted()).toEqual(CORE_PACKAGES);
  });

  it("loads at start-up only what the server's first answer needs: of packages the MCP SDK and its schemas", () => {
    const loaded = new Set(["main.ts"]);
    const packages = new Set<string>();
    for (const file of loaded)
      for (const specifier of loadedWith(file)) {
        if (specifier.startsWith(".")) loaded.add(path.posix.join(path.posix.dirname(file), specifier));
        else if (!specifier.startsWith("node:")) packages.add(specifier);
      }
    expect([...packages].toSorted()).toEqual([
      "@modelcontextprotocol/server",
      "@modelcontextprotocol/server/stdio",
      "zod",
    ]);
    const heavy = ["session/sessions.ts", "session/files/files.ts", "control/endpoint.ts"];
    expect(heavy.filter((file) => loaded.has(file))).toEqual([]);
  });

  it("has no `any` in it", () => {
    const untyped = files.filter((file) => /(?:[:<,|&(]|\bas)\s*any\b(?!\s*[a-z])/.test(codeOf(file)));
    expect(untyped).toEqual([]);
  });

  it("writes to the console in the command line only: stdout belongs to the protocol of the client", () => {
    expect(
      files.filter((file) => roomOf(folderOf(file)) !== "cli" && /\bconsole\./.test(codeOf(file))),
    ).toEqual([]);
  });

  it("reads the environment in the command line and the entry only", () => {
    const readers = files.filter((file) => /\bprocess\.env\b/.test(codeOf(file)));
    expect(readers.filter((file) => !["cli", "main"].includes(roomOf(folderOf(file))))).toEqual([]);
  });
});
