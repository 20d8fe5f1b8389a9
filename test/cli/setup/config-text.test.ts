import * as fc from "fast-check";
import { parse } from "jsonc-parser";
import { describe, expect, it } from "vitest";
import type { Format } from "../../../src/cli/setup/formats/format.ts";
import { CLIENTS } from "../../../src/cli/setup/clients.ts";
import { type ConfigText, Unusable } from "../../../src/cli/setup/formats/config-text.ts";
import { configText } from "../../../src/cli/setup/formats/formats.ts";

const server = { command: "node", args: ["/opt/tunnel-mcp.cjs"] };
const moved = { command: "node", args: ["C:\\Users\\ana b\\tunnel-mcp.cjs"] };

const formatOf = (name: string): Format => {
  const client = CLIENTS.find((one) => one.name === name);
  if (client === undefined) throw new Error(`no client ${name}`);
  return client.format;
};
const cursor = configText(formatOf("cursor"));
const opencode = configText(formatOf("opencode"));
const codex = configText(formatOf("codex"));

/** A file, and the same with our entry: what is added, and what comes back when it is taken out. */
interface Case {
  readonly title: string;
  readonly config: ConfigText;
  readonly before: string;
  readonly after: string;
  /** Only where an object stays behind that was not there. */
  readonly removed?: string;
}

const ENTRY = [`"command": "node",`, `"args": [`, `  "/opt/tunnel-mcp.cjs"`, `]`];
const entry = (indent: string, unit: string, eol = "\n"): string =>
  [
    `${indent}"tunnel": {`,
    ...ENTRY.map((line) => indent + unit + line.replace(/^ {2}/, unit)),
    `${indent}}`,
  ].join(eol);

