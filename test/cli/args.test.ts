import { expect, test } from "vitest";
import { type Command, parseCommand } from "../../src/cli/args.ts";
import { CLIENT_NAMES } from "../../src/cli/setup/names.ts";
import { nearest } from "../../src/errors/nearest.ts";
import { PROVIDER_CHOICE } from "../../src/tunnel/registry/registry.ts";

const EXPORT = { file: undefined, tunnelId: undefined, out: undefined, format: undefined };

const WAKE = "tunnel-mcp wake [--tunnel ID] [--timeout SECONDS] [--watch]";
const EXPORT_USAGE = "tunnel-mcp export [FILE] [--tunnel ID] [--out FILE] [--json] [--markdown]";
const OPEN =
  "tunnel-mcp open --goal TEXT [--name NAME] [--invites COUNT] [--transport NAME] [--history] [--json]";
const COMMANDS_LINE =
  "tunnel-mcp demo | open | join | resume | kept | expose | doctor | setup | install-skill | uninstall-skill | verify | export | wake | watch | page | observe | anthropic-tunnel | relay";

const UNDERSTOOD: readonly [args: string, command: Command][] = [
  ["", { kind: "serve" }],
  ["--help", { kind: "help" }],
  ["-h", { kind: "help" }],
  ["demo --help", { kind: "help" }],
  ["--version", { kind: "version" }],
  ["-v", { kind: "version" }],
  ["demo", { kind: "demo", transport: "direct", page: false }],
  ["demo --transport direct", { kind: "demo", transport: "direct", page: false }],
  ["demo --transport cloudflared", { kind: "demo", transport: "cloudflared", page: false }],
  ["demo --page", { kind: "demo", transport: "direct", page: true }],
  ["demo --transport=cloudflared", { kind: "demo", transport: "cloudflared", page: false }],
  ["doctor", { kind: "doctor" }],
  ["install-skill", { kind: "install-skill", dir: undefined, force: false }],
  ["install-skill --dir /a/b", { kind: "install-skill", dir: "/a/b", force: false }],
  ["install-skill --force --dir=/a/b", { kind: "install-skill", dir: "/a/b", force: true }],
  ["uninstall-skill", { kind: "uninstall-skill", dir: undefined, force: false }],
  ["uninstall-skill --force --dir=/a/b", { kind: "uninstall-skill", dir: "/a/b", force: true }],
  ["verify a.json", { kind: "verify", file: "a.json" }],
  ["export", { kind: "export", request: EXPORT }],
  [
    "export a.json --markdown",
    { kind: "export", request: { ...EXPORT, file: "a.json", format: "markdown" } },
  ],
  [
    "export --tunnel 1d --out=b.json --json",
    { kind: "export", request: { ...EXPORT, tunnelId: "1d", out: "b.json", format: "json" } },
  ],
  ["wake", { kind: "wake", tunnelId: undefined, timeoutMs: undefined }],
  ["wake --tunnel 1d --timeout 90", { kind: "wake", tunnelId: "1d", timeoutMs: 90_000 }],
  ["wake --watch", { kind: "wake-watch", tunnelId: undefined }],
  ["wake --watch --tunnel=1d", { kind: "wake-watch", tunnelId: "1d" }],
  [
    "open --goal align",
    {
      kind: "open",
      goal: "align",
      name: undefined,
      invites: 1,
      transport: undefined,
      history: false,
      json: false,
    },
  ],
  [
    "open --json --history --goal=align --name ana --invites 63 --transport direct",
    {
      kind: "open",
      goal: "align",
      name: "ana",
      invites: 63,
      transport: "direct",
      history: true,
      json: true,
    },
  ],
  ["join", { kind: "join", link: undefined, name: undefined, json: false }],
  ["join wss://h/t/r#1.k.h", { kind: "join", link: "wss://h/t/r#1.k.h", name: undefined, json: false }],
  ["observe", { kind: "observe", link: undefined, name: undefined, json: false }],
  ["observe --json --name cat ws://x", { kind: "observe", link: "ws://x", name: "cat", json: true }],
  ["resume", { kind: "resume", tunnelId: undefined, json: false }],
  ["resume 1d --json", { kind: "resume", tunnelId: "1d", json: true }],
  ["kept", { kind: "kept", tunnelId: undefined, forget: false, json: false }],
  ["kept --forget --json 1d", { kind: "kept", tunnelId: "1d", forget: true, json: true }],
  ["join --json --name ben ws://x", { kind: "join", link: "ws://x", name: "ben", json: true }],
  [
    "setup",
    { kind: "setup", request: { clients: [], mode: "set-up", yes: false, force: false, project: false } },
  ],
  [
    "setup --client cursor,codex --yes --client=vscode --force",
    {
      kind: "setup",
      request: {
        clients: ["cursor", "codex", "vscode"],
        mode: "set-up",
        yes: true,
        force: true,
        project: false,
      },
    },
  ],
  [
    "setup --print --client codex",
    {
      kind: "setup",
      request: { clients: ["codex"], mode: "print", yes: false, force: false, project: false },
    },
  ],
  [
    "setup --remove",
    { kind: "setup", request: { clients: [], mode: "remove", yes: false, force: false, project: false } },
  ],
];

