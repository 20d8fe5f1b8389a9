import { describe, expect, it } from "vitest";
import { type Client, CLIENTS } from "../../../src/cli/setup/clients.ts";
import { configText } from "../../../src/cli/setup/formats/formats.ts";
import type { ClientFacts, ConfigFile } from "../../../src/cli/setup/machine.ts";
import { ownLine, planLines, remainingLines } from "../../../src/cli/setup/show.ts";
import { PUBLISHED, registration } from "../../../src/view/setup/registration.ts";
import type { Elsewhere } from "../../../src/cli/setup/elsewhere.ts";
import { isOpen, type PlanOptions, planFor, skillChanges } from "../../../src/cli/setup/plan.ts";

const server = { command: "node", args: ["/opt/tunnel-mcp.cjs"] };
const windows = { command: "node", args: ["C:\\Program Files\\tunnel-mcp\\dist\\tunnel-mcp.cjs"] };
const add: PlanOptions = { server, remove: false, force: false };
const remove: PlanOptions = { ...add, remove: true };

const clientOf = (name: string): Client => {
  const client = CLIENTS.find((one) => one.name === name);
  if (client === undefined) throw new Error(`no client ${name}`);
  return client;
};

const text = (content: string, more: Partial<Extract<ConfigFile, { kind: "text" }>> = {}): ConfigFile => ({
  kind: "text",
  path: "/link",
  target: "/file",
  text: content,
  mode: 0o640,
  owner: { uid: 1, gid: 2 },
  isReadOnly: false,
  isLink: false,
  backup: undefined,
  ...more,
});

const facts = (name: string, more: Partial<ClientFacts> = {}): ClientFacts => ({
  client: clientOf(name),
  isHere: true,
  elsewhere: [],
  ignored: undefined,
  file: { kind: "missing", path: "/none" },
  skill: undefined,
  ...more,
});

const cursorFile = (entry: unknown): ConfigFile => text(JSON.stringify({ mcpServers: { tunnel: entry } }));

describe("every client", () => {
  it.each(CLIENTS.map(({ name }) => name))(
    "has its file written by us: %s, with a Windows path as it is",
    (name) => {
      const { action } = planFor(facts(name), { ...add, server: windows });
      if (action.kind !== "edit") throw new Error(action.kind);
      expect(action).toMatchObject({ what: "add", path: "/none", target: "/none", before: undefined });
      const argv = ["node", ...windows.args];
      expect(configText(clientOf(name).format).entry(action.after ?? "")).toEqual({ kind: "present", argv });
    },
  );

  it.each(CLIENTS.map(({ name }) => name))("has no file afterwards where there was none: %s", (name) => {
    const adding = planFor(facts(name), add).action;
    if (adding.kind !== "edit") throw new Error(adding.kind);
    const removing = planFor(facts(name, { file: text(adding.after ?? "") }), remove).action;
    expect(removing).toMatchObject({ kind: "edit", what: "remove", after: undefined, keepsOld: false });
  });

  it("keeps a file behind a link, which would lead nowhere without it", () => {
    const file = text(configText(clientOf("cursor").format).add("", server), { isLink: true });
    expect(planFor(facts("cursor", { file }), remove).action).toMatchObject({
      after: `{\n  "mcpServers": {}\n}\n`,
    });
  });

  it("that has a command of its own for it is shown that for a human, with the scope that setup uses", () => {
    const lines = CLIENTS.map((client) => ownLine(client, server, "linux")).filter(
      (line) => line !== undefined,
    );
    expect(lines.slice(0, 3)).toEqual([
      "claude mcp add --scope user tunnel -- node /opt/tunnel-mcp.cjs",
      "codex mcp add tunnel -- node /opt/tunnel-mcp.cjs",
      "gemini mcp add --scope user tunnel node /opt/tunnel-mcp.cjs",
    ]);
    expect(lines[0]).toBe(registration("/opt/tunnel-mcp.cjs", "linux"));
  });

  it("gets the options of the server behind dashes, so that they are not taken for its own", () => {
    const published = { command: "npx", args: ["-y", "tunnel-mcp"] };
    expect(ownLine(clientOf("gemini"), published, "linux")).toBe(
      "gemini mcp add --scope user tunnel npx -- -y tunnel-mcp",
    );
  });

  it("a link is written through, with the mode of the file", () => {
    const { action } = planFor(facts("cursor", { file: text("{}") }), add);
    expect(action).toMatchObject({ path: "/link", target: "/file", before: "{}", mode: 0o640 });
  });

  it("a file that is read-only or not readable is left, with the reason", () => {
    const readOnly = planFor(facts("cursor", { file: text("{}", { isReadOnly: true }) }), add);
    expect(readOnly.action).toEqual({
      kind: "cannot",
      code: "client-config-unusable",
      detail: "/link: it is read-only",
      byHand: configText(clientOf("cursor").format).snippet(server),
    });
    const file: ConfigFile = { kind: "unusable", path: "/f", why: "it is not a file" };
    expect(planFor(facts("cursor", { file }), add).action).toMatchObject({ detail: "/f: it is not a file" });
    expect(isOpen(readOnly)).toBe(false);
  });
});