const CASES: readonly Case[] = [
  {
    title: "an empty file",
    config: cursor,
    before: "",
    after: `{\n  "mcpServers": {\n${entry("    ", "  ")}\n  }\n}\n`,
    removed: `{\n  "mcpServers": {}\n}\n`,
  },
  {
    title: "an empty object",
    config: cursor,
    before: "{}",
    after: `{\n  "mcpServers": {\n${entry("    ", "  ")}\n  }\n}`,
    removed: `{\n  "mcpServers": {}\n}`,
  },
  {
    title: "no servers yet, four spaces",
    config: cursor,
    before: `{\n    "theme": "dark"\n}\n`,
    after: `{\n    "theme": "dark",\n    "mcpServers": {\n${entry("        ", "    ")}\n    }\n}\n`,
    removed: `{\n    "theme": "dark",\n    "mcpServers": {}\n}\n`,
  },
  {
    title: "servers that are empty",
    config: cursor,
    before: `{\n  "mcpServers": {},\n  "z": 1\n}\n`,
    after: `{\n  "mcpServers": {\n${entry("    ", "  ")}\n  },\n  "z": 1\n}\n`,
  },
  {
    title: "other servers, tabs",
    config: cursor,
    before: `{\n\t"mcpServers": {\n\t\t"other": { "command": "x" }\n\t}\n}\n`,
    after: `{\n\t"mcpServers": {\n\t\t"other": { "command": "x" },\n${entry("\t\t", "\t")}\n\t}\n}\n`,
  },
  {
    title: "CRLF",
    config: cursor,
    before: `{\r\n  "mcpServers": {\r\n    "other": {}\r\n  }\r\n}\r\n`,
    after: `{\r\n  "mcpServers": {\r\n    "other": {},\r\n${entry("    ", "  ", "\r\n")}\r\n  }\r\n}\r\n`,
  },
  {
    title: "comments everywhere",
    config: cursor,
    before: `// mine\n{\n  // servers\n  "mcpServers": {\n    "other": {} /* one */ // two\n    // three\n  } // four\n}\n// end\n`,
    after: `// mine\n{\n  // servers\n  "mcpServers": {\n    "other": {}, /* one */ // two\n    // three\n${entry("    ", "  ")}\n  } // four\n}\n// end\n`,
  },
  {
    title: "only a comment inside",
    config: cursor,
    before: `{\n  "mcpServers": {\n    // none yet\n  }\n}\n`,
    after: `{\n  "mcpServers": {\n    // none yet\n${entry("    ", "  ")}\n  }\n}\n`,
  },
  {
    title: "trailing commas",
    config: cursor,
    before: `{\n  "mcpServers": {\n    "other": {},\n  },\n}\n`,
    after: `{\n  "mcpServers": {\n    "other": {},\n${entry("    ", "  ")},\n  },\n}\n`,
  },
  {
    title: "everything on one line",
    config: cursor,
    before: `{"a":1,"mcpServers":{"other":{}}}`,
    after: `{"a":1,"mcpServers":{"other":{},"tunnel":{"command":"node","args":["/opt/tunnel-mcp.cjs"]}}}`,
  },
  {
    title: "servers on one line of several",
    config: cursor,
    before: `{\n  "mcpServers": { "other": {} }\n}\n`,
    after: `{\n  "mcpServers": { "other": {}, "tunnel": {\n      "command": "node",\n      "args": [\n        "/opt/tunnel-mcp.cjs"\n      ]\n    } }\n}\n`,
  },
  {
    title: "a byte order mark",
    config: cursor,
    before: `\uFEFF{\n  "mcpServers": {}\n}\n`,
    after: `\uFEFF{\n  "mcpServers": {\n${entry("    ", "  ")}\n  }\n}\n`,
  },
  {
    title: "version 1 of opencode",
    config: opencode,
    before: `{ "mcp": { "other": { "type": "local", "command": ["x"] } } }\n`,
    after: `{ "mcp": { "other": { "type": "local", "command": ["x"] },"tunnel":{"type":"local","command":["node","/opt/tunnel-mcp.cjs"]} } }\n`,
  },
  {
    title: "version 2 of opencode",
    config: opencode,
    before: `{"mcp":{"servers":{}}}`,
    after: `{"mcp":{"servers":{"tunnel":{"type":"local","command":["node","/opt/tunnel-mcp.cjs"]}}}}`,
  },
  {
    title: "a server of opencode's version 1 that is called servers",
    config: opencode,
    before: `{"mcp":{"servers":{"type":"local","command":["x"]}}}`,
    after: `{"mcp":{"servers":{"type":"local","command":["x"]},"tunnel":{"type":"local","command":["node","/opt/tunnel-mcp.cjs"]}}}`,
  },
  {
    title: "an empty TOML file",
    config: codex,
    before: "",
    after: `[mcp_servers.tunnel]\ncommand = "node"\nargs = [ "/opt/tunnel-mcp.cjs" ]\n`,
  },
  {
    title: "TOML with other tables and comments",
    config: codex,
    before: `# mine\nmodel = "o" # best\n\n[mcp_servers.other]\ncommand = 'x'\nbig = 9223372036854775807\n`,
    after: `# mine\nmodel = "o" # best\n\n[mcp_servers.other]\ncommand = 'x'\nbig = 9223372036854775807\n\n[mcp_servers.tunnel]\ncommand = "node"\nargs = [ "/opt/tunnel-mcp.cjs" ]\n`,
  },
  {
    title: "TOML with CRLF and blank lines at the end",
    config: codex,
    before: `model = "o"\r\n\r\n\r\n`,
    after: `model = "o"\r\n\r\n\r\n\r\n[mcp_servers.tunnel]\r\ncommand = "node"\r\nargs = [ "/opt/tunnel-mcp.cjs" ]\r\n`,
  },
  {
    title: "TOML whose last line has no end",
    config: codex,
    before: `model = "o"`,
    after: `model = "o"\n\n[mcp_servers.tunnel]\ncommand = "node"\nargs = [ "/opt/tunnel-mcp.cjs" ]`,
  },
];

describe("our entry in a configuration file", () => {
  it.each(CASES)("is added to $title, and nothing else is touched", ({ config, before, after }) => {
    expect(config.add(before, server)).toBe(after);
    expect(config.entry(after)).toEqual({ kind: "present", argv: ["node", "/opt/tunnel-mcp.cjs"] });
  });

  it.each(CASES)("is taken out again: $title", ({ config, before, after, removed = before }) => {
    expect(config.remove(after)).toBe(removed);
    expect(config.entry(removed)).toEqual({ kind: "absent" });
  });

  it.each(CASES)("follows the program to another path: $title", ({ config, before, after }) => {
    const other = config.update(after, moved);
    expect(config.entry(other)).toEqual({ kind: "present", argv: ["node", ...moved.args] });
    expect(config.update(other, server)).toBe(after);
    expect(config.add(before, moved)).toBe(other);
  });
});