test.each([
  ["claude", "claude-code"],
  ["Codex", "codex"],
  ["CODEX-CLI", "codex"],
  ["Claude_Code", "claude-code"],
  ["claude-desktop", "claude-desktop"],
  ["VS Code", "vscode"],
  ["code", "vscode"],
  ["Code - Insiders", "vscode-insiders"],
  ["codium", "vscodium"],
  ["GitHub Copilot", "copilot"],
  ["copilot-cli", "copilot"],
  ["gemini-cli", "gemini"],
  ["OpenCode", "opencode"],
  [" Zed ", "zed"],
])("a client by another name, in any letter case: %s", (name, client) => {
  expect(parseCommand(["setup", "--client", name])).toMatchObject({ request: { clients: [client] } });
  expect(parseCommand(["setup", `--client=cursor,${name}`])).toMatchObject({
    request: { clients: ["cursor", client] },
  });
});

test("a client that is named twice counts once", () => {
  expect(parseCommand(["setup", "--client", "claude,Claude-Code"])).toMatchObject({
    request: { clients: ["claude-code"] },
  });
});

test.each(UNDERSTOOD)("understands: %s", (args, command) => {
  expect(parseCommand(words(args))).toEqual(command);
});

const REFUSED: readonly [args: string, message: string][] = [
  ["export --json --markdown", "--json and --markdown: only one is possible"],
  ["export a.json --tunnel 1d", "--tunnel is for a running tunnel: leave it out, or the file"],
  ["export a.json b.json", "unexpected argument b.json"],
  ["export --out", "--out needs a value"],
  ["serve", "unknown command serve; did you mean observe?"],
  ["--verbose", "unknown option --verbose"],
  ["--version now", "unexpected argument now"],
  ["doctor --fix", "unknown option --fix"],
  ["doctor twice", "unexpected argument twice"],
  ["demo --transport", "--transport needs a value"],
  ["demo --transport=", "--transport needs a value"],
  ["demo --transport carrier-pigeon", `--transport must be ${PROVIDER_CHOICE}`],
  ["demo --constructor", "unknown option --constructor"],
  ["setup --client ,", "--client needs a value"],
  ["install-skill --dir --force", "--dir needs a value"],
  ["install-skill --force=yes", "--force takes no value"],
  ["install-skill /a/b", "unexpected argument /a/b"],
  ["wake up", "unexpected argument up"],
  ["wake --timeout 0", "--timeout must be a whole number of seconds from 1 to 86400"],
  ["wake --timeout 86401", "--timeout must be a whole number of seconds from 1 to 86400"],
  ["wake --timeout 1e3", "--timeout must be a whole number of seconds from 1 to 86400"],
  ["wake --watch --timeout 5", "--watch goes on for ever: leave --timeout out"],
  ["open", "open needs --goal TEXT"],
  ["open align", "unexpected argument align"],
  ["open --goal x --invites 0", "--invites must be a number from 1 to 63"],
  ["open --goal x --invites 64", "--invites must be a number from 1 to 63"],
  ["open --goal x --invites two", "--invites must be a number from 1 to 63"],
  ["open --goal x --transport pigeon", `--transport must be ${PROVIDER_CHOICE}`],
  ["join one two", "unexpected argument two"],
  ["observe one two", "unexpected argument two"],
  ["observe --history", "unknown option --history"],
  ["ws://h/t/r#1.secret.h.observer", "to read along with a link: tunnel-mcp observe"],
  ["<ws://h/t/r#1.secret.h.observer-history>", "to read along with a link: tunnel-mcp observe"],
  ["open --goal x wss://h/t/r#1.secret.h", "unexpected argument (a link)"],
  ["open --goal=x --wss://h/t/r#1.secret.h", "unknown option (a link)"],
  ["wss://h/t/r#1.secret.h", "to join with a link: tunnel-mcp join"],
  ["WSS://h/t/r#1.secret.h", "to join with a link: tunnel-mcp join"],
  ["<wss://h/t/r#1.secret.h>", "to join with a link: tunnel-mcp join"],
  ["open --goal x <wss://h/t/r%231.secret.h>", "unexpected argument (a link)"],
  ["install-skill --client cursor", "unknown option --client"],
  ["setup --client cursor,emacs", `unknown client emacs; known are ${CLIENT_NAMES.join(", ")}`],
  ["setup --client", "--client needs a value"],
  ["setup cursor", "unexpected argument cursor"],
  ["setup --print --remove", "--print changes nothing, so it does not go with --remove"],
];

