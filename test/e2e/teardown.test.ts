import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { BUNDLE, NODE, portOf, sandbox, type Sandbox } from "../support/agent.ts";
import { completeLines } from "../support/lines.ts";
import { accepts, gone, isRunning, until } from "../support/processes.ts";
import { standIn } from "../support/tunnels/stand-in.ts";

const CLIENT = fileURLToPath(new URL("../support/doomed-client.mjs", import.meta.url));
const POSIX = process.platform !== "win32";
const startSchema = z.object({
  pid: z.number(),
  metricsPort: z.number(),
  proxyPort: z.number(),
  args: z.array(z.string()),
});

let boxes: Sandbox[] = [];
let children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const box of boxes) box.remove();
  boxes = [];
  children = [];
});

function cloudflaredBox(mode = "ok"): { box: Sandbox; state: string } {
  const box = sandbox();
  boxes.push(box);
  const state = join(box.root, "state");
  Object.assign(box.env, {
    TUNNEL_TRANSPORT: "cloudflared",
    TUNNEL_CLOUDFLARED: standIn(box.root, { FAKE_CF_STATE: state, FAKE_CF_MODE: mode }),
    TUNNEL_SKIP_REACHABILITY_CHECK: "1",
  });
  return { box, state };
}

function starts(state: string): z.infer<typeof startSchema>[] {
  return completeLines(state).map((line) => startSchema.parse(JSON.parse(line)));
}

const localPort = (start: { args: string[] }): number =>
  Number(new URL(start.args[start.args.indexOf("--url") + 1] ?? "").port);

interface Server {
  readonly child: ChildProcess;
  readonly lines: string[];
  stderr(): string;
  send(message: object): void;
  answer(id: number): Promise<Record<string, unknown>>;
}

/** The server over bare pipes, so that everything it writes is seen. */
function serve(box: Sandbox): Server {
  const child = spawn(NODE, [BUNDLE], { env: box.env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  const lines: string[] = [];
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const send = (message: object): void =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  send({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bare", version: "0" } },
  });
  send({ method: "notifications/initialized" });
  return {
    child,
    lines,
    stderr: () => stderr,
    send,
    async answer(id) {
      const found = (): string | undefined => lines.find((line) => line.includes(`"id":${id}`));
      await until(`an answer to ${id}`, () => found() !== undefined);
      return z.record(z.string(), z.unknown()).parse(JSON.parse(found() ?? ""));
    },
  };
}

const open = (id: number): object => ({
  id,
  method: "tools/call",
  params: { name: "tunnel_open", arguments: { goal: "to be torn down" } },
});

describe("the end of a server", () => {
  const ends: [string, (server: Server) => void][] = [
    ["stdin ends", ({ child }) => child.stdin?.end()],
    ...(["SIGTERM", "SIGINT", "SIGHUP"] as const).map((signal): [string, (server: Server) => void] => [
      signal,
      ({ child }) => void child.kill(signal),
    ]),
  ];
  it.each(POSIX ? ends : ends.slice(0, 1))("%s: no process, no port, no file is left", async (_, end) => {
    const { box, state } = cloudflaredBox();
    const server = serve(box);
    const exited = once(server.child, "exit");
    server.send(open(2));
    await server.answer(2);
    const [start] = starts(state);
    const port = localPort(start ?? { args: [] });
    expect(await accepts(port)).toBe(true);
    // The folder of cloudflared, and that of the local endpoint.
    await until("both are there", () => box.left().length === 2);
    end(server);
    expect(await exited).toEqual([0, null]);
    await gone(start?.pid ?? 0);
    await until("nothing listens any more", async () => !(await accepts(port)));
    expect(box.left()).toEqual([]);
    expect(server.stderr()).toBe("");
    // Whatever stands on standard output is JSON-RPC.
    const versions = server.lines.map((line) => (JSON.parse(line) as { jsonrpc: string }).jsonrpc);
    expect(versions.length).toBeGreaterThanOrEqual(2);
    expect(new Set(versions)).toEqual(new Set(["2.0"]));
  });

  it("in the middle of an opening", async () => {
    const { box, state } = cloudflaredBox("never-ready");
    const server = serve(box);
    const exited = once(server.child, "exit");
    server.send(open(2));
    await until("cloudflared has started", () => starts(state).length === 1);
    const [start] = starts(state);
    server.child.stdin?.end();
    expect(await exited).toEqual([0, null]);
    await gone(start?.pid ?? 0);
    await until("nothing listens any more", async () => !(await accepts(localPort(start ?? { args: [] }))));
    expect(box.left()).toEqual([]);
  });

  it("before it was ever used", async () => {
    const box = sandbox();
    boxes.push(box);
    const server = serve(box);
    await server.answer(1);
    const exited = once(server.child, "exit");
    server.child.stdin?.end();
    expect(await exited).toEqual([0, null]);
    expect([server.stderr(), box.left()]).toEqual(["", []]);
  });

  it("a client that has stopped reading cannot keep it alive", async () => {
    const box = sandbox();
    boxes.push(box);
    const child = spawn(NODE, [BUNDLE], { env: box.env, stdio: ["pipe", "pipe", "pipe"] });
    children.push(child);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const exited = once(child, "exit");
    const send = (message: object): void =>
      void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const clientInfo = { name: "deaf", version: "0" };
    send({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
    });
    // Far more than a pipe holds, and nobody takes it out.
    for (let id = 2; id < 200; id += 1) send({ id, method: "tools/list" });
    child.stdin.end();
    expect(await exited).toEqual([0, null]);
    expect(stderr).toBe("");
  });

  it("a cancelled opening leaves nothing, and the server goes on", async () => {
    const { box, state } = cloudflaredBox("never-ready");
    const server = serve(box);
    server.send(open(2));
    await until("cloudflared has started", () => starts(state).length === 1);
    server.send({ method: "notifications/cancelled", params: { requestId: 2 } });
    const [start] = starts(state);
    await gone(start?.pid ?? 0);
    await until("the directory is gone", () => box.left().length === 0);
    await until("nothing listens any more", async () => !(await accepts(localPort(start ?? { args: [] }))));
    server.send({ id: 3, method: "tools/call", params: { name: "tunnel_status", arguments: {} } });
    expect(await server.answer(3)).toMatchObject({ result: { structuredContent: { status: "idle" } } });
    expect(server.lines.some((line) => line.includes('"id":2'))).toBe(false);
  });
});

describe.skipIf(!POSIX)("kill -9 of the client", () => {
  const reportSchema = z.object({ server: z.number(), holder: z.number().optional(), joinLink: z.string() });
  it.each([
    ["closes the pipe", ""],
    ["while another process holds the pipe open", "1"],
  ])("%s: the server, its cloudflared and its files go, too", async (_, hold) => {
    const { box, state } = cloudflaredBox();
    const client = spawn(NODE, [CLIENT, BUNDLE], {
      env: { ...box.env, HOLD: hold },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(client);
    const [line] = (await once(createInterface({ input: client.stdout }), "line")) as [string];
    const { server, holder, joinLink } = reportSchema.parse(JSON.parse(line));
    expect(joinLink).toContain("trycloudflare.com");
    expect(portOf(joinLink)).toBeNaN();
    const [start] = starts(state);
    expect([server, start?.pid ?? 0].map(isRunning)).toEqual([true, true]);
    client.kill("SIGKILL");
    await gone(server);
    await gone(start?.pid ?? 0);
    await until("nothing listens any more", async () => !(await accepts(localPort(start ?? { args: [] }))));
    expect(box.left()).toEqual([]);
    if (holder !== undefined) process.kill(holder, "SIGKILL");
  });
});