describe("an entry that is there", () => {
  const json = `{\n  "mcpServers": {\n    "tunnel": { "env": { "TUNNEL_NAME": "Ana" }, "command": "node", "args": ["/old/tunnel-mcp.cjs"] }, // mine\n    "z": {}\n  }\n}\n`;
  const toml = `[mcp_servers.tunnel] # mine\nargs = [\n  "/old/tunnel-mcp.cjs", # here\n]\ncommand = 'node'\n[mcp_servers.tunnel.env]\nTUNNEL_NAME = "Ana"\n\n# the other\n[mcp_servers.z]\ncommand = "z"\n`;

  it("keeps the user's other settings when its path is corrected", () => {
    expect(cursor.update(json, server)).toBe(
      json.replace(`["/old/tunnel-mcp.cjs"]`, `[\n      "/opt/tunnel-mcp.cjs"\n    ]`),
    );
    expect(codex.update(toml, server)).toBe(
      toml
        .replace(`command = 'node'`, `command = "node"`)
        .replace(`[\n  "/old/tunnel-mcp.cjs", # here\n]`, `[ "/opt/tunnel-mcp.cjs" ]`),
    );
  });

  it("is taken out from the middle with all that is below it, and with nothing that is not", () => {
    expect(cursor.remove(json)).toBe(`{\n  "mcpServers": { // mine\n    "z": {}\n  }\n}\n`);
    expect(codex.remove(toml)).toBe(`\n# the other\n[mcp_servers.z]\ncommand = "z"\n`.slice(1));
  });

  it("is replaced as a whole", () => {
    const other = `{"mcpServers":{"a":1,"tunnel":{"url":"https://x.example"},"z":2}}`;
    expect(cursor.entry(other)).toEqual({ kind: "present", argv: [] });
    expect(cursor.replace(other, server)).toBe(
      `{"mcpServers":{"a":1,"tunnel":{"command":"node","args":["/opt/tunnel-mcp.cjs"]},"z":2}}`,
    );
    expect(codex.replace(`[mcp_servers.tunnel]\nurl = "https://x.example"\n`, server)).toBe(
      `[mcp_servers.tunnel]\ncommand = "node"\nargs = [ "/opt/tunnel-mcp.cjs" ]\n`,
    );
  });

  it("is the only server: an object of servers stays, with its comment", () => {
    const alone = `{\n  "mcpServers": {\n    // here\n    "tunnel": {}, // gone\n  }\n}`;
    expect(cursor.remove(alone)).toBe(`{\n  "mcpServers": {\n    // here // gone\n  }\n}`);
  });
});

describe("a file that is not touched, with a reason that does not quote it", () => {
  const KEY = "sk-secret";
  it.each<[string, ConfigText, string, string]>([
    ["broken JSON", cursor, `{\n "${KEY}": \n}`, "ValueExpected in line 3"],
    ["JSON that is a list", cursor, `["${KEY}"]`, "it is not a JSON object"],
    ["only a comment", cursor, `// ${KEY}`, "ValueExpected"],
    ["two roots", cursor, `{} {"${KEY}":1}`, "EndOfFileExpected in line 1"],
    ["servers that are a list", cursor, `{"mcpServers":["${KEY}"]}`, `"mcpServers" in it is not an object`],
    ["servers twice", cursor, `{"mcpServers":{},"mcpServers":{"${KEY}":1}}`, `it has "mcpServers" twice`],
    ["our name twice", cursor, `{"mcpServers":{"tunnel":1,"tunnel":"${KEY}"}}`, `it has "tunnel" twice`],
    ["broken TOML", codex, `a = 1\nb = ${KEY}\n`, "it is not TOML from line 2 on"],
    ["servers that are a text", codex, `mcp_servers = "${KEY}"`, `"mcp_servers" in it is not a table`],
    [
      "servers that are a list of tables",
      codex,
      `[[mcp_servers]]\nz = "${KEY}"\n`,
      `"mcp_servers" in it is not`,
    ],
  ])("%s", (_, config, text, reason) => {
    const thrown = thrownBy(() => (config.entry(text), config.add(text, server)));
    expect(thrown).toContain(reason);
    expect(thrown).not.toContain(KEY);
  });
});

