import { existsSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import {
  DOMAIN,
  IMAGES,
  isPinned,
  isPlaceholder,
  TOKEN,
  tokenState,
  valueIn,
} from "../../anthropic/env-file.ts";
import { domainProblem, USUAL_DOMAIN } from "../../anthropic/names.ts";
import { readProxyFile, type ProxyFile } from "../../anthropic/proxy-file.ts";
import { usageOf } from "../../anthropic/request.ts";
import { ALL_SYMPTOMS, CONNECTIONS } from "../../anthropic/symptoms.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import type { Probes } from "../doctor/checks.ts";
import { findingLine } from "../doctor/doctor.ts";
import type { Environment } from "../io/environment.ts";
import { type Output, type Paint, paintFor } from "../io/output.ts";
import { check } from "./check.ts";
import { type AnthropicCommand, type InitAction, USUAL_FOLDER } from "./command.ts";
import { FILES, Folder } from "./folder.ts";
import { makeTunnel, type Step, wishesOf } from "./init.ts";
import { programRunner, type RunProgram } from "./programs.ts";
import { LOG, readLog, readLogFile, type ReadLog } from "./read-log.ts";
import { renew } from "./renew.ts";

export interface AnthropicOptions {
  readonly command: AnthropicCommand;
  readonly cwd: string;
  readonly env: Environment;
  readonly platform: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly output: Output;
  readonly input: Readable;
  readonly inputIsTerminal: boolean;
  readonly probes: () => Pick<
    Probes,
    "dohEnabled" | "systemLookup" | "dohLookup" | "tcpConnect" | "quicProbe"
  >;
  /** Tests put another one in its place. */
  readonly run?: RunProgram;
}

/**
 * One of Anthropic's MCP tunnels: its folder, certificates and diagnosis. What only a person can do in the Console is said, and
 * nothing is sent anywhere.
 * @returns 0 when all is well or done; 1 when a check failed or a wish was left undone; 2 for input that cannot be used
 */
export async function anthropicTunnel(options: AnthropicOptions): Promise<0 | 1 | 2> {
  const { command, output } = options;
  try {
    switch (command.action) {
      case "init":
        return await init(options, command);
      case "check":
        return await showChecks(options, command.isOffline);
      case "doctor":
        return await diagnose(options, command.log);
      case "renew":
        return await showRenewal(options, command);
    }
  } catch (thrown) {
    const error = asTunnelError(thrown);
    if (error.code !== "input-invalid") throw error;
    output.err(`tunnel-mcp: ${error.message}\n  ${error.nextForPerson}\n`);
    return 2;
  }
}

function folderOf({ command, cwd, platform }: AnthropicOptions): Folder {
  const isHere = existsSync(path.join(cwd, FILES.proxy));
  const dir = command.dir ?? (isHere ? "." : USUAL_FOLDER);
  return new Folder(path.resolve(cwd, dir), platform);
}

function runnerOf({ run, env, platform }: AnthropicOptions): RunProgram {
  return run ?? programRunner(env, platform);
}

async function init(options: AnthropicOptions, action: InitAction): Promise<0 | 1> {
  const { output, cwd, now } = options;
  const folder = folderOf(options);
  const made = await makeTunnel({ action: wishesOf(action), folder, run: runnerOf(options), now, cwd });
  const paint = paintFor(output.color);
  output.out(`${folder.root}\n\n${made.steps.map((step) => stepLine(step, paint)).join("")}\n`);
  const env = (await folder.read(FILES.env)) ?? "";
  const proxy = readProxyFile((await folder.read(FILES.proxy)) ?? "").file;
  output.out(nextSteps(options, folder, env, proxy));
  if (made.isUndone)
    output.err(
      `tunnel-mcp: ${FILES.proxy} was left as you have changed it, so not all that you asked for is done\n  Change it by hand, or add --force: yours is kept as ${FILES.proxy}.old.\n`,
    );
  return made.isUndone ? 1 : 0;
}

function stepLine({ what, file, why }: Step, paint: Paint): string {
  const word = what.padEnd(7);
  const painted =
    what === "same" ? paint.dim(word) : what === "kept" ? paint.yellow(word) : paint.green(word);
  return `${painted}  ${file}${why === undefined ? "" : `  (${why})`}\n`;
}

/** The steps that are left: for a person in the Console, then here. */
function nextSteps(
  options: AnthropicOptions,
  folder: Folder,
  env: string,
  proxy: ProxyFile | undefined,
): string {
  const { cwd, platform } = options;
  const dir = path.relative(cwd, folder.root) || ".";
  const line = (...words: readonly string[]): string => `     ${shellLine(words, platform)}\n`;
  const own = (...words: readonly string[]): string => line("tunnel-mcp", "anthropic-tunnel", ...words, dir);
  const domain = valueIn(env, DOMAIN);
  const isNamed = !isPlaceholder(domain) && domainProblem(domain) === undefined;
  const hasToken = tokenState(env) === "present";
  const console_: string[] = [];
  if (!isNamed || !hasToken) {
    const what = [...(isNamed ? [] : [`Domain (${DOMAIN})`]), ...(hasToken ? [] : [`Token (${TOKEN})`])];
    console_.push(
      `Open your tunnel, or make one: Manage > MCP tunnels > New tunnel, with programmatic access off. Copy ${what.join(" and ")} into ${path.join(dir, FILES.env)} with an editor. The token belongs into no chat and on no command line.`,
    );
  }
  console_.push(
    `Certificates > Add certificate, with the file ${path.join(dir, FILES.ca)}, unless you have done it. Its status must become Active. No other file leaves this machine.`,
  );
  const here: string[] = [];
  if ([IMAGES.proxy, IMAGES.cloudflared].some((name) => !isPinned(valueIn(env, name))))
    here.push(
      `Fill in the digests of the two images in ${path.join(dir, FILES.env)}; Anthropic's page on MCP tunnels with Docker Compose has them.\n`,
    );
  if (!isNamed)
    here.push(
      `When the domain is filled in, run this again: it makes the certificate for it.\n${own("init")}`,
    );
  here.push(
    `Check it:\n${own("check")}`,
    `Start it, and see whether it came up (Docker is not run by this program):\n${dir === "." ? "" : line("cd", dir)}${line("docker", "compose", "up", "-d")}     docker compose logs --no-color | tunnel-mcp anthropic-tunnel doctor\n`,
  );
  const numbered = (steps: readonly string[]): string =>
    steps.map((step, at) => `  ${at + 1}. ${step.endsWith("\n") ? step : `${step}\n`}`).join("");
  const suffix =
    !isNamed || domain.endsWith(USUAL_DOMAIN)
      ? ""
      : `\nThe domain does not end in ${USUAL_DOMAIN}: compare it with the Console.\n`;
  return `In the Console (platform.claude.com), which only you can do:\n\n${numbered(console_)}\nThen here:\n\n${numbered(here)}${suffix}${isNamed && proxy !== undefined ? `\n${usageText(proxy)}` : ""}`;
}

function usageText(proxy: ProxyFile): string {
  const { urls, headers, body } = usageOf(proxy);
  const fields = Object.entries({ "x-api-key": "YOUR-API-KEY", ...headers });
  return `Use it, once it runs. In an agent's picker: the name, and the path of your MCP server. By URL:

${urls.map((url) => `  ${url}\n`).join("")}
By the API, with a MODEL of your choice (not sent by this program):

  POST https://api.anthropic.com/v1/messages
${fields.map(([name, value]) => `  ${name}: ${value}\n`).join("")}  content-type: application/json

${JSON.stringify(body, undefined, 2).replaceAll(/^/gm, "  ")}

The tunnel checks no user: a server that needs it has its own sign-in, whose token is authorization_token, beside url.
`;
}

async function showChecks(options: AnthropicOptions, isOffline: boolean): Promise<0 | 1> {
  const { output, env, now } = options;
  const folder = folderOf(options);
  const network = isOffline ? undefined : options.probes();
  const { findings, proxy } = await check({ folder, run: runnerOf(options), now, env, network });
  const paint = paintFor(output.color);
  const width = Math.max(...findings.map(({ title }) => title.length));
  output.out(`${folder.root}\n\n`);
  for (const { title, finding } of findings) output.out(findingLine(title.padEnd(width), finding, paint));
  const failed = findings.filter(({ finding }) => finding.level === "fail").length;
  const unseen = [
    "whether the CA is Active in the Console",
    "what the containers do (docker compose logs --no-color | tunnel-mcp anthropic-tunnel doctor)",
    "the way from Anthropic to here: an agent or a request shows it",
    ...(isOffline ? ["the network, as you asked"] : []),
  ];
  output.out(
    `\nNot checked, since only Anthropic, Docker or a person can:\n${unseen.map((one) => `  - ${one}\n`).join("")}`,
  );
  output.out(failed === 0 ? "\nReady.\n" : `\n${failed} of ${findings.length} checks failed.\n`);
  if (failed === 0 && proxy !== undefined) output.out(`\n${usageText(proxy)}`);
  return failed === 0 ? 0 : 1;
}

async function diagnose(options: AnthropicOptions, log: string | undefined): Promise<0 | 1> {
  const { output, cwd, input, inputIsTerminal } = options;
  const paint = paintFor(output.color);
  if (log === undefined && inputIsTerminal) {
    output.out(`Give it the log of the containers:

  docker compose logs --no-color | tunnel-mcp anthropic-tunnel doctor

Or find what you see in this list, or send your own words to it in place of a log.

${ALL_SYMPTOMS.map(({ seen, cause, fix }) => findingText(seen, cause, fix, paint)).join("\n")}`);
    return 0;
  }
  const read = log === undefined ? await readLog(input) : await readLogFile(path.resolve(cwd, log));
  const routes = await routesIn(folderOf(options));
  output.out(diagnosisText(read, routes, paint));
  const isTrouble = read.found.some(({ symptom }) => symptom.isHarmless !== true);
  return isTrouble ? 1 : 0;
}

function findingText(seen: string, cause: string, fix: string, paint: Paint): string {
  return `${paint.bold(seen)}\n  cause: ${cause}\n  fix: ${fix}\n`;
}

/** How many routes the proxy ought to announce; undefined where that is not known here. */
async function routesIn(folder: Folder): Promise<number | undefined> {
  try {
    const text = await folder.read(FILES.proxy);
    return text === undefined ? undefined : readProxyFile(text).file?.routes.length;
  } catch (error) {
    // A log can be diagnosed without its folder.
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}

function diagnosisText(read: ReadLog, routes: number | undefined, paint: Paint): string {
  const { lines, found, connections, isCut } = read;
  if (lines === 0)
    return "The log is empty. That is no failure yet: start the containers (docker compose up -d), wait a minute, and try again.\n";
  const parts = found.map(({ symptom: { seen, cause, fix, isHarmless }, count, line }) => {
    const times = count === 1 ? `line ${line}` : `${count} times, first in line ${line}`;
    return findingText(`${seen}  (${times}${isHarmless === true ? "; harmless" : ""})`, cause, fix, paint);
  });
  const expected = routes === undefined ? "" : ` of ${routes}`;
  const cut = isCut
    ? `\nOnly the first ${LOG.maxBytes / 1_048_576} MB were read: docker compose logs --tail 1000 gives the last lines.\n`
    : "";
  const state = `Lines: ${lines}. Routes configured: ${read.routes}${expected}. Tunnel connections registered: ${connections} of ${CONNECTIONS}.\n${cut}`;
  if (parts.length > 0) return `${state}\n${parts.join("\n")}`;
  const isUp = connections >= CONNECTIONS && read.routes >= (routes ?? 1);
  return isUp
    ? `${state}\nNothing wrong is to be seen, and the tunnel is up.\n`
    : `${state}\nNothing known is to be seen. Without ${CONNECTIONS} connections and a line for each route it may still be starting: wait a minute, and look again.\n`;
}

async function showRenewal(
  options: AnthropicOptions,
  { force, switchCa }: { force: boolean; switchCa: boolean },
): Promise<0> {
  const { output, now } = options;
  const said = await renew({ folder: folderOf(options), run: runnerOf(options), now, force, switchCa });
  output.out(said.map((one) => `${one}\n`).join(""));
  return 0;
}