test.each(REFUSED)("refuses: %s", (args, message) => {
  expect(parseCommand(words(args))).toMatchObject({ kind: "usage-error", message });
});

const HELPED: readonly [args: string, message: string, usage: string][] = [
  ["wake --tunel 1d", "unknown option --tunel; did you mean --tunnel?", WAKE],
  ["wake --time 5", "unknown option --time; did you mean --timeout?", WAKE],
  ["wake --timeout soon", "--timeout must be a whole number of seconds from 1 to 86400", WAKE],
  ["export --OUT x", "unknown option --OUT; did you mean --out?", EXPORT_USAGE],
  ["open", "open needs --goal TEXT", OPEN],
  ["open --goal x --invite 2", "unknown option --invite; did you mean --invites?", OPEN],
  ["verify", "the path of a .transcript.json file is missing", "tunnel-mcp verify FILE"],
  ["verify a.json b.json", "unexpected argument b.json", "tunnel-mcp verify FILE"],
  ["doctor --fix", "unknown option --fix", "tunnel-mcp doctor"],
  ["instal-skill", "unknown command instal-skill; did you mean install-skill?", COMMANDS_LINE],
  ["Setup", "unknown command Setup; did you mean setup?", COMMANDS_LINE],
  ["help", "unknown command help; did you mean --help?", COMMANDS_LINE],
  ["--setup", "unknown option --setup; did you mean setup?", COMMANDS_LINE],
  ["expos", "unknown command expos; did you mean expose?", COMMANDS_LINE],
  ["--verison", "unknown option --verison; did you mean --version?", COMMANDS_LINE],
  ["nonsense", "unknown command nonsense", COMMANDS_LINE],
  ["wss://h/t/r#1.secret.h", "to join with a link: tunnel-mcp join", "tunnel-mcp join [LINK]"],
];

test.each(HELPED)("a usage error shows the one line that helps: %s", (args, message, usage) => {
  expect(parseCommand(words(args))).toEqual({ kind: "usage-error", message, usage });
});

test("an argument that is not UTF-8 is an error, and is not repeated", () => {
  expect(parseCommand(["open", "--goal", "caf\ufffd"])).toMatchObject({
    kind: "usage-error",
    message: "an argument is not UTF-8",
  });
});

test("no nearest word is named where two are equally near, or none is near", () => {
  expect(nearest("tunel", ["tunnel", "funnel"])).toBe("tunnel");
  expect(nearest("unnel", ["tunnel", "funnel"])).toBeUndefined();
  expect(nearest("carrier", ["demo", "wake"])).toBeUndefined();
  expect(nearest("x".repeat(10_000), ["x"])).toBeUndefined();
  expect(nearest("waek", ["wake", "demo"])).toBe("wake");
});

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}
