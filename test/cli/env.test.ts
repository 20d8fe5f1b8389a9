import path from "node:path";
import { describe, expect, test } from "vitest";
import { allSettings, type Config, SETTINGS } from "../../src/cli/settings.ts";
import { identityOf, readConfig, skillsDirectory, wantsColor, withoutSettings } from "../../src/cli/env.ts";
import { DEFAULT_LIMITS } from "../../src/oversight/bounds/budgets.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";

const DEFAULTS: Config = {
  transport: "cloudflared",
  bind: "127.0.0.1",
  port: 0,
  publicUrl: undefined,
  name: undefined,
  cloudflaredPath: undefined,
  command: undefined,
  relay: undefined,
  relayToken: undefined,
  relayTokenFile: undefined,
  relayCa: undefined,
  commandUrl: undefined,
  doh: true,
  standby: true,
  keepMinutes: 10,
  idleMinutes: 30,
  inviteMinutes: 10,
  skipReachabilityCheck: false,
  context: true,
  unattended: false,
  gates: [],
  toolsets: ["pair", "expose"],
  exposeAllow: [],
  shareServices: [],
  mcpServers: undefined,
  sharedMachine: false,
  notify: undefined,
  page: false,
  budgets: DEFAULT_LIMITS,
  saveRoots: [],
  shareRoots: [],
  shareAllow: [],
  channel: false,
  resultLimit: undefined,
  answerSeconds: 50,
};

test("without variables the defaults hold, and an empty variable is no variable", () => {
  expect(readConfig({}).config).toEqual(DEFAULTS);
  expect(readConfig({ TUNNEL_PORT: "", TUNNEL_NAME: "", TUNNEL_PUBLIC_URL: "" }).config).toEqual(DEFAULTS);
});

const here = path.resolve(import.meta.dirname);
const program = path.resolve("/opt/cloudflared");

const GOOD: readonly [name: string, value: string, expected: Partial<Config>][] = [
  ["TUNNEL_TRANSPORT", "direct", { transport: "direct" }],
  ["TUNNEL_RESULT_LIMIT", "10000", { resultLimit: 10_000 }],
  ["TUNNEL_RESULT_LIMIT", "500000", { resultLimit: 500_000 }],
  ["TUNNEL_ANSWER_SECONDS", "20", { answerSeconds: 20 }],
  ["TUNNEL_TRANSPORT", "cloudflared", {}],
  ["TUNNEL_TRANSPORT", "exec", { transport: "exec" }],
  ["TUNNEL_COMMAND", '["a b","{port}"]', { command: ["a b", "{port}"] }],
  ["TUNNEL_COMMAND_URL", "at (\\S+)", { commandUrl: /at (\S+)/ }],
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
  ["TUNNEL_GATES", "hold-out,new-member", { gates: ["hold-out", "new-member"] }],
  ["TUNNEL_BUDGETS", "off", { budgets: "off" }],
  ["TUNNEL_TOOLSETS", "expose", { toolsets: ["expose"] }],
  ["TUNNEL_TOOLSETS", "expose, pair,expose", { toolsets: ["expose", "pair"] }],
  [
    "TUNNEL_EXPOSE_ALLOW",
    "db.lan:8080, [::1]:9229",
    {
      exposeAllow: [
        { host: "db.lan", port: 8080 },
        { host: "::1", port: 9229 },
      ],
    },
  ],
  ["TUNNEL_NOTIFY", '["notify-me", "-t"]', { notify: ["notify-me", "-t"] }],
  ["TUNNEL_IDLE_MINUTES", "1440", { idleMinutes: 1_440 }],
  ["TUNNEL_KEEP_MINUTES", "0", { keepMinutes: 0 }],
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
  expect(readConfig({ [name]: value })).toEqual({ config: { ...DEFAULTS, ...expected }, problems: [] });
});

