import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { z } from "zod";
import { BUNDLE, NODE } from "./agent.ts";

const listening = z.looseObject({ event: z.literal("listening"), url: z.string(), admin: z.string() });

/** A relay as an operator runs it: a process of its own. It can be killed, ended and started again on its port. */
export class RelayProcess {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #admin = "";
  stderr = "";
  /** Of the last start. */
  stdout = "";
  /** Of the starts before. */
  readonly formerStdout: string[] = [];

  private constructor(port: number, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#args = args;
    this.#env = env;
  }

  static async start(
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<RelayProcess> {
    const relay = new RelayProcess(await freePort(), args, env);
    await relay.restart();
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Of its admin listener, since the last start. */
  get admin(): string {
    return this.#admin;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when it listens. */
  async restart(): Promise<void> {
    const args = [
      BUNDLE,
      "relay",
      "--listen",
      `127.0.0.1:${this.port}`,
      "--admin-listen",
      "127.0.0.1:0",
      ...this.#args,
    ];
    const child = spawn(NODE, args, {
      env: { ...getDefaultEnvironment(), ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stderr.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      if (this.stdout !== "") this.formerStdout.push(this.stdout);
      this.stdout = "";
      this.#admin = "";
      child.stdout.on("data", (chunk: Buffer) => {
        this.stdout += chunk.toString();
        if (this.#admin !== "" || !this.stdout.includes("\n")) return;
        const [line = ""] = this.stdout.split("\n");
        this.#admin = listening.safeParse(JSON.parse(line)).data?.admin ?? "";
        if (this.#admin !== "") resolve();
      });
      child.once("exit", (code) => reject(new Error(`the relay ended with ${code}: ${this.stderr}`)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** @returns the exit code; null where a signal ended it */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