describe("an entry of our name", () => {
  it("keeps the path of the Node that somebody has written into it", () => {
    const right = { command: "/opt/node/bin/node", args: server.args };
    expect(planFor(facts("cursor", { file: cursorFile(right) }), add).action.kind).toBe("nothing");
    const moved = { command: "/opt/node/bin/node", args: ["/old/tunnel-mcp.cjs"] };
    const { action } = planFor(facts("cursor", { file: cursorFile(moved) }), add);
    if (action.kind !== "edit") throw new Error(action.kind);
    expect(JSON.parse(action.after ?? "")).toEqual({ mcpServers: { tunnel: right } });
  });

  it("that is the same is left; with nothing else to do the plan is closed", () => {
    const same = planFor(facts("cursor", { file: cursorFile(server) }), add);
    expect(same.action).toEqual({ kind: "nothing", why: "registered" });
    expect(isOpen(same)).toBe(false);
  });

  it.each([
    [{ command: "node", args: ["/elsewhere/dist/tunnel-mcp.cjs"] }],
    [{ command: "C:\\node\\node.exe", args: ["D:\\x\\tunnel-mcp.cjs"] }],
    [{ command: "/usr/bin/node", args: ["--enable-source-maps", "/x/tunnel-mcp.cjs"] }],
  ])("that starts another copy of this program is corrected, and removed: %j", (entry) => {
    const found = facts("cursor", { file: cursorFile(entry) });
    expect(planFor(found, add).action).toMatchObject({ kind: "edit", what: "update" });
    expect(planFor(found, remove).action).toMatchObject({ kind: "edit", what: "remove" });
  });

  it.each([
    [{ command: "npx", args: ["-y", "tunnel-mcp@1"] }],
    [{ command: "cmd", args: ["/c", "npx", "-y", "tunnel-mcp"] }],
  ])("that fetches the npm package is this program's once that is published: %j", (entry) => {
    const { kind } = planFor(facts("cursor", { file: cursorFile(entry) }), add).action;
    expect(kind).toBe(PUBLISHED ? "edit" : "cannot");
  });

  it.each([
    [{ command: "node", args: ["/other/server.js"] }],
    [{ command: "npx", args: ["-y", "tunnel-mcp-pro"] }],
    [{ command: "sh", args: ["/x/tunnel-mcp.cjs"] }],
    [{ url: "https://tunnel.example" }],
  ])("that is another program's is neither replaced nor removed without --force: %j", (entry) => {
    const found = facts("cursor", { file: cursorFile(entry) });
    const refused = { kind: "cannot", code: "client-entry-foreign", detail: "/link" };
    expect(planFor(found, add).action).toEqual(refused);
    expect(planFor(found, remove).action).toEqual(refused);
    const forced = planFor(found, { ...add, force: true }).action;
    expect(forced).toMatchObject({ kind: "edit", what: "replace" });
    expect(planFor(found, { ...remove, force: true }).action).toMatchObject({ kind: "edit", what: "remove" });
  });

  it("is taken out to the byte if nothing else has happened since, and only then", () => {
    const before = `{ "theme": "dark" }`;
    const after = configText(clientOf("cursor").format).add(before, server);
    const undone = planFor(facts("cursor", { file: text(after, { backup: before }) }), remove).action;
    expect(undone).toMatchObject({ kind: "edit", after: before });
    const later = after.replace("dark", "light");
    const edited = planFor(facts("cursor", { file: text(later, { backup: before }) }), remove).action;
    if (edited.kind !== "edit") throw new Error(edited.kind);
    expect(JSON.parse(edited.after ?? "")).toEqual({ theme: "light", mcpServers: {} });
  });

  it("that is not there has nothing to be taken out", () => {
    expect(planFor(facts("cursor"), remove).action).toEqual({ kind: "nothing", why: "absent" });
  });
});