const BAD: readonly [name: string, value: string][] = [
  ["TUNNEL_RESULT_LIMIT", "9999"],
  ["TUNNEL_RESULT_LIMIT", "500001"],
  ["TUNNEL_ANSWER_SECONDS", "0"],
  ["TUNNEL_ANSWER_SECONDS", "111"],
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
  ["TUNNEL_CHANNEL", "1"],
  ["TUNNEL_UNATTENDED", "yes"],
  ["TUNNEL_NOTIFY", '["notify-me", 1]'],
  ["TUNNEL_NOTIFY", "[]"],
  ["TUNNEL_GATES", "hold-everything"],
  ["TUNNEL_GATES", "secret"],
  ["TUNNEL_BUDGETS", "messages=0"],
  ["TUNNEL_BUDGETS", "words=5"],
  ["TUNNEL_TOOLSETS", "pair,share"],
  ["TUNNEL_TOOLSETS", ","],
  ["TUNNEL_EXPOSE_ALLOW", "db.lan"],
  ["TUNNEL_EXPOSE_ALLOW", "db.lan:0"],
  ["TUNNEL_EXPOSE_ALLOW", "http://db.lan:8080"],
  ["TUNNEL_PAGE", "yes"],
  ["TUNNEL_IDLE_MINUTES", "0"],
  ["TUNNEL_IDLE_MINUTES", "1441"],
  ["TUNNEL_KEEP_MINUTES", "26"],
  ["TUNNEL_INVITE_MINUTES", "10m"],
  ["TUNNEL_SKIP_REACHABILITY_CHECK", "yes"],
  ["TUNNEL_SAVE_ROOTS", "work"],
  ["TUNNEL_SAVE_ROOTS", `${here}\0`],
  ["TUNNEL_SHARE_ROOTS", [here, "~"].join(path.delimiter)],
  ["TUNNEL_SHARE_ALLOW", ".env"],
  ["TUNNEL_SHARE_ALLOW", path.delimiter],
];

/** Settings without which nothing is weaker than asked for. */
const REPORTED = [
  "TUNNEL_ANSWER_SECONDS",
  "TUNNEL_NAME",
  "TUNNEL_STANDBY",
  "TUNNEL_SKIP_REACHABILITY_CHECK",
  "TUNNEL_CHANNEL",
  "TUNNEL_UNATTENDED",
  "TUNNEL_NOTIFY",
  "TUNNEL_PAGE",
  "TUNNEL_SAVE_ROOTS",
  "TUNNEL_EXPOSE_ALLOW",
  "TUNNEL_MCP_SERVERS",
  "TUNNEL_RELAY_CA",
  "TUNNEL_RELAY_TOKEN",
  "TUNNEL_RELAY_TOKEN_FILE",
  "TUNNEL_SHARE_SERVICES",
  "TUNNEL_SHARED_MACHINE",
];

test.each(BAD.filter(([name]) => !REPORTED.includes(name)))("%s=%j is refused by name", (name, value) => {
  expect(refusal({ [name]: value }).detail).toMatch(new RegExp(`^${name} must be `));
});

test.each(BAD.filter(([name]) => REPORTED.includes(name)))(
  "%s=%j is reported by name, and the default holds",
  (name, value) => {
    const { config, problems } = readConfig({ [name]: value });
    expect(config).toEqual(DEFAULTS);
    expect(problems.map(({ code }) => code)).toEqual(["setting-ignored"]);
    expect(problems[0]?.detail).toMatch(new RegExp(`^${name} must be `));
  },
);

test("only those are reported, and where one is refused they are named beside it", () => {
  const reported = allSettings().filter(({ weakens }) => !weakens);
  expect(reported.map(({ variable }) => variable).toSorted()).toEqual(
    [...REPORTED, "TUNNEL_SKILLS_DIR"].toSorted(),
  );
  expect(refusal({ TUNNEL_STANDBY: "maybe", TUNNEL_DOH: "maybe" }).detail).toBe(
    "TUNNEL_DOH must be on or off; TUNNEL_STANDBY must be on or off",
  );
});

test.each([
  ["a missing folder", path.join(here, "not there")],
  ["a path that no system takes", path.join(here, "x".repeat(5_000))],
  ["a file", import.meta.filename],
])("%s in a list of roots is a value like others: what is there may change", (_, entry) => {
  for (const name of ["TUNNEL_SAVE_ROOTS", "TUNNEL_SHARE_ROOTS"])
    expect(readConfig({ [name]: [here, entry].join(path.delimiter) }).problems, name).toEqual([]);
});