describe("a TOML file with its servers in another form than tables", () => {
  const [command, args] = [`command = "node"`, `args = [ "/opt/tunnel-mcp.cjs" ]`];
  const inline = `{ ${command}, ${args} }`;

  it.each<[string, string, string]>([
    [
      "an inline table",
      `mcp_servers = { other = { command = "x" } } # mine\na = 1\n`,
      `mcp_servers = { other = { command = "x" }, tunnel = ${inline} } # mine\na = 1\n`,
    ],
    ["an inline table with nothing in it", `mcp_servers = {}\n`, `mcp_servers = { tunnel = ${inline} }\n`],
    [
      "an inline table without spaces",
      `mcp_servers={z={command="}"}}`,
      `mcp_servers={z={command="}"}, tunnel = ${inline}}`,
    ],
    [
      "an inline table over several lines",
      `mcp_servers = {\r\n  z = { command = "x" }, # }\r\n}\r\n`,
      `mcp_servers = {\r\n  z = { command = "x" },\r\n  tunnel = ${inline}, # }\r\n}\r\n`,
    ],
    [
      "an inline table under a quoted key",
      `'mcp_servers' = { "z" = { command = 'a, "b" #' } }\n`,
      `'mcp_servers' = { "z" = { command = 'a, "b" #' }, tunnel = ${inline} }\n`,
    ],
    [
      "dotted keys",
      `mcp_servers.z.command = "x"\n`,
      `mcp_servers.z.command = "x"\n\n[mcp_servers.tunnel]\n${command}\n${args}\n`,
    ],
    [
      "a table with inline servers",
      `[mcp_servers]\nz = { command = "x" }\n\n[b]\n`,
      `[mcp_servers]\nz = { command = "x" }\n\n[b]\n\n[mcp_servers.tunnel]\n${command}\n${args}\n`,
    ],
    [
      "lines in a text that look like tables",
      `a = """\n[mcp_servers.tunnel]\ncommand = "x"\n"""\n`,
      `a = """\n[mcp_servers.tunnel]\ncommand = "x"\n"""\n\n[mcp_servers.tunnel]\n${command}\n${args}\n`,
    ],
  ])("gets our entry where it belongs, and is the same to the byte after that: %s", (_, text, wanted) => {
    const changed = codex.add(text, server);
    expect(changed).toBe(wanted);
    expect(codex.entry(changed)).toEqual({ kind: "present", argv: ["node", ...server.args] });
    expect(codex.remove(changed)).toBe(text);
  });

  it.each<[string, string, string, string]>([
    [
      "an inline table",
      `mcp_servers = { tunnel = { command = "node", args = ["/old/tunnel-mcp.cjs"], env = { A = "1" } }, z = {} }\n`,
      `mcp_servers = { tunnel = { command = "node", args = [ "/opt/tunnel-mcp.cjs" ], env = { A = "1" } }, z = {} }\n`,
      `mcp_servers = { z = {} }\n`,
    ],
    [
      "an inline entry in a table",
      `[mcp_servers]\n"tunnel" = { args = ["/old/tunnel-mcp.cjs"] } # ours\nz = {}\n`,
      `[mcp_servers]\n"tunnel" = { args = [ "/opt/tunnel-mcp.cjs" ], ${command} } # ours\nz = {}\n`,
      `[mcp_servers]\nz = {}\n`,
    ],
    [
      "dotted keys",
      `mcp_servers.tunnel.command = 'node'\nmcp_servers . tunnel . args = [\n  "/old/tunnel-mcp.cjs", # ]\n]\nb = 2\n`,
      `mcp_servers.tunnel.command = "node"\nmcp_servers . tunnel . args = [ "/opt/tunnel-mcp.cjs" ]\nb = 2\n`,
      `b = 2\n`,
    ],
    [
      "a table with quoted keys and tables below it",
      `[ "mcp_servers" . 'tunnel' ] # [x]\ncommand = "node"\nargs = ["""\n[other]\n"""]\n[mcp_servers.tunnel.env]\nA = "1"\n# of b\n[b]\n`,
      `[ "mcp_servers" . 'tunnel' ] # [x]\ncommand = "node"\nargs = [ "/opt/tunnel-mcp.cjs" ]\n[mcp_servers.tunnel.env]\nA = "1"\n# of b\n[b]\n`,
      `# of b\n[b]\n`,
    ],
  ])("has our entry corrected and taken out there: %s", (_, text, updated, removed) => {
    expect(codex.update(text, server)).toBe(updated);
    expect(codex.remove(text)).toBe(removed);
  });

  it("in any arrangement: our entry comes and goes, and nothing else changes", () => {
    const value = fc.constantFrom(
      `"a # b"`,
      `'c = { d'`,
      `[1, { x = "]" }]`,
      `{ "q.r" = 1, s.t = '}' }`,
      `"""\n[b]\n"""`,
    );
    const key = fc.constantFrom("a", `"b c"`, `'d'`, "e.f", `g."h.i"`);
    const pairs = fc.uniqueArray(fc.tuple(key, value), { selector: ([one]) => one, maxLength: 4 });
    const files = fc.record({
      top: pairs,
      servers: pairs,
      form: fc.constantFrom("inline", "dotted", "table", "tables"),
      rest: pairs,
      eol: fc.constantFrom("\n", "\r\n"),
      end: fc.boolean(),
    });
    const list = (all: readonly (readonly [string, string])[], start = ""): string[] =>
      all.map(([one, text]) => `${start}${one} = ${text} # [c]`);
    fc.assert(
      fc.property(files, ({ top, servers, form, rest, eol, end }) => {
        const inside = servers
          .filter(([, text]) => !text.includes("\n"))
          .map(([one, text]) => `${one} = ${text}`);
        const middle = {
          inline: [`mcp_servers = { ${inside.join(", ")} }`],
          dotted: list(servers, "mcp_servers . "),
          table: ["[mcp_servers]", ...list(servers)],
          tables: servers.length === 0 ? [] : ["[mcp_servers.z]", ...list(servers)],
        }[form];
        const lines = [...list(top), ...middle, "", "[rest]", ...list(rest)];
        const text = lines.join("\n").replaceAll("\n", eol) + (end ? eol : "");
        const changed = codex.add(text, server);
        expect(codex.entry(changed)).toEqual({ kind: "present", argv: ["node", ...server.args] });
        const moved = codex.update(changed, { command: "node", args: ["/new/tunnel-mcp.cjs", 'a"b'] });
        expect(codex.update(moved, server)).toBe(changed);
        if (inside.length > 0 || form !== "inline") expect(codex.remove(changed)).toBe(text);
      }),
      { seed: 11, numRuns: 400 },
    );
  });
});

