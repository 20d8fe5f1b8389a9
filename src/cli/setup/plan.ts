import type { ErrorCode } from "../../errors/tunnel-error.ts";
import { PUBLISHED, type ServerCommand } from "../../view/registration.ts";
import { type Client, ownCommand } from "./clients.ts";
import { type ConfigText, type ServerEntry, Unusable } from "./formats/config-text.ts";
import { configText } from "./formats/formats.ts";
import type { ClientFacts, ConfigFile } from "./machine.ts";
import type { Platform } from "./places.ts";

export interface PlanOptions {
  readonly server: ServerCommand;
  readonly platform: Platform;
  readonly remove: boolean;
  readonly force: boolean;
}

/** A new text for a file. */
export interface Edit {
  readonly kind: "edit";
  readonly what: "add" | "update" | "replace" | "remove";
  readonly path: string;
  /** The real file, where `path` is a link. */
  readonly target: string;
  /** The text that the file must still have at the time of writing; undefined: there is no file yet. */
  readonly before: string | undefined;
  readonly after: string;
  readonly mode: number | undefined;
}

export type Action =
  | { readonly kind: "nothing"; readonly why: "registered" | "absent" }
  | {
      readonly kind: "run";
      readonly what: "add" | "remove";
      readonly program: string;
      readonly args: readonly string[];
      /** The file that the command should change. */
      readonly path: string;
    }
  | Edit
  | { readonly kind: "cannot"; readonly code: ErrorCode; readonly detail: string };

export type SkillAction = "none" | "copy" | "replace" | "delete" | "keep" | "blocked";

export interface Plan {
  readonly client: Client;
  readonly action: Action;
  readonly skill: { readonly dir: string; readonly action: SkillAction } | undefined;
}

/** The plan for one client. Pure: it depends on `facts` and the options alone. */
export function planFor(facts: ClientFacts, options: PlanOptions): Plan {
  return { client: facts.client, action: actionFor(facts, options), skill: skillFor(facts, options) };
}

/** Whether there is anything to do. */
export function isOpen({ action, skill }: Plan): boolean {
  if (action.kind === "cannot") return false;
  if (action.kind !== "nothing") return true;
  return skill !== undefined && changeOf(skill.action) !== undefined;
}

function actionFor(facts: ClientFacts, options: PlanOptions): Action {
  try {
    return options.remove ? removal(facts, options) : registration(facts, options);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return cannot("client-config-unusable", `${facts.file.path}: ${error.message}`);
  }
}

function registration(
  { client, program, file }: ClientFacts,
  { server, platform, force }: PlanOptions,
): Action {
  const config = configText(client.format);
  const entry = entryIn(file, config);
  if (entry.kind === "absent") {
    const own = ownCommand(client, platform);
    if (own !== undefined && program !== undefined) {
      return { kind: "run", what: "add", program, args: own.add(server), path: file.path };
    }
    return edit(file, "add", (text) => config.add(text, server));
  }
  if (isSame(entry.argv, server)) return { kind: "nothing", why: "registered" };
  if (isOurs(entry.argv)) {
    // A human may have given the path of Node to an application that does not see the user's PATH.
    const [program = ""] = entry.argv;
    const kept = isNode(program) && isNode(server.command) ? { ...server, command: program } : server;
    return edit(file, "update", (text) => config.update(text, kept));
  }
  if (force) return edit(file, "replace", (text) => config.replace(text, server));
  return cannot("client-entry-foreign", file.path);
}

function removal({ client, program, file }: ClientFacts, { platform, force }: PlanOptions): Action {
  const config = configText(client.format);
  const entry = entryIn(file, config);
  if (entry.kind === "absent") return { kind: "nothing", why: "absent" };
  if (!isOurs(entry.argv) && !force) return cannot("client-entry-foreign", file.path);
  const own = ownCommand(client, platform);
  if (own?.remove !== undefined && program !== undefined) {
    return { kind: "run", what: "remove", program, args: own.remove, path: file.path };
  }
  return edit(file, "remove", (text) => restored(file, entry, config) ?? config.remove(text));
}

