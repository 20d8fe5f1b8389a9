import type { ErrorCode } from "../../errors/tunnel-error.ts";
import type { ServerCommand } from "../../view/setup/registration.ts";
import type { Client } from "./clients.ts";
import { type Elsewhere, folderFormat } from "./elsewhere.ts";
import { type ConfigText, hasMark, type ServerEntry, Unusable, withoutMark } from "./formats/config-text.ts";
import { configText } from "./formats/formats.ts";
import type { FileEdit } from "./files/write-file.ts";
import type { ClientFacts, ConfigFile } from "./machine.ts";
import { isNode, isOurs } from "./ours.ts";

export interface PlanOptions {
  readonly server: ServerCommand;
  readonly remove: boolean;
  readonly force: boolean;
}

/** A change of a client's file. `path` may be a link to the file that is written. */
export interface Edit extends FileEdit {
  readonly kind: "edit";
  readonly what: "add" | "update" | "replace" | "remove" | "unmark";
  readonly path: string;
}

export type Action =
  | { readonly kind: "nothing"; readonly why: "registered" | "absent" | "plugin" | "name" }
  | Edit
  | {
      readonly kind: "cannot";
      readonly code: ErrorCode;
      readonly detail: string;
      /** The lines to write by hand instead. */
      readonly byHand?: string | undefined;
    };

export type SkillAction = "none" | "copy" | "replace" | "delete" | "keep" | "blocked";

export interface Plan {
  readonly client: Client;
  readonly action: Action;
  readonly skill: { readonly dir: string; readonly action: SkillAction } | undefined;
  /** Where the client has our server from besides, as far as the action leaves it there. */
  readonly elsewhere: readonly Elsewhere[];
  /** The folders for which Claude Code has our server alone, and for which the action takes it out. */
  readonly folders: readonly string[];
}

/** The plan for one client. Pure: it depends on `facts` and the options alone. */
export function planFor(facts: ClientFacts, options: PlanOptions): Plan {
  const action = actionFor(facts, options);
  const isTaken = options.remove && action.kind === "edit";
  const folders = facts.elsewhere
    .filter((one) => one.kind === "folder")
    .filter(({ argv }) => mayTakeOut(argv, options));
  return {
    client: facts.client,
    action,
    skill: skillFor(facts, options),
    elsewhere: facts.elsewhere.filter((one) => !(isTaken && folders.some((taken) => taken === one))),
    folders: isTaken ? folders.map(({ folder }) => folder) : [],
  };
}

function mayTakeOut(argv: readonly string[], { force }: PlanOptions): boolean {
  return force || isOurs(argv);
}

/** Whether there is anything to do. */
export function isOpen({ action, skill }: Plan): boolean {
  if (action.kind === "cannot") return false;
  if (action.kind !== "nothing") return true;
  return skill !== undefined && changeOf(skill.action) !== undefined;
}

function actionFor(facts: ClientFacts, options: PlanOptions): Action {
  const { client, file, ignored } = facts;
  // What is there already may be taken out in any case.
  if (ignored !== undefined && !(options.remove && client.project !== undefined))
    return cannot("client-project-ignored", ignored);
  try {
    return options.remove ? removal(facts, options) : registration(facts, options);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    const byHand = options.remove ? undefined : configText(client.format).snippet(options.server);
    return { ...cannot("client-config-unusable", `${file.path}: ${error.message}`), byHand };
  }
}

function registration({ client, file, elsewhere }: ClientFacts, { server, force }: PlanOptions): Action {
  const config = configText(client.format);
  const entry = entryIn(file, config);
  if (entry.kind === "absent") {
    const other = elsewhere.find(({ kind }) => kind === "plugin" || kind === "name");
    if (other?.kind === "plugin" || other?.kind === "name") return { kind: "nothing", why: other.kind };
    return edit(file, "add", (text) => config.add(text, server));
  }
  if (isSame(entry.argv, server)) {
    const isUnreadable = client.format.refusesMark === true && file.kind === "text" && hasMark(file.text);
    return isUnreadable ? edit(file, "unmark", withoutMark) : { kind: "nothing", why: "registered" };
  }
  if (isOurs(entry.argv)) {
    // A human may have given the path of Node to an application that does not see the user's PATH.
    const [program = ""] = entry.argv;
    const kept = isNode(program) && isNode(server.command) ? { ...server, command: program } : server;
    return edit(file, "update", (text) => config.update(text, kept));
  }
  if (force) return edit(file, "replace", (text) => config.replace(text, server));
  return cannot("client-entry-foreign", file.path);
}

