import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { accepts, until } from "../support/processes.ts";
import { program } from "../realservices/programs.ts";

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}

/** One real nats-server, which can be killed and started again with what it has on its disk. */
export class NatsServer {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  output = "";

  constructor(port: number, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.port = port;
    this.#args = args;
    this.#env = { ...process.env, ...env };
  }

  async start(): Promise<void> {
    const child = spawn(program("nats-server"), this.#args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: this.#env,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    await until(`nats-server listens: ${this.output.slice(-500)}`, () => accepts(this.port));
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}

/** A cluster of servers, with JetStream on their disks. */
export class NatsCluster {
  readonly servers: readonly NatsServer[];
  readonly #folder: string;

  private constructor(folder: string, servers: readonly NatsServer[]) {
    this.#folder = folder;
    this.servers = servers;
  }

  /** @param options more for each server */
  static async start(count: number, options: readonly string[] = ["-js"]): Promise<NatsCluster> {
    const folder = mkdtempSync(path.join(tmpdir(), "nats-test-"));
    const ports = await freePorts(2 * count);
    const routes = ports.slice(count).map((port) => `nats://127.0.0.1:${port}`);
    const servers = ports.slice(0, count).map((port, index) => {
      const own = [
        "-a",
        "127.0.0.1",
        "-p",
        String(port),
        "-n",
        `s${index}`,
        "-sd",
        path.join(folder, `s${index}`),
      ];
      const joined = [
        "--cluster_name",
        "test",
        "--cluster",
        routes[index] ?? "",
        "--routes",
        routes.join(","),
        // Nodes know the servers that they are told, and go round no gate of a test.
        "--no_advertise",
      ];
      return new NatsServer(port, [...options, ...own, ...(count > 1 ? joined : [])]);
    });
    const cluster = new NatsCluster(folder, servers);
    await Promise.all(servers.map((server) => server.start()));
    return cluster;
  }

  /** As `--cluster` takes it. */
  get url(): string {
    return this.servers.map(({ port }) => `nats://127.0.0.1:${port}`).join(",");
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
