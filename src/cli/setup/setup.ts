import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { PUBLISHED, serverCommand } from "../../view/setup/registration.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import type { Clock } from "../../runtime/clock.ts";
import { installSkill, removeSkill, skillFolder } from "./install-skill.ts";
import { type Output, paintFor } from "../io/output.ts";
import { apply } from "./apply.ts";
import { type ClientFacts, type MachineOptions, lookAround, readConfigFile } from "./machine.ts";
import type { ClientName } from "./names.ts";
import { isOpen, type Plan, planFor, type PlanOptions, skillChanges } from "./plan.ts";
import { pathOf, type Platform } from "./places.ts";
import { manual, outcomeLines, ownLine, planLines, remainingLines, skillLine } from "./show.ts";

/** The request from the command line. */
export interface SetupRequest {
  /** Empty: all that are found. */
  readonly clients: readonly ClientName[];
  readonly mode: "set-up" | "remove" | "print";
  readonly yes: boolean;
  readonly force: boolean;
  /** The files of the project in the working directory instead of the user's. */
  readonly project: boolean;
}

export interface SetupOptions {
  readonly request: SetupRequest;
  /** Absolute path of the running bundle: it is registered, and the skill lies beside it. */
  readonly bundle: string;
  readonly platform: Platform;
  readonly home: string;
  /** The working directory. */
  readonly cwd: string;
  readonly tempDirectories: readonly string[];
  /** As in {@link MachineOptions}. */
  readonly applications?: string;
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
  const machine: MachineOptions = { ...options, project: request.project };
  const facts = await lookAround(machine);
  if (request.mode === "print") {
    const wanted = facts.filter(
      ({ client, ignored }) =>
        request.clients.includes(client.name) || (request.clients.length === 0 && ignored === undefined),
    );
    const texts = wanted.map(({ client, file, ignored }) =>
      ignored === undefined
        ? manual(client, file.path, server, request.project ? undefined : ownLine(client, server, platform))
        : `${client.title}\n\n  ${ignored}\n`,
    );
    output.out(texts.join("\n"));
    return 0;
  }
  const planning: PlanOptions = { server, remove, force: request.force };
  const all = facts.map((one) => planFor(one, planning));
  const plans = wantedOf(all, facts, request);
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
  const again = async (plan: Plan): Promise<Plan> => {
    const one = facts.find(({ client }) => client.name === plan.client.name);
    if (one === undefined) return plan;
    return planFor({ ...one, file: await readConfigFile(one.file.path) }, planning);
  };
  return carryOut([...chosen, ...impossible], all, { ...options, again });
}

/**
 * The clients to show. A named one always is. Otherwise those that are here and can be served; and for taking out also
 * those that have something of ours left.
 */
function wantedOf(
  all: readonly Plan[],
  facts: readonly ClientFacts[],
  { clients, mode, project }: SetupRequest,
): readonly Plan[] {
  if (clients.length > 0) return all.filter(({ client }) => clients.includes(client.name));
  const isServed = (plan: Plan, index: number): boolean => {
    const one = facts[index];
    if (one === undefined || (project && one.ignored !== undefined)) return false;
    return one.isHere || (mode === "remove" && (plan.action.kind !== "nothing" || plan.folders.length > 0));
  };
  const served = all.filter(isServed);
  if (mode !== "remove") return served;
  // A skill that nobody here would take out any more. Several clients share a folder, and one of them is enough.
  const dirs = new Set(served.map(({ skill }) => skill?.dir));
  const left = all.filter((plan) => isOpen(plan) && !dirs.has(plan.skill?.dir) && dirs.add(plan.skill?.dir));
  return [...served, ...left.filter((plan) => !served.includes(plan))];
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
    const skill = skillLine(plan);
    const skillLines = skill === undefined || shown.has(skill) ? [] : [skill];
    if (skill !== undefined) shown.add(skill);
    for (const line of [...more, ...skillLines])
      output.out(`${" ".repeat(width + 7)}${line}`.trimEnd() + "\n");
  }
}

function finishIdle(plans: readonly Plan[], { output, request }: SetupOptions): 0 | 1 {
  const isLeft = plans.some(
    ({ action, elsewhere }) =>
      action.kind === "cannot" || (request.mode === "remove" && elsewhere.length > 0),
  );
  const isAll = plans.every(({ action }) => action.kind === "cannot");
  output.out(isAll ? "\nNothing of it can be done.\n" : "\nThere is nothing to do.\n");
  // Without --yes and without a name this is a look around, in which a client that cannot be served is no failure.
  return isLeft && (request.yes || request.clients.length > 0) ? 1 : 0;
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
  options: SetupOptions & { readonly again: (plan: Plan) => Promise<Plan> },
): Promise<0 | 1> {
  const { output, request, clock, again, platform } = options;
  const kept = keptFolders(options);
  const paint = paintFor(output.color);
  const controller = new AbortController();
  options.onShutdown(() => Promise.resolve(controller.abort()));
  let failed = false;
  const succeeded: Plan[] = [];
  for (const plan of chosen) {
    if (controller.signal.aborted) break;
    const outcome = await apply(plan, { again, kept, clock, signal: controller.signal });
    const isDone = outcome.kind === "done";
    const [first, ...more] = outcomeLines(plan, outcome, request.mode === "remove");
    const mark = isDone ? paint.green("ok  ") : paint.red("FAIL");
    output.out(`${mark}  ${plan.client.title}: ${first}\n`);
    const remaining = request.mode === "remove" && isDone ? remainingLines(plan, platform) : [];
    for (const line of [...more, ...remaining]) output.out(`      ${line}\n`);
    if (isDone) succeeded.push(plan);
    if (!isDone || remaining.length > 0) failed = true;
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
        await removeSkill({ bundle, dir }, keptFolders(options));
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

/** The folders that stay although they may be empty: a person's own, and those that a variable names. */
function keptFolders({ home, cwd, env, request }: SetupOptions): readonly string[] {
  const named = Object.values(env)
    .filter((value) => value !== undefined)
    .filter((value) => path.isAbsolute(value));
  return [home, ...(request.project ? [cwd] : []), ...named];
}

/** Folders of package runners, which may delete them at any time. */
const PASSING = /^(?:_npx|dlx|dlx-.*|bunx-.*)$/;

function checkPlace({ bundle, tempDirectories, platform }: SetupOptions): void {
  const native = pathOf(platform);
  const isTemporary = tempDirectories.some((folder) => {
    const below = native.relative(folder, bundle);
    return !below.startsWith("..") && !native.isAbsolute(below);
  });
  if (!isTemporary && !bundle.split(/[\\/]/).some((segment) => PASSING.test(segment))) return;
  throw new TunnelError("setup-place-passing", { detail: native.dirname(bundle) });
}