describe("a client that has the server from somewhere else, too", () => {
  const plugin: Elsewhere = {
    kind: "plugin",
    id: "tunnel@tunnel-mcp",
    takeOut: ["claude", "plugin", "uninstall", "x"],
  };
  const folder = (name: string, argv: readonly string[]): Elsewhere => ({
    kind: "folder",
    folder: name,
    argv,
  });

  it("gets no second one beside its plugin, and no second skill", () => {
    const found = facts("claude-code", { elsewhere: [plugin], skill: { dir: "/skills", state: "missing" } });
    const plan = planFor(found, add);
    expect(plan.action).toEqual({ kind: "nothing", why: "plugin" });
    expect(plan.skill?.action).toBe("none");
    expect(isOpen(plan)).toBe(false);
    expect(planLines(plan, "linux")).toEqual([
      "has it from a plugin already, so nothing is added",
      "also there: the plugin tunnel@tunnel-mcp of Claude Code; to take it out: claude plugin uninstall x",
    ]);
  });

  it("gets no second one beside the same program under another name", () => {
    const other: Elsewhere = { kind: "name", name: "tunnel-mcp", argv: ["node", ...server.args] };
    const plan = planFor(facts("cursor", { elsewhere: [other], file: text("{}") }), add);
    expect(plan.action).toEqual({ kind: "nothing", why: "name" });
    expect(planLines(plan, "linux")[1]).toContain("an entry of the name tunnel-mcp in the same file");
  });

  it("keeps a plugin when the entry is taken out, and is told so", () => {
    const file = cursorFile(server);
    const plan = planFor(facts("claude-code", { elsewhere: [plugin], file }), remove);
    expect(plan.action).toMatchObject({ kind: "edit", what: "remove" });
    expect(remainingLines(plan, "linux")).toEqual([
      "still there: the plugin tunnel@tunnel-mcp of Claude Code; to take it out: claude plugin uninstall x",
    ]);
  });

  it("loses what it has for single folders as well, in the same edit, and keeps what is not ours", () => {
    const foreign = { command: "node", args: ["/other.js"] };
    const whole = {
      mcpServers: { tunnel: server },
      projects: {
        "/a b": { allowed: [], mcpServers: { tunnel: server, z: foreign } },
        "C:\\c": { mcpServers: { tunnel: foreign } },
      },
    };
    const elsewhere = [folder("/a b", ["node", ...server.args]), folder("C:\\c", ["node", "/other.js"])];
    const file = text(JSON.stringify(whole, null, 4));
    const plan = planFor(facts("claude-code", { elsewhere, file }), remove);
    if (plan.action.kind !== "edit") throw new Error(JSON.stringify(plan.action));
    expect(JSON.parse(plan.action.after ?? "")).toEqual({
      mcpServers: {},
      projects: {
        "/a b": { allowed: [], mcpServers: { z: foreign } },
        "C:\\c": { mcpServers: { tunnel: foreign } },
      },
    });
    expect(plan.folders).toEqual(["/a b"]);
    expect(remainingLines(plan, "linux")).toEqual([expect.stringContaining("the folder C:\\c alone")]);
  });

  it("and the user's entry is another program's: those of the folders go all the same", () => {
    const foreign = { command: "node", args: ["/other.js"] };
    const whole = { mcpServers: { tunnel: foreign }, projects: { "/a": { mcpServers: { tunnel: server } } } };
    const elsewhere = [folder("/a", ["node", ...server.args])];
    const { action } = planFor(
      facts("claude-code", { elsewhere, file: text(JSON.stringify(whole)) }),
      remove,
    );
    if (action.kind !== "edit") throw new Error(action.kind);
    expect(JSON.parse(action.after ?? "")).toEqual({ ...whole, projects: { "/a": { mcpServers: {} } } });
  });
});

describe("a byte order mark", () => {
  const mark = "\uFEFF";
  const file = (name: string): ConfigFile => text(mark + configText(clientOf(name).format).add("", server));

  it("is taken out of the file of a client that cannot read it, also when the entry is right", () => {
    const { action } = planFor(facts("gemini", { file: file("gemini") }), add);
    expect(action).toMatchObject({ kind: "edit", what: "unmark" });
    const fresh = planFor(facts("gemini", { file: text(`${mark}{"a":1}`) }), add).action;
    expect(fresh).toMatchObject({ after: expect.stringMatching(/^\{"a":1,"mcpServers"/) });
  });

  it("stays in the file of every other client", () => {
    expect(planFor(facts("cursor", { file: file("cursor") }), add).action.kind).toBe("nothing");
    const { action } = planFor(facts("codex", { file: text(`${mark}a = 1\n`) }), add);
    expect(action).toMatchObject({ after: expect.stringMatching(/^\uFEFFa = 1\n/) });
  });
});

describe("the skill", () => {
  const withSkill = (
    name: string,
    state: "missing" | "same" | "different" | "blocked",
    more: Partial<ClientFacts> = {},
  ) => facts(name, { skill: { dir: "/skills", state }, ...more });

  it.each([
    ["missing", "copy", "copy", "none"],
    ["same", "none", "none", "delete"],
    ["different", "keep", "replace", "keep"],
    ["blocked", "blocked", "blocked", "blocked"],
  ] as const)("that is %s: %s, with --force %s, on removal %s", (state, adding, forced, removing) => {
    const found = withSkill("codex", state);
    expect(planFor(found, add).skill?.action).toBe(adding);
    expect(planFor(found, { ...add, force: true }).skill?.action).toBe(forced);
    expect(planFor(found, remove).skill?.action).toBe(removing);
  });

  it("is copied once into a folder that clients share, and deleted only when the last of them goes", () => {
    const codexFile = text(configText(clientOf("codex").format).add("", server));
    const copilotFile = cursorFile(server);
    const adding = ["codex", "copilot"].map((name) => planFor(withSkill(name, "missing"), add));
    expect(skillChanges(adding, adding)).toEqual([{ dir: "/skills", action: "copy" }]);
    const removing = [
      planFor(withSkill("codex", "same", { file: codexFile }), remove),
      planFor(withSkill("copilot", "same", { file: copilotFile }), remove),
    ];
    expect(skillChanges(removing.slice(0, 1), removing)).toEqual([]);
    expect(skillChanges(removing, removing)).toEqual([{ dir: "/skills", action: "delete" }]);
  });
});
