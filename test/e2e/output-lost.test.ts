import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  BUNDLE,
  closeOtherSide,
  NODE,
  otherSide,
  sandbox,
  unfenced,
  type Sandbox,
} from "../support/agent.ts";
import { transcriptOf } from "../support/transcripts.ts";
import { toJson } from "../../src/session/transcript/document.ts";
import { World } from "../support/wire.ts";

const FULL = "/dev/full";

let boxes: Sandbox[] = [];
let children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const box of boxes) box.remove();
  [boxes, children] = [[], []];
});
afterAll(closeOtherSide);

/** A home in which nothing but Cursor is installed, and which is not the folder for temporary files. */
function home(): Sandbox & { readonly home: string } {
  const box = sandbox();
  boxes.push(box);
  const folder = join(box.root, "home");
  mkdirSync(join(folder, ".cursor"), { recursive: true });
  writeFileSync(join(folder, ".cursor", "mcp.json"), "{}\n");
  const elsewhere = {
    HOME: folder,
    USERPROFILE: folder,
    PATH: "",
    TMPDIR: folder,
    TEMP: folder,
    TMP: folder,
  };
  Object.assign(box.env, elsewhere);
  return { ...box, home: folder };
}

/** The command with an output that nobody reads. */
async function unread(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): Promise<{ code: unknown; stderr: string }> {
  const child = spawn(NODE, [BUNDLE, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  if (input !== undefined) child.stdin.end(input);
  const [code]: unknown[] = await once(child, "exit");
  return { code, stderr };
}

function transcriptIn(folder: string): string {
  const world = new World();
  const file = join(folder, "a.transcript.json");
  writeFileSync(file, toJson(transcriptOf(world, "host")));
  return file;
}

describe("a closed output", () => {
  it("does not keep setup from finishing what it was told to do", async () => {
    const { home: folder, env } = home();
    expect(await unread(["setup", "--yes"], env)).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(join(folder, ".cursor", "mcp.json"), "utf8")).toContain(JSON.stringify(BUNDLE));
    expect(existsSync(join(folder, ".cursor", "skills", "tunnel-etiquette", "SKILL.md"))).toBe(true);
    expect(await unread(["setup", "--remove", "--yes"], env)).toEqual({ code: 0, stderr: "" });
    expect(existsSync(join(folder, ".cursor", "skills", "tunnel-etiquette"))).toBe(false);
  });

  it("does not keep install-skill, or export into a file, from finishing", async () => {
    const { home: folder, env, root } = home();
    expect(await unread(["install-skill"], env)).toEqual({ code: 0, stderr: "" });
    expect(existsSync(join(folder, ".claude", "skills", "tunnel-etiquette", "SKILL.md"))).toBe(true);
    const out = join(root, "a.md");
    expect(await unread(["export", transcriptIn(root), "--out", out], env)).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(out, "utf8")).toContain("align the API");
  });

  it("does not keep a script's chat from saying what it has to say", async () => {
    const ana = await otherSide();
    const { joinLink } = await ana.call("tunnel_open", { goal: "align", name: "ana" });
    const { env } = home();
    const input = `${joinLink}\n{"say":"one"}\n{"say":"two"}\n`;
    expect(await unread(["join", "--json", "--name", "script"], env, input)).toEqual({ code: 0, stderr: "" });
    const said = await ana.hear(2);
    expect(said.map(({ text }) => unfenced(text))).toEqual(["one", "two"]);
  });

  it("is quiet for what only prints, whose code still tells of the result", async () => {
    const { env, root } = home();
    for (const args of [["--help"], ["--version"], ["setup", "--print"], ["verify", transcriptIn(root)]])
      expect(await unread(args, env)).toEqual({ code: 0, stderr: "" });
    writeFileSync(join(root, "b.json"), "{}");
    expect((await unread(["verify", join(root, "b.json")], env)).code).toBe(1);
  });

  it("ends what would print for long", async () => {
    const { env } = home();
    expect(await unread(["demo"], env)).toEqual({ code: 141, stderr: "" });
  });
});

describe.skipIf(!existsSync(FULL))(
  "an output that cannot be written (where the system has /dev/full)",
  () => {
    function full(args: readonly string[], env: Readonly<Record<string, string>>) {
      const output = openSync(FULL, "w");
      const result = spawnSync(NODE, [BUNDLE, ...args], {
        env,
        stdio: ["ignore", output, "pipe"],
        encoding: "utf8",
      });
      closeSync(output);
      return { code: result.status, stderr: result.stderr };
    }
    const told = {
      code: 1,
      stderr:
        "tunnel-mcp: the output cannot be written (ENOSPC)\n  Send it to another place, then run it again.\n",
    };

    it("is an error of what prints, with its reason", () => {
      const { env, root } = home();
      const file = transcriptIn(root);
      for (const args of [["--help"], ["verify", file], ["export", file], ["demo"], ["setup", "--print"]])
        expect([args, full(args, env)]).toEqual([args, told]);
    });

    it("is told by what acts, after it has finished", () => {
      const { home: folder, env } = home();
      expect(full(["setup", "--yes"], env)).toEqual(told);
      expect(existsSync(join(folder, ".cursor", "mcp.json"))).toBe(true);
    });
  },
);