test("of a list in which one entry is no absolute path the others hold", () => {
  const { config, problems } = readConfig({ TUNNEL_SAVE_ROOTS: ["work", here, "~"].join(path.delimiter) });
  expect(config.saveRoots).toEqual([here]);
  expect(problems.map(({ detail }) => detail)).toEqual([
    "TUNNEL_SAVE_ROOTS must be absolute paths of folders, separated as in PATH",
  ]);
});

describe("what files and shells leave around a value is no part of it", () => {
  test.each<[string, string, Partial<Config>]>([
    ["TUNNEL_NAME", "\uFEFFAna\r\n", { name: "Ana" }],
    ["TUNNEL_NAME", ' "Ana" ', { name: "Ana" }],
    ["TUNNEL_NAME", `"Ana's"`, { name: "Ana's" }],
    ["TUNNEL_NAME", `'Ana' 'Bo'`, { name: `'Ana' 'Bo'` }],
    ["TUNNEL_PORT", "'4000'\r", { port: 4_000 }],
    ["TUNNEL_TRANSPORT", " direct\n", { transport: "direct" }],
    ["TUNNEL_BIND", '"::1"', { bind: "::1" }],
    ["TUNNEL_DOH", "off ", { doh: false }],
    ["TUNNEL_SAVE_ROOTS", `"${here}"${path.delimiter} '${here}'`, { saveRoots: [here, here] }],
    ["TUNNEL_SAVE_ROOTS", `"${here}${path.delimiter}${here}"`, { saveRoots: [here, here] }],
    ["TUNNEL_COMMAND", '"a b" "c"\r\n', { command: ["a b", "c"] }],
    ["TUNNEL_COMMAND_URL", '"(x)" \r\n', { commandUrl: /"(x)" / }],
    ["TUNNEL_PORT", "\r\n", {}],
    ["TUNNEL_PORT", "\uFEFF", {}],
  ])("%s=%j", (name, value, expected) => {
    expect(readConfig({ [name]: value })).toEqual({ config: { ...DEFAULTS, ...expected }, problems: [] });
  });

  test.each(["''", '"4000', "40 00", "\"'4000'\""])("but TUNNEL_PORT=%j is refused", (value) => {
    expect(refusal({ TUNNEL_PORT: value }).detail).toMatch(/^TUNNEL_PORT must be /);
  });
});

test("a name that is refused is told with the character; joined emoji and joiners that letters need are names", () => {
  const [problem] = readConfig({ TUNNEL_NAME: "ana\u202Es3cret" }).problems;
  expect(problem?.detail).toMatch(
    /^TUNNEL_NAME must be .* \(it contains U\+202E at position 3 \(counted from 0\)\)$/,
  );
  for (const name of ["\u{1f469}\u200d\u{1f4bb}", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"])
    expect(readConfig({ TUNNEL_NAME: name }).config.name).toBe(name);
});

describe("a variable that is named like a setting and is none", () => {
  const unknown = (env: Record<string, string>) =>
    readConfig(env).problems.map(({ code, detail }) => `${code}: ${detail}`);

  test.each([
    ["TUNNEL_SAVE_ROOT", "TUNNEL_SAVE_ROOT; the nearest one is TUNNEL_SAVE_ROOTS"],
    ["TUNNEL_PROT", "TUNNEL_PROT; the nearest one is TUNNEL_PORT"],
    ["tunnel_name", "tunnel_name; the nearest one is TUNNEL_NAME"],
    ["TUNNEL_IDLE", "TUNNEL_IDLE; the nearest one is TUNNEL_IDLE_MINUTES"],
    ["TUNNEL_HOST_ADDRESS", "TUNNEL_HOST_ADDRESS"],
    ["TUNNEL_\u001b[2J", "one that begins with TUNNEL_"],
  ])("%s is reported, with the nearest one", (name, told) => {
    expect(unknown({ [name]: "s3cret" })).toEqual([`setting-unknown: ${told}`]);
  });

  test("is not reported where cloudflared reads it, or it is empty, or it is a setting in other letters", () => {
    expect(unknown({ TUNNEL_TOKEN: "x", TUNNEL_LOGLEVEL: "x", TUNNEL_EDGE_IP_VERSION: "4" })).toEqual([]);
    expect(unknown({ TUNNEL_PROT: "" })).toEqual([]);
    expect(unknown({ Tunnel_Name: "Ana", TUNNEL_NAME: "Ana" })).toEqual([]);
  });

  test("is one of a few that are shown", () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`TUNNEL_X${at}`, "1"]));
    expect(unknown(many)).toHaveLength(8);
  });
});