/** Takes out the user's entry, and those that Claude Code has for single folders in the same file. */
function removal({ client, file, elsewhere }: ClientFacts, options: PlanOptions): Action {
  const config = configText(client.format);
  const entry = entryIn(file, config);
  const folders = elsewhere
    .filter((one) => one.kind === "folder")
    .filter(({ argv }) => mayTakeOut(argv, options));
  if (entry.kind === "absent" && folders.length === 0) return { kind: "nothing", why: "absent" };
  const isForeign = entry.kind === "present" && !mayTakeOut(entry.argv, options);
  if (isForeign && folders.length === 0) return cannot("client-entry-foreign", file.path);
  const takeOut = (text: string): string | undefined => {
    const rest = folders.reduce(
      (current, { folder }) => configText(folderFormat(folder)).remove(current),
      isForeign ? text : config.remove(text),
    );
    if (folders.length > 0 || isForeign) return rest;
    const saved = savedText(file, config);
    // Without its file a link would lead nowhere, and whoever made it has made the file.
    const isLink = file.kind === "text" && file.isLink;
    if (saved === undefined && !isLink && config.isBare(text)) return undefined;
    return saved !== undefined && isUntouched(saved, text, entry, config) ? saved : rest;
  };
  return edit(file, "remove", takeOut);
}

/** The file as it was before our entry; undefined where it held nothing else, or was not there. */
function savedText(file: ConfigFile, config: ConfigText): string | undefined {
  if (file.kind !== "text" || file.backup === undefined) return undefined;
  try {
    const isOurs = config.entry(file.backup).kind === "present" && config.isBare(file.backup);
    return isOurs ? undefined : file.backup;
  } catch (error) {
    if (error instanceof Unusable) return undefined;
    throw error;
  }
}

/** Whether nothing but our entry has come to the file since it was saved. */
function isUntouched(saved: string, text: string, entry: ServerEntry, config: ConfigText): boolean {
  if (entry.kind !== "present") return false;
  const [command = "", ...args] = entry.argv;
  try {
    return config.add(saved, { command, args }) === text;
  } catch (error) {
    if (error instanceof Unusable) return false;
    throw error;
  }
}

function entryIn(file: ConfigFile, config: ConfigText): ServerEntry {
  if (file.kind === "unusable") throw new Unusable(file.why);
  return file.kind === "missing" ? { kind: "absent" } : config.entry(file.text);
}

function edit(file: ConfigFile, what: Edit["what"], change: (text: string) => string | undefined): Edit {
  if (file.kind === "unusable") throw new Unusable(file.why);
  const { path } = file;
  if (file.kind === "missing") {
    const fresh = {
      before: undefined,
      mode: undefined,
      owner: undefined,
      keepsOld: false,
      dropsBackup: false,
    };
    return { kind: "edit", what, path, target: path, after: change(""), ...fresh };
  }
  if (file.isReadOnly) throw new Unusable("it is read-only");
  const { target, text, mode, owner } = file;
  const after = change(text);
  const isGoing = after === undefined;
  const rest = { keepsOld: !isGoing, dropsBackup: isGoing && file.backup !== undefined };
  return { kind: "edit", what, path, target, before: text, after, mode, owner, ...rest };
}

function cannot(code: ErrorCode, detail: string): Extract<Action, { kind: "cannot" }> {
  return { kind: "cannot", code, detail };
}

function isSame([program = "", ...args]: readonly string[], wanted: ServerCommand): boolean {
  if (program !== wanted.command && !(isNode(program) && isNode(wanted.command))) return false;
  return args.length === wanted.args.length && args.every((arg, index) => arg === wanted.args[index]);
}

function skillFor({ skill, elsewhere }: ClientFacts, { remove, force }: PlanOptions): Plan["skill"] {
  if (skill === undefined) return undefined;
  const { dir, state } = skill;
  // The plugin brings the skill, too, and two of them would be read twice.
  if (!remove && state === "missing" && elsewhere.some(({ kind }) => kind === "plugin"))
    return { dir, action: "none" };
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
