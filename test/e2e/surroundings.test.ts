import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, BUNDLE, closeAgents, NODE, pair, sandbox, type Sandbox } from "../support/agent.ts";

const POSIX = process.platform !== "win32";
const problemsSchema = z.looseObject({
  problems: z.array(z.strictObject({ code: z.string(), text: z.string(), next: z.string() })).default([]),
});

let boxes: Sandbox[] = [];
let clients: Client[] = [];
afterEach(async () => {
  await closeAgents();
  await Promise.all(clients.map((client) => client.close()));
  for (const box of boxes) box.remove();
  [boxes, clients] = [[], []];
});

async function problemsOf({ client }: Pick<Agent, "client">) {
  const { structuredContent } = await client.callTool({ name: "tunnel_status", arguments: {} });
  return problemsSchema.parse(structuredContent).problems;
}

/** A command of the program in a box of its own. */
function run(args: readonly string[], env: Record<string, string>) {
  const box = sandbox(env);
  boxes.push(box);
  return spawnSync(NODE, [BUNDLE, ...args], { env: box.env, cwd: box.root, encoding: "utf8", input: "" });
}

describe("a fault of the surroundings stops no start, and stands in problems", () => {
  it("a missing folder in TUNNEL_SAVE_ROOTS, which is used once it is there, and is named by the call it touches", async () => {
    const box = sandbox();
    boxes.push(box);
    const later = join(box.root, "later");
    const agent = await Agent.start({ TUNNEL_SAVE_ROOTS: later });
    const guest = await Agent.start({ TUNNEL_SHARE_ROOTS: box.root });
    const missing = {
      code: "root-missing",
      text: expect.stringContaining(`TUNNEL_SAVE_ROOTS names ${later}`),
    };
    expect(await problemsOf(agent)).toMatchObject([missing]);
    await pair(agent, guest);
    const shared = join(box.root, "a.txt");
    writeFileSync(shared, "hello");
    await guest.call("tunnel_share", { path: shared });
    const heard = await agent.call("tunnel_listen", { timeoutMs: 5_000, limit: 50 });
    const offered = [...(heard.messages ?? [])].find(({ kind }) => kind === "file");
    const wanted = { fileId: offered?.fileId, savePath: join(later, "a.txt") };
    expect(await agent.refused("tunnel_receive", wanted)).toMatchObject({
      code: "root-missing",
      message: expect.stringContaining(later),
    });
    mkdirSync(later);
    expect(await agent.call("tunnel_receive", wanted)).toMatchObject({ status: "received" });
    expect(await problemsOf(agent)).toEqual([]);
  });

  it.skipIf(!POSIX)("a working directory that was deleted before the start", async () => {
    const box = sandbox();
    boxes.push(box);
    const transport = new StdioClientTransport({
      command: "sh",
      args: ["-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh", NODE, BUNDLE],
      env: box.env,
      cwd: box.root,
    });
    const client = new Client({ name: "e2e", version: "0" });
    clients.push(client);
    await client.connect(transport);
    expect(await problemsOf({ client })).toMatchObject([{ code: "working-directory-gone" }]);
    const opened = await client.callTool({ name: "tunnel_open", arguments: { goal: "go on" } });
    expect(opened.structuredContent).toMatchObject({ status: "waiting_for_members" });
    const saving = await client.callTool({ name: "tunnel_status", arguments: { saveTranscript: "talk" } });
    expect(saving.structuredContent).toMatchObject({ error: { code: "working-directory-gone" } });
  });

  it.skipIf(!POSIX)(
    "a working directory, a home and a runtime folder that are removed while it runs",
    async () => {
      const host = await Agent.start();
      const guest = await Agent.start();
      await pair(host, guest);
      rmSync(guest.box.root, { recursive: true });
      const codes = (await problemsOf(guest)).map(({ code }) => code);
      expect(codes).toContain("working-directory-gone");
      expect(codes).toContain("temp-unusable");
      await guest.call("tunnel_say", { text: "still here" });
      expect((await host.hear()).map(({ text }) => text)).toEqual([expect.stringContaining("still here")]);
      for (const args of [{ path: "a.txt" }, { patch: true }])
        expect(await guest.refused("tunnel_share", args), JSON.stringify(args)).toMatchObject({
          code: "working-directory-gone",
        });
    },
  );

  it.skipIf(!POSIX)(
    "a runtime folder that is removed while it runs is made anew, and the command wake works again",
    async () => {
      const agent = await Agent.start();
      await agent.call("tunnel_open", { goal: "be found" });
      const folders = () =>
        readdirSync(join(agent.box.root, "tmp")).filter((name) => /^tunnel-mcp-\d+$/.test(name));
      await expect.poll(folders).toHaveLength(1);
      const folder = join(agent.box.root, "tmp", folders()[0] ?? "");
      rmSync(folder, { recursive: true });
      expect(await problemsOf(agent)).toEqual([]);
      expect(existsSync(join(folder, `${agent.pid}.json`))).toBe(true);
      const exported = execFileSync(NODE, [BUNDLE, "export"], {
        env: agent.box.env,
        cwd: agent.box.root,
        encoding: "utf8",
      });
      expect(exported).toContain("be found");
    },
  );

  it("a name that is none, an unknown variable, no home and no folder for temporary files", async () => {
    const agent = await Agent.start({
      TUNNEL_NAME: "\u202Eana",
      TUNNEL_STANBY: "s3cret",
      TUNNEL_TRANSPORT: "cloudflared",
      HOME: join("/", "no", "home"),
      USERPROFILE: join("/", "no", "home"),
      XDG_CACHE_HOME: "",
      LOCALAPPDATA: "",
      XDG_RUNTIME_DIR: "not/absolute",
      TMPDIR: join("/", "no", "tmp"),
      TEMP: join("/", "no", "tmp"),
      TMP: join("/", "no", "tmp"),
    });
    const problems = await problemsOf(agent);
    const codes = ["setting-ignored", "setting-unknown", "home-unusable", "temp-unusable"];
    expect(problems.map(({ code }) => code)).toEqual(codes);
    expect(problems[1]?.text).toContain("TUNNEL_STANBY; the nearest one is TUNNEL_STANDBY");
    expect(JSON.stringify(problems)).not.toContain("s3cret");
    for (const { next } of problems) expect(next).toMatch(/[.]$/);
    expect(await agent.call("tunnel_open", { goal: "all the same", transport: "direct" })).toMatchObject({
      status: "waiting_for_members",
    });
  });

  it("is a warning line of the commands for people, which go on", () => {
    for (const args of [
      ["open", "--goal", "x", "--json"],
      ["join", "nonsense"],
    ]) {
      const { stderr } = run(args, { TUNNEL_NAME: "\u202Eana", TUNNEL_SAVE_ROOTS: join("/", "no", "roots") });
      expect(stderr).toMatch(/^tunnel-mcp: warning: .*TUNNEL_NAME must be 1 to 64 characters/m);
      expect(stderr).toMatch(/^tunnel-mcp: warning: .*TUNNEL_SAVE_ROOTS names /m);
    }
  });

  it("but a bad value of a setting that bounds something stops it, with name and form", () => {
    for (const [name, form] of [
      ["TUNNEL_BIND", "an IP address"],
      ["TUNNEL_IDLE_MINUTES", "a whole number from 1 to 1440"],
      ["TUNNEL_SHARE_ROOTS", "absolute paths of folders"],
      ["TUNNEL_CONTEXT", "on or off"],
    ] as const) {
      const { status, stderr } = run([], { [name]: "s3cret" });
      expect(status, name).toBe(2);
      expect(stderr).toContain(`${name} must be ${form}`);
      expect(stderr).not.toContain("s3cret");
    }
  });
});
