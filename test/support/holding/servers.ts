import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { lineReader } from "../../../src/children/lines.ts";
import { atEnd } from "../at-end.ts";
import { completeLines } from "../lines.ts";
import { gone, isRunning, until } from "../processes.ts";
import { standIn } from "../tunnels/stand-in.ts";
import type { ServerOptions } from "./server.ts";

const processSchema = z.object({ pid: z.number(), start: z.string() });
const careSchema = z.object({ server: processSchema, caretaker: processSchema });
const reportSchema = z.object({
  state: z.string(),
  urls: z.array(z.string()).default([]),
  port: z.number().default(0),
  held: z
    .object({ port: z.number(), child: z.object({ guard: processSchema, child: processSchema }) })
    .optional(),
});
const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });

let bundle: string | undefined;

/** server.ts as a program; once for all tests of a process. */
function program(): string {
  if (bundle !== undefined) return bundle;
  const folder = mkdtempSync(join(tmpdir(), "tunnel-holding-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  bundle = join(folder, "server.mjs");
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const esbuild = at("../../../node_modules/esbuild/bin/esbuild");
  execFileSync(process.execPath, [
    esbuild,
    at("server.ts"),
    "--bundle",
    "--platform=node",
    "--format=esm",
    // Modules of Node that are required inside a bundle.
    "--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    "--log-level=error",
    `--outfile=${bundle}`,
  ]);
  return bundle;
}

/** A folder of a stay, the records beside it, and everything that was started for it. */
export class World {
  readonly root = mkdtempSync(join(tmpdir(), "tunnel-held-"));
  readonly stay = join(this.root, "stay");
  readonly records = join(this.root, "records");
  readonly #cloudflared: string;
  readonly #servers: ChildProcess[] = [];
  /** Every caretaker that was seen. */
  readonly caretakers = new Set<number>();

  constructor(settings: Readonly<Record<string, string>> = {}) {
    mkdirSync(this.stay, { mode: 0o700 });
    this.#cloudflared = standIn(this.root, { FAKE_CF_STATE: join(this.root, "state"), ...settings });
    atEnd(() => this.#end());
  }

  /** Starts a server, and resolves with what it says of itself. */
  async server(options: Partial<ServerOptions> = {}): Promise<Server> {
    const { stay, records } = this;
    const all = { stay, records, cloudflared: this.#cloudflared, keptMs: 60_000, ...options };
    const running = spawn(process.execPath, [program(), JSON.stringify(all)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"] ?? "", TMPDIR: this.root },
    });
    this.#servers.push(running);
    running.stdin.on("error", () => undefined);
    const server = new Server(running);
    await until("the server has spoken", () => server.reports.length > 0 || server.isGone);
    return server;
  }

  /** Every start of the stand-in. */
  starts(): z.infer<typeof startSchema>[] {
    return completeLines(join(this.root, "state")).map((line) => startSchema.parse(JSON.parse(line)));
  }

  get running(): number[] {
    return this.starts()
      .map(({ pid }) => pid)
      .filter(isRunning);
  }

  /** The records of children and of their caretaker. */
  careNames(): string[] {
    return readdirSync(this.stay).filter((name) => name.startsWith("care-"));
  }

  /** The caretaker of the stay by its record. */
  caretaker(): number {
    const [name = ""] = this.careNames();
    const { caretaker } = careSchema.parse(JSON.parse(readFileSync(join(this.stay, name), "utf8")));
    this.caretakers.add(caretaker.pid);
    return caretaker.pid;
  }

  /** One visit to the public address: the number of the server that has answered, or the status, or why none came. */
  visit(url: string, limitMs = 2_000): Promise<string> {
    const found = this.starts().findLast(({ host }) => url === `wss://${host}`);
    return new Promise((resolve) => {
      if (found === undefined) return resolve("no such address");
      const request = get({
        port: found.proxyPort,
        host: "127.0.0.1",
        path: "/who",
        agent: false,
        timeout: limitMs,
      });
      request.once("response", (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => void (body += text));
        // Its status and no page where it is an error of the edge.
        response.once("end", () => resolve(/^\d+$/.test(body) ? body : String(response.statusCode)));
      });
      request.once("timeout", () => request.destroy(new Error("timeout")));
      request.once("error", (error) => resolve(error.message));
    });
  }

  async #end(): Promise<void> {
    for (const server of this.#servers) server.kill("SIGKILL");
    for (const pid of this.running) process.kill(pid, "SIGKILL");
    for (const pid of this.caretakers) if (isRunning(pid)) process.kill(-pid, "SIGKILL");
    await until("nothing of it runs", () => this.running.length === 0);
    rmSync(this.root, { recursive: true, force: true });
  }
}

export class Server {
  readonly pid: number;
  /** All that it has said of itself, in order. */
  readonly reports: z.infer<typeof reportSchema>[] = [];
  readonly #process: ChildProcess;

  constructor(running: ChildProcess) {
    this.#process = running;
    this.pid = running.pid ?? 0;
    const lines = lineReader((line) => {
      if (line !== "") this.reports.push(reportSchema.parse(JSON.parse(line)));
    });
    running.stdout?.setEncoding("utf8").on("data", (text: string) => lines.read(text));
  }

  get isGone(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get latest(): z.infer<typeof reportSchema> {
    return this.reports.at(-1) ?? { state: "dead", urls: [], port: 0 };
  }

  get state(): string {
    return this.latest.state;
  }

  get port(): number {
    return this.latest.port;
  }

  get url(): string {
    return this.latest.urls[0] ?? "";
  }

  get cloudflared(): number {
    return this.latest.held?.child.child.pid ?? 0;
  }

  get guard(): number {
    return this.latest.held?.child.guard.pid ?? 0;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#process.kill(signal);
    await gone(this.pid);
  }

  /** As a client that ends it. */
  async leave(): Promise<void> {
    this.#process.stdin?.end();
    await gone(this.pid);
  }

  /** Ends it in order with all that it has, or by a mistake in it. */
  async close(how: "close" | "exit" = "close"): Promise<void> {
    this.#process.stdin?.write(`${how}\n`);
    await gone(this.pid);
  }
}
