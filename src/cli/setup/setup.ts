import { TunnelError } from "../../errors/tunnel-error.ts";
import { PUBLISHED, serverCommand } from "../../view/registration.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import type { Clock } from "../../runtime/clock.ts";
import { installSkill, removeSkill, skillFolder } from "./install-skill.ts";
import { type Output, paintFor } from "../io/output.ts";
import { apply } from "./apply.ts";
import { type ClientFacts, lookAround } from "./machine.ts";
import type { ClientName } from "./names.ts";
import { isOpen, type Plan, planFor, skillChanges } from "./plan.ts";
import { pathOf, type Platform } from "./places.ts";
import { manual, outcomeLines, planLines } from "./show.ts";

/** The request from the command line. */
export interface SetupRequest {
  /** Empty: all that are found. */
  readonly clients: readonly ClientName[];
  readonly mode: "set-up" | "remove" | "print";
  readonly yes: boolean;
  readonly force: boolean;
}

export interface SetupOptions {
  readonly request: SetupRequest;
  /** Absolute path of the running bundle: it is registered, and the skill lies beside it. */
  readonly bundle: string;
  readonly platform: Platform;
  readonly home: string;
  readonly tempDirectories: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly searchPath: readonly string[];
  readonly clock: Clock;
  readonly output: Output;
  /** Asks for some of so many numbered lines; undefined where nobody can be asked. */
  readonly ask: ((count: number) => Promise<readonly number[]>) | undefined;
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

/**
 * Registers this program with the MCP clients of the machine, or takes it out of them again.
 * @returns 1 when a part of it could not be done
 * @throws {TunnelError} setup-place-passing when clients would lose the program soon
 */
export async function setup(options: SetupOptions): Promise<0 | 1> {
  const { request, output, platform } = options;
  const server = serverCommand(options.bundle);
  const remove = request.mode === "remove";
  if (request.mode === "set-up" && !PUBLISHED) checkPlace(options);
  const facts = await lookAround(options);
  if (request.mode === "print") {
    const wanted = facts.filter(({ client }) => isNamed(client.name, request.clients));
    output.out(wanted.map(({ client, file }) => manual(client, file.path, server, platform)).join("\n"));
    return 0;
  }
  const all = facts.map((one) => planFor(one, { server, platform, remove, force: request.force }));
  const plans = all.filter((plan, index) => isWanted(facts[index], plan, request));
  if (plans.length === 0) return nobody(output, remove);
  const numbered = plans.filter(isOpen);
  output.out(
    remove
      ? "Takes the MCP server tunnel out of these clients:\n\n"
      : `Registers the MCP server tunnel (${shellLine([server.command, ...server.args], platform)}) with these clients:\n\n`,
  );
  showPlans(plans, numbered, options);
  if (numbered.length === 0) return finishIdle(plans, options);
  const chosen = await choose(numbered, options);
  if (chosen === undefined) {
    output.out(
      "\nNothing has been changed. Run it again with --yes to do this, or in a terminal to choose.\n",
    );
    return 0;
  }
  if (chosen.length === 0) {
    output.out("Nothing has been changed.\n");
    return 0;
  }
  // With --yes everything was wanted, so a client that cannot be set up counts as well.
  const impossible = request.yes ? plans.filter(({ action }) => action.kind === "cannot") : [];
  output.out("\n");
  return carryOut([...chosen, ...impossible], all, options);
}

function isNamed(name: ClientName, names: readonly ClientName[]): boolean {
  return names.length === 0 || names.includes(name);
}

/** A named client is always served. Otherwise those that are here, or have our entry. */
function isWanted(facts: ClientFacts | undefined, { client }: Plan, { clients }: SetupRequest): boolean {
  return clients.length > 0 ? clients.includes(client.name) : facts?.isHere === true;
}

function nobody({ out, err }: Output, remove: boolean): 0 | 1 {
  if (remove) {
    out("No MCP client was found here, so there is nothing to take out.\n");
    return 0;
  }
  err(
    "tunnel-mcp: no MCP client was found here\n" +
      "  Name one with --client to write its configuration all the same, or see `setup --print`.\n",
  );
  return 1;
}

function showPlans(
  plans: readonly Plan[],
  numbered: readonly Plan[],
  { output, platform }: SetupOptions,
): void {
  const width = Math.max(...plans.map(({ client }) => client.title.length));
  const paint = paintFor(output.color);
  const shown = new Set<string>(); // several clients share a folder for skills
  for (const plan of plans) {
    const number = numbered.includes(plan) ? String(numbered.indexOf(plan) + 1) : "-";
    const [first, ...more] = planLines(plan, platform);
    output.out(`${number.padStart(3)}  ${paint.bold(plan.client.title.padEnd(width))}  ${first}\n`);
    for (const line of more.filter((one) => !shown.has(one))) {
      shown.add(line);
      output.out(`${" ".repeat(width + 7)}${line}\n`);
    }
  }
}

function finishIdle(plans: readonly Plan[], { output, request }: SetupOptions): 0 | 1 {
  output.out("\nThere is nothing to do.\n");
  const impossible = plans.filter(({ action }) => action.kind === "cannot");
  if (impossible.length === 0 || !request.yes) return 0;
  return 1;
}

async function choose(
  numbered: readonly Plan[],
  { request, ask, output }: SetupOptions,
): Promise<readonly Plan[] | undefined> {
  if (request.yes) return numbered;
  if (ask === undefined) return undefined;
  output.out("\n");
  const numbers = await ask(numbered.length);
  return numbered.filter((_, index) => numbers.includes(index + 1));
}

async function carryOut(
  chosen: readonly Plan[],
  all: readonly Plan[],
  options: SetupOptions,
): Promise<0 | 1> {
  const { output, request, env, home, clock } = options;
  const paint = paintFor(output.color);
  const controller = new AbortController();
  options.onShutdown(() => Promise.resolve(controller.abort()));
  let failed = false;
  const succeeded: Plan[] = [];
  for (const plan of chosen) {
    if (controller.signal.aborted) break;
    const outcome = await apply(plan, { env, cwd: home, clock, signal: controller.signal });
    const isDone = outcome.kind === "done";
    const [first, ...more] = outcomeLines(plan, outcome, request.mode === "remove");
    const mark = isDone ? paint.green("ok  ") : paint.red("FAIL");
    output.out(`${mark}  ${plan.client.title}: ${first}\n`);
    for (const line of more) output.out(`      ${line}\n`);
    if (isDone) succeeded.push(plan);
    else failed = true;
  }
  if (!(await changeSkills(succeeded, all, options))) failed = true;
  if (succeeded.length > 0 && request.mode === "set-up") {
    output.out("\nThen tell your agent, for example: Open a tunnel to Ben's agent and give me the invite.\n");
  }
  return failed ? 1 : 0;
}

/** @returns whether every skill is as wanted */
async function changeSkills(
  succeeded: readonly Plan[],
  all: readonly Plan[],
  options: SetupOptions,
): Promise<boolean> {
  const { bundle, output, request } = options;
  let isGood = true;
  for (const { dir, action } of skillChanges(succeeded, all)) {
    try {
      if (action === "delete") {
        await removeSkill({ bundle, dir });
        output.out(`Deleted the skill: ${skillFolder(dir)}\n`);
      } else if ((await installSkill({ bundle, dir, force: request.force, output })) !== 0) {
        isGood = false;
      }
    } catch (error) {
      const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
      const what = action === "delete" ? "deleted from" : "put into";
      output.err(
        `tunnel-mcp: the skill could not be ${what} ${dir}${code}\n` +
          "  The server works without it; install-skill --dir PATH puts it elsewhere.\n",
      );
      isGood = false;
    }
  }
  return isGood;
}

/** Folders of package runners, which may delete them at any time. */
const PASSING = /^(?:_npx|dlx|dlx-.*|bunx-.*)$/;

function checkPlace({ bundle, tempDirectories, platform }: SetupOptions): void {
  const path = pathOf(platform);
  const isTemporary = tempDirectories.some((folder) => {
    const below = path.relative(folder, bundle);
    return !below.startsWith("..") && !path.isAbsolute(below);
  });
  if (!isTemporary && !bundle.split(/[\\/]/).some((segment) => PASSING.test(segment))) return;
  throw new TunnelError("setup-place-passing", { detail: path.dirname(bundle) });
}