describe("TUNNEL_COMMAND", () => {
  const commandOf = (text: string) => readConfig({ TUNNEL_COMMAND: text }).config.command;

  test.each<[string, readonly string[]]>([
    ["ngrok http {port}", ["ngrok", "http", "{port}"]],
    [" a\tb  c ", ["a", "b", "c"]],
    [`"/opt/my tools/t" 'it is "one"' ''`, ["/opt/my tools/t", 'it is "one"', ""]],
    [String.raw`a\ b "c \"d\" \\ e" 'f\g'`, ["a b", String.raw`c "d" \ e`, String.raw`f\g`]],
    [`--a="b c"'d'e`, ["--a=b cde"]],
    ["$HOME ~ *.js `x` $(y) | ;", ["$HOME", "~", "*.js", "`x`", "$(y)", "|", ";"]],
    ['["a", "b c", ""]', ["a", "b c", ""]],
    [' [ "C:\\\\tools\\\\t.exe" ] ', [String.raw`C:\tools\t.exe`]],
  ])("%j is %j", (text, words) => {
    expect(commandOf(text)).toEqual(words);
  });

  test.each([
    `a "b`,
    "a 'b",
    "a\\",
    "a\nb",
    "a 'b\nc'",
    "   ",
    `"" a`,
    "a\0b",
    "[]",
    '[""]',
    '["a", 1]',
    '["a"',
    '["a\\u0000"]',
    "[a] b",
  ])("%j is refused, and not repeated", (text) => {
    expect(refusal({ TUNNEL_COMMAND: text }).detail).toBe(
      "TUNNEL_COMMAND must be a JSON array of strings, or one line of words in which every quote is closed",
    );
  });

  test("is a secret, since programs of this kind take tokens as arguments", () => {
    expect(SETTINGS.command.isSecret).toBe(true);
  });
});

test("TUNNEL_COMMAND_URL is a regular expression", () => {
  const { commandUrl } = readConfig({ TUNNEL_COMMAND_URL: "https://[a-z]+\\.example" }).config;
  expect("at https://abc.example now".match(commandUrl ?? /^$/)?.[0]).toBe("https://abc.example");
  expect(refusal({ TUNNEL_COMMAND_URL: "s3cret(" }).detail).toBe(
    "TUNNEL_COMMAND_URL must be a regular expression",
  );
});

describe("TUNNEL_PUBLIC_URL", () => {
  test.each([
    ["wss://tunnel.example", "wss://tunnel.example"],
    ["https://tunnel.example/", "wss://tunnel.example"],
    ["http://10.0.0.7:8080", "ws://10.0.0.7:8080"],
    ["ws://[::1]:9", "ws://[::1]:9"],
  ])("%s becomes %s", (text, publicUrl) => {
    expect(readConfig({ TUNNEL_TRANSPORT: "direct", TUNNEL_PUBLIC_URL: text }).config.publicUrl).toBe(
      publicUrl,
    );
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
  const moved = path.resolve("/moved");
  expect(skillsDirectory({ CLAUDE_CONFIG_DIR: moved }, "/home/ana")).toBe(path.join(moved, "skills"));
  expect(skillsDirectory({ CLAUDE_CONFIG_DIR: "moved" }, "/home/ana")).toBe(
    path.join("/home/ana", ".claude", "skills"),
  );
});

test("colour needs a terminal and the user's consent", () => {
  expect(wantsColor({}, true)).toBe(true);
  expect(wantsColor({}, false)).toBe(false);
  expect(wantsColor({ NO_COLOR: "1" }, true)).toBe(false);
  expect(wantsColor({ NO_COLOR: "" }, true)).toBe(true);
  for (const off of [{ TERM: "dumb" }, { TERM: "unknown" }, { FORCE_COLOR: "0" }, { FORCE_COLOR: "false" }])
    expect(wantsColor(off, true)).toBe(false);
  expect(wantsColor({ FORCE_COLOR: "3", COLORTERM: "truecolor", CI: "1" }, false)).toBe(false);
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
