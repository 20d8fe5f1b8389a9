import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { helpText } from "../src/cli/help.ts";
import { allSettings, defaultConfig, defaultText, GROUPS, SETTINGS } from "../src/cli/settings.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string): string => readFileSync(path.join(root, name), "utf8");

type Table = typeof SETTINGS;
type Sources = Readonly<Record<string, unknown>>;

/** The generators. They are plain JavaScript, so their types are told here. */
interface Generators {
  readonly docSources: () => Promise<Sources>;
  readonly docPages: (
    sources: Sources,
    readPage: (name: string) => string,
  ) => Promise<Record<string, string>>;
  readonly manifestSources: () => Promise<Sources>;
  readonly manifestFiles: (sources: Sources) => Record<string, unknown>;
  readonly bundleManifest: (sources: Sources) => unknown;
}

const modules: unknown[] = await Promise.all(
  ["docs/pages.mjs", "manifest-sources.mjs", "manifests.mjs"].map(
    (name) => import(new URL(`../scripts/${name}`, import.meta.url).href),
  ),
);
const generators: Generators = Object.assign({}, ...modules);
const { docPages, manifestFiles, bundleManifest } = generators;
const [docSources, manifestSources] = await Promise.all([
  generators.docSources(),
  generators.manifestSources(),
]);
const tools = docSources["TOOLS"] as readonly { name: string }[];
const unchanged = await documents(SETTINGS);

/** Everything that is made from the table, by name. */
async function documents(settings: Table): Promise<ReadonlyMap<string, string>> {
  const pages = await docPages({ ...docSources, SETTINGS: settings }, read);
  const sources = { ...manifestSources, settings: Object.values(settings) };
  const manifests = { ...manifestFiles(sources), "the bundle": bundleManifest(sources) };
  const texts = Object.entries(manifests).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const help = helpText("1.2.3", "/opt/tunnel-mcp.cjs", allSettings(settings));
  return new Map([["--help", help], ...Object.entries(pages), ...texts]);
}

/** The documents that are others because of a table; they must be `expected`. */
async function changedBy(settings: Table, expected: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const after = await documents(settings);
  expect([...after.keys()]).toEqual([...unchanged.keys()]);
  const changed = new Map([...after].filter(([name, text]) => text !== unchanged.get(name)));
  expect([...changed.keys()].toSorted()).toEqual(expected);
  return changed;
}

describe("every document follows the table", () => {
  it("in the default of a number, which the examples show, too", async () => {
    const changed = { ...SETTINGS, idleMinutes: { ...SETTINGS.idleMinutes, default: 47 } };
    const follow = await changedBy(changed, [
      "--help",
      "docs/SETTINGS.md",
      "docs/TOOLS.md",
      "server.json",
      "the bundle",
    ]);
    for (const name of ["--help", "docs/SETTINGS.md", "server.json", "the bundle"])
      expect(follow.get(name), name).toContain("47");
    expect(follow.get("docs/TOOLS.md")).toContain(`"idleEndsInSec": ${47 * 60}`);
    expect(defaultConfig(changed)).toEqual({ ...defaultConfig(), idleMinutes: 47 });
  });

  it("in the default of a choice, which an option of a command shows, too", async () => {
    const changed: Table = { ...SETTINGS, transport: { ...SETTINGS.transport, default: "direct" } };
    // The examples are of a tunnel through cloudflared whatever the default is.
    const follow = await changedBy(changed, [
      "--help",
      "docs/CLI.md",
      "docs/SETTINGS.md",
      "server.json",
      "the bundle",
    ]);
    expect(follow.get("docs/CLI.md")).toContain("direct (default)");
  });

  it("in a name, which the client that hands on only what is named must know", async () => {
    const changed: Table = { ...SETTINGS, name: { ...SETTINGS.name, variable: "TUNNEL_OTHER_NAME" } };
    const follow = await changedBy(changed, [
      "--help",
      ".codex-plugin/plugin.json",
      "docs/SETTINGS.md",
      "server.json",
      "the bundle",
    ]);
    for (const [name, text] of follow) expect(text, name).toContain("TUNNEL_OTHER_NAME");
  });
});

describe("docs/TOOLS.md", () => {
  it("cannot be made of a tool without an example", async () => {
    const unheardOf = { ...tools[0], name: "tunnel_unheard_of" };
    await expect(docPages({ ...docSources, TOOLS: [...tools, unheardOf] }, read)).rejects.toThrow(
      "no result of tunnel_unheard_of",
    );
  });

  it("shows an example result of every tool", () => {
    expect(tools.length).toBeGreaterThan(5);
    const page = read("docs/TOOLS.md");
    for (const { name } of tools) {
      const [, section = ""] = page.split(`\n## ${name}\n`);
      const [, example = ""] = /^Example result:\n\n```json\n(.*?)^```$/ms.exec(section) ?? [];
      expect(JSON.parse(example), name).toMatchObject({});
    }
  });
});

describe.each(allSettings().map((setting) => [setting.variable, setting] as const))("%s", (variable, one) => {
  it("is explained, with an accepted form", () => {
    expect(variable).toMatch(/^TUNNEL(?:_[A-Z]+)+$/);
    expect(one.help).toMatch(/^[^.]{10,}[^.]$/);
    expect(one.kind.accepted).toMatch(/^\S.*[^.]$/);
    // Defaults and choices are added to it: here they would be written twice.
    expect(one.help).not.toMatch(/default/);
  });

  it("is in --help and on the page of settings, once each", () => {
    const named = (text: string, row: RegExp): number => text.match(row)?.length ?? 0;
    expect(named(helpText("1.2.3", "/x.cjs"), new RegExp(`^  ${variable} +\\S`, "gm"))).toBe(1);
    expect(named(read("docs/SETTINGS.md"), new RegExp(`^\\| \`${variable}\` `, "gm"))).toBe(1);
  });

  it("takes its own default and choices", () => {
    const text = defaultText(one);
    if (text !== undefined) expect(one.kind.parse(text)).toEqual(one.default);
    for (const choice of one.kind.choices ?? []) expect(one.kind.parse(choice)).toBeDefined();
    expect(Object.keys(GROUPS)).toContain(one.group);
  });
});

/** In the `.env` of an Anthropic tunnel, for Docker Compose: nothing that this program is set by. */
const OF_COMPOSE = ["TUNNEL_TOKEN", "TUNNEL_DOMAIN"];

describe("the environment", () => {
  const files = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.split(path.sep).join("/"));
  const codeOf = (name: string): string =>
    read(`src/${name}`)
      .replaceAll(/\/\*.*?\*\//gs, "")
      .replaceAll(/\/\/.*$/gm, "");

  test("is taken from the process in one place", () => {
    expect(files.filter((name) => codeOf(name).includes("process.env"))).toEqual(["main.ts"]);
  });

  test("is not asked for a setting anywhere but through the table", () => {
    // The library runs in programs of others, without the command line and its table.
    expect(files.filter((name) => /env(?:\.|\[["'])TUNNEL_/.test(codeOf(name)))).toEqual([
      "library/expose.ts",
    ]);
    expect(codeOf("cli/env.ts")).not.toContain("TUNNEL_");
  });

  test("is spoken of in settings that exist", () => {
    const known = allSettings().map(({ variable }) => variable as string);
    const spoken = files.flatMap((name) => codeOf(name).match(/\bTUNNEL_[A-Z_]*[A-Z]\b/g) ?? []);
    expect(spoken.length).toBeGreaterThan(known.length);
    expect(spoken.filter((name) => !known.includes(name) && !OF_COMPOSE.includes(name))).toEqual([]);
  });
});