function entryIn(file: ConfigFile, config: ConfigText): ServerEntry {
  if (file.kind === "unusable") throw new Unusable(file.why);
  return file.kind === "missing" ? { kind: "absent" } : config.entry(file.text);
}

function edit(file: ConfigFile, what: Edit["what"], change: (text: string) => string): Action {
  if (file.kind === "unusable") throw new Unusable(file.why);
  const { path } = file;
  if (file.kind === "missing")
    return { kind: "edit", what, path, target: path, before: undefined, after: change(""), mode: undefined };
  if (file.isReadOnly) throw new Unusable("it is read-only");
  const { target, text, mode } = file;
  return { kind: "edit", what, path, target, before: text, after: change(text), mode };
}

/** The file as it was before our entry, if it has not changed otherwise since. */
function restored(file: ConfigFile, entry: ServerEntry, config: ConfigText): string | undefined {
  if (file.kind !== "text" || file.backup === undefined || entry.kind !== "present") return undefined;
  const [command = "", ...args] = entry.argv;
  try {
    return config.add(file.backup, { command, args }) === file.text ? file.backup : undefined;
  } catch (error) {
    if (error instanceof Unusable) return undefined;
    throw error;
  }
}

function cannot(code: ErrorCode, detail: string): Action {
  return { kind: "cannot", code, detail };
}

function isSame([program = "", ...args]: readonly string[], wanted: ServerCommand): boolean {
  if (program !== wanted.command && !(isNode(program) && isNode(wanted.command))) return false;
  return args.length === wanted.args.length && args.every((arg, index) => arg === wanted.args[index]);
}

function isNode(program: string): boolean {
  return /^node(?:\.exe)?$/i.test(lastSegment(program));
}

/** Whether an entry starts this program, or another copy of it. */
function isOurs(argv: readonly string[]): boolean {
  const [program = "", ...args] = argv.map(lastSegment);
  if (isNode(program)) return args.includes("tunnel-mcp.cjs");
  // Until publication the package of that name is another program (src/view/registration.ts).
  const isRunner = PUBLISHED && /^(?:npx|cmd)(?:\.cmd|\.exe)?$/i.test(program);
  return isRunner && args.some((arg) => /^tunnel-mcp(?:@|$)/.test(arg));
}

function lastSegment(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

function skillFor({ skill }: ClientFacts, { remove, force }: PlanOptions): Plan["skill"] {
  if (skill === undefined) return undefined;
  const { dir, state } = skill;
  switch (state) {
    case "missing":
      return { dir, action: remove ? "none" : "copy" };
    case "same":
      return { dir, action: remove ? "delete" : "none" };
    case "different":
      return { dir, action: force && !remove ? "replace" : "keep" };
    case "blocked":
      return { dir, action: "blocked" };
  }
}

type SkillChange = "copy" | "replace" | "delete";

function changeOf(action: SkillAction): SkillChange | undefined {
  return action === "copy" || action === "replace" || action === "delete" ? action : undefined;
}

/** The skills folders to change for the chosen plans, each once. A folder that a client still needs is left. */
export function skillChanges(
  chosen: readonly Plan[],
  all: readonly Plan[],
): readonly { readonly dir: string; readonly action: SkillChange }[] {
  const needed = all.filter((plan) => !chosen.includes(plan) && plan.action.kind !== "nothing");
  const changes = new Map<string, SkillChange>();
  for (const { skill } of chosen) {
    const change = skill === undefined ? undefined : changeOf(skill.action);
    if (skill === undefined || change === undefined) continue;
    if (change === "delete" && needed.some((other) => other.skill?.dir === skill.dir)) continue;
    changes.set(skill.dir, change);
  }
  return Array.from(changes, ([dir, action]) => ({ dir, action }));
}