describe("any file at all", () => {
  const name = fc.string({ maxLength: 4 }).filter((key) => key !== "tunnel" && key !== "mcpServers");
  const files = fc.record({
    before: fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    servers: fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    after: fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    indent: fc.constantFrom("", " ", "    ", "\t"),
    eol: fc.constantFrom("\n", "\r\n"),
    comment: fc.constantFrom("", " /* , } */ ", "// }\n"),
  });

  it("has our entry after it is added, and is the same to the byte after it is taken out", () => {
    fc.assert(
      fc.property(files, ({ before, servers, after, indent, eol, comment }) => {
        const value = { ...before, mcpServers: servers, ...after };
        const plain = JSON.stringify(value, null, indent).replaceAll("\n", eol);
        // Behind the last brace but one, where an edit is most likely to go wrong.
        const text =
          comment === "" ? plain : plain.replace(/[}\]](\s*)\}$/, (end) => `${end.slice(0, -1)}${comment}}`);
        const changed = cursor.add(text, server);
        expect(cursor.entry(changed)).toEqual({ kind: "present", argv: ["node", ...server.args] });
        expect(cursor.remove(changed)).toBe(text);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("loses our entry wherever it stands among the others, and nothing else", () => {
    fc.assert(
      fc.property(files, fc.nat(3), ({ before, servers, after, indent, eol, comment }, at) => {
        const all = Object.entries(servers);
        const mixed = [
          ...all.slice(0, at),
          ["tunnel", { command: "node", args: ["a, b"] }],
          ...all.slice(at),
        ];
        const value = { ...before, mcpServers: Object.fromEntries(mixed), ...after };
        const text = `${comment}${JSON.stringify(value, null, indent).replaceAll("\n", eol)}`;
        expect(parse(cursor.remove(text))).toEqual({ ...value, mcpServers: servers });
      }),
      { seed: 8, numRuns: 300 },
    );
  });
});

function thrownBy(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Unusable) return error.message;
    throw error;
  }
  return "nothing was thrown";
}
