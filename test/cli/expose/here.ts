import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadExposures } from "../../../src/app/reaching/exposing.ts";
import { loadSessions } from "../../../src/app/sessions.ts";
import { parseCommand } from "../../../src/cli/args.ts";
import { readConfig } from "../../../src/cli/env.ts";
import { expose, type ExposeOptions } from "../../../src/cli/expose/expose.ts";
import { LazyExposures } from "../../../src/expose/exposures/lazy-exposures.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { until } from "../../support/processes.ts";
import { recorder } from "../support.ts";

/** A place of its own in which things are exposed for real, at addresses of this machine. */
export class Here {
  readonly root = realpathSync(mkdtempSync(path.join(tmpdir(), "x-")));
  readonly env: Readonly<Record<string, string>>;
  readonly exposures: LazyExposures;
  readonly #services: Server[] = [];
  readonly #sessions: ReturnType<typeof loadSessions>;

  constructor(settings: Readonly<Record<string, string>> = {}) {
    const { root } = this;
    this.env = { TUNNEL_TRANSPORT: "direct", XDG_RUNTIME_DIR: root, TMPDIR: root, HOME: root, ...settings };
    const base = { config: readConfig(this.env).config, clock, env: this.env, cwd: root, home: root };
    const sessions = loadSessions(base);
    this.#sessions = sessions;
    this.exposures = new LazyExposures(() => Promise.resolve(loadExposures({ ...base, sessions })));
  }

  get sessions(): ReturnType<typeof loadSessions> {
    return this.#sessions;
  }

  /** A service of this machine. @returns its port */
  async service(answer: RequestListener): Promise<number> {
    const server = createServer(answer);
    this.#services.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** What was typed, at a terminal or, without one, in a pipe. */
  run(words: readonly string[], over: Partial<ExposeOptions> = {}, terminal = new FakeTerminal(100)): Run {
    const command = parseCommand(["expose", ...words]);
    if (command.kind !== "expose") throw new Error(JSON.stringify(command));
    const output = recorder();
    const hooks: (() => Promise<void>)[] = [];
    const code = expose({
      command,
      exposures: () => this.exposures.get(),
      isConsented: true,
      clock,
      platform: "linux",
      output,
      input: terminal.input,
      terminal,
      isInteractive: true,
      showsCodes: true,
      outputLost: new Promise(() => undefined),
      onShutdown: (hook) => void hooks.push(hook),
      exitNow: () => undefined,
      ...over,
    });
    return new Run(terminal, output, code, hooks);
  }

  async close(): Promise<void> {
    await this.exposures.shutDown();
    await this.#sessions.shutDown();
    for (const service of this.#services) {
      service.closeAllConnections();
      service.close();
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The command while it runs. */
export class Run {
  readonly terminal: FakeTerminal;
  readonly output: ReturnType<typeof recorder>;
  readonly code: Promise<0 | 1 | 2>;
  readonly #hooks: readonly (() => Promise<void>)[];

  constructor(
    terminal: FakeTerminal,
    output: ReturnType<typeof recorder>,
    code: Promise<0 | 1 | 2>,
    hooks: readonly (() => Promise<void>)[],
  ) {
    this.terminal = terminal;
    this.output = output;
    this.code = code;
    this.#hooks = hooks;
  }

  /** What stands on the screen, and what went to a pipe. */
  get text(): string {
    return `${this.terminal.rows.join("\n")}\n${this.output.stdout()}`;
  }

  async shows(what: string | RegExp): Promise<string> {
    const found = (): boolean => (typeof what === "string" ? this.text.includes(what) : what.test(this.text));
    await until(`shown: ${what}\n${this.text}\n${this.output.stderr()}`, found, 15_000).catch(() => {
      throw new Error(`not shown: ${what}\n${this.text}\n${this.output.stderr()}`);
    });
    return this.text;
  }

  /** The public address. */
  async url(): Promise<string> {
    await this.shows(/is open at \S+/);
    return /is open at (\S+)/.exec(this.text)?.[1] ?? "";
  }

  /** The last claim link. */
  get link(): string {
    return [...this.text.matchAll(/\S+\/\.tunnel\/claim#[\w-]+/g)].at(-1)?.[0] ?? "";
  }

  /** The header for scripts. */
  get token(): Record<string, string> {
    const [, name = "", value = ""] = /-H '([\w-]+): ([\w-]+)'/.exec(this.text) ?? [];
    return { [name]: value };
  }

  type(line: string): void {
    this.terminal.type(`${line}\r`);
  }

  /** As a signal does. */
  async shutDown(): Promise<void> {
    for (const hook of this.#hooks.toReversed()) await hook();
  }
}

/** Uses a link as a browser does. @returns the cookie that lets it in */
export async function claim(link: string): Promise<string> {
  const { origin, pathname, hash } = new URL(link);
  const answer = await fetch(`${origin}${pathname}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", Origin: origin },
    body: new URLSearchParams({ claim: hash.slice(1) }),
    redirect: "manual",
  });
  await answer.arrayBuffer();
  return answer.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
}
