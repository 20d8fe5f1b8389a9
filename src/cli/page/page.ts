import { userInfo } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { PAGE_FILE, readAssets } from "../../page/server/assets.ts";
import { browserOf, openBrowser, surroundings, type Browser } from "../../page/server/opening.ts";
import { PageServer, type PageOptions } from "../../page/server/server.ts";
import type { Clock } from "../../runtime/clock.ts";
import { nodePrimitives } from "../../runtime/primitives.ts";
import { agentShell } from "../io/agent-shell.ts";
import type { Environment } from "../io/environment.ts";
import { paintFor, type Output } from "../io/output.ts";
import { stayAlive } from "../io/stay.ts";

export interface PageCommandOptions {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  readonly kept?: NonNullable<PageOptions["kept"]>;
  readonly output: Output;
  /** The path of the running program, beside which its page lies. */
  readonly bundle: string;
  readonly input: NodeJS.ReadableStream;
  /** A terminal on both sides. */
  readonly isInteractive: boolean;
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

/** A page that stands, until its person ends it in the terminal. */
export interface ShownPage {
  /** Somebody has come in by an address. */
  readonly opened: Promise<void>;
  /** The terminal is closed, or Ctrl-C was pressed. */
  readonly left: Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Serves the page of a person, until they end it here. Its address is told at this terminal alone.
 * @throws {TunnelError} page-no-terminal, page-in-agent, page-no-port, page-missing
 */
export async function page(options: PageCommandOptions): Promise<0> {
  return untilLeft(await showPage(options));
}

/**
 * Shows the page of this user's tunnels, and another address for each Enter.
 * @throws {TunnelError} page-no-terminal, page-in-agent, page-no-port, page-missing
 */
export async function showPage(options: PageCommandOptions): Promise<ShownPage> {
  const client = agentShell(options.env);
  if (client !== undefined)
    throw new TunnelError("page-in-agent", { detail: `this looks like the shell of ${client}` });
  if (!options.isInteractive) throw new TunnelError("page-no-terminal");
  return startPage(options, { title: "The page of your tunnels." });
}

interface Shown {
  /** A sentence: what the page shows. */
  readonly title: string;
  /** Somebody who only reads along sees what this tells; all servers of this user where left out. */
  readonly observed?: PageOptions["observed"];
}

/** Serves a page until it is ended here. @throws {TunnelError} page-no-port, page-missing */
export async function servePage(options: PageCommandOptions, shown: Shown): Promise<0> {
  return untilLeft(await startPage(options, shown));
}

async function untilLeft({ left, close }: ShownPage): Promise<0> {
  await left;
  await close();
  return 0;
}

async function startPage(options: PageCommandOptions, shown: Shown): Promise<ShownPage> {
  const { env, platform, input } = options;
  const { observed } = shown;
  const browser = browserOf(surroundings(env, platform));
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const server = await PageServer.open({
    ...options,
    ...(observed === undefined ? {} : { observed }),
    primitives: nodePrimitives,
    assets: await readAssets(path.join(path.dirname(options.bundle), PAGE_FILE)),
    isBrowserHere: browser.at === "here",
    onNews: (news) => {
      if (news === "opened") open();
      told(news, server, options.output);
    },
  });
  const leave = stayAlive();
  const lines = createInterface({ input, crlfDelay: Infinity });
  const close = async (): Promise<void> => {
    lines.close();
    await server.close();
    leave();
  };
  const left = new Promise<void>((resolve) => {
    lines.once("close", resolve);
    options.onShutdown(close);
  });
  const offerOne = (): Promise<void> => offer(server, browser, options, shown.title);
  lines.on("line", () => void offerOne());
  if (browser.at === "here" || browser.open !== undefined) await offerOne();
  else options.output.out(`${wayText(browser, server)}\nThen press Enter here for the address.\n`);
  return { opened, left, close };
}

/** A new address, opened where that is possible. */
async function offer(
  server: PageServer,
  browser: Browser,
  { output, env }: PageCommandOptions,
  title: string,
): Promise<void> {
  const url = server.newUrl();
  const paint = paintFor(output.color);
  output.out(
    `${title} This address works once, within a minute, and is a secret:\n\n  ${paint.bold(url)}\n\n`,
  );
  const isOpen = browser.open !== undefined && (await openBrowser(browser.open, url, env));
  const opened = isOpen ? "It was opened in your browser. " : "Open it in your browser. ";
  output.out(`${opened}Press Enter for another address, Ctrl-C to end the page.\n`);
}

/** How a browser that is elsewhere gets to the page. */
function wayText(browser: Browser, { place }: PageServer): string {
  const { port } = place;
  switch (browser.at) {
    case "ssh": {
      const machine = browser.machine ?? "THIS-MACHINE";
      return [
        "Your browser is at the other end of an SSH connection. In a terminal there, type:",
        "",
        `  ssh -L ${port}:127.0.0.1:${port} ${userInfo().username}@${machine}`,
        "",
      ].join("\n");
    }
    case "container":
      return [
        `This is a container, and a browser reaches its port ${port} only if your editor forwards it, or by SSH:`,
        "",
        `  ssh -L ${port}:127.0.0.1:${port} USER@CONTAINER`,
        "",
        "Where neither works, type tunnel-mcp watch in this terminal instead.",
      ].join("\n");
    case "near":
    case "here":
      return "Open the page in a browser of this machine.";
  }
}

function told(news: "opened" | "left" | "used-twice", server: PageServer, output: Output): void {
  const paint = paintFor(output.color);
  switch (news) {
    case "opened":
      return output.out(`A page was opened: ${server.tabs} in all.\n`);
    case "left":
      return output.out(`A page was left: ${server.tabs} in all.\n`);
    case "used-twice":
      return output.out(
        `${paint.red("An address was used a second time, so somebody else may have seen it. Its page is shut.")}\nPress Enter for a new address.\n`,
      );
  }
}
