import { ERRORS, nextForPerson, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { ServerCommand } from "../../view/setup/registration.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import { skillFolder } from "./install-skill.ts";
import type { Client } from "./clients.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { Outcome } from "./apply.ts";
import { configText } from "./formats/formats.ts";
import type { Action, Edit, Plan, SkillAction } from "./plan.ts";
import type { Platform } from "./places.ts";

/** The texts of the command. Pure, so that each sentence can be tested. */

/** The client's own command line that registers the server, where it has one. */
export function ownLine(client: Client, server: ServerCommand, platform: Platform): string | undefined {
  if (client.byHand === undefined || client.program === undefined) return undefined;
  return shellLine([client.program, ...client.byHand(server)], platform);
}

/** The text for `--print`: what a human writes by hand. `line` is left out for a file that the command does not write. */
export function manual(
  client: Client,
  file: string,
  server: ServerCommand,
  line: string | undefined,
): string {
  const snippet = indented(configText(client.format).snippet(server), "  ");
  const command = line === undefined ? `  in ${file}:\n\n` : `  ${line}\n\n  or, in ${file}:\n\n`;
  const unattended =
    client.unattended === undefined ? "" : `\n\n${unattendedText(client, client.unattended)}`;
  return `${client.title}\n\n${command}${snippet}${unattended}\n`;
}

/** What to add for a mode that asks nobody. It is shown, and never written by us: each line gives something away. */
function unattendedText({ program, title }: Client, tools: readonly string[]): string {
  const start = `  ${program ?? title} exec asks nobody, so it refuses these tools. To approve one beforehand, add its lines. There is\n  none for tunnel_receive, since a human decides what is saved:`;
  return `${start}\n\n${indented(tools.join("\n"), "  ")}`;
}

function indented(text: string, by: string): string {
  return text
    .split("\n")
    .map((line) => `${by}${line}`)
    .join("\n");
}

const VERBS: Readonly<Record<Edit["what"], string>> = {
  add: "add it to",
  update: "correct the path in",
  replace: "replace the entry in",
  remove: "take it out of",
  unmark: "take the byte order mark, with which the client cannot read it, out of",
};

const SKILL_VERBS: Readonly<Record<SkillAction, string | undefined>> = {
  none: undefined,
  copy: "copy the skill to",
  replace: "replace the skill in",
  delete: "delete the skill in",
  keep: "leave the skill, which differs from this version's (--force replaces it), in",
  blocked: "leave the skill out: something else is in the way of",
};

type Lines = readonly [first: string, ...more: string[]];

/** A plan in words, one line each, without the skill. */
export function planLines({ client, action, elsewhere, folders }: Plan, platform: Platform): Lines {
  const also = folders.map((folder) => `and what it has there for the folder ${folder} alone`);
  const notes = elsewhere.map((one) => `also there: ${elsewhereWords(one, client, platform)}`);
  const byHand = action.kind === "cannot" && action.byHand !== undefined ? byHandLines(action.byHand) : [];
  return [actionLine(action), ...byHand, ...also, ...notes];
}

/** The part of a plan that concerns the skill; undefined where there is none. */
export function skillLine({ action, skill }: Plan): string | undefined {
  if (skill === undefined || action.kind === "cannot") return undefined;
  const verb = SKILL_VERBS[skill.action];
  return verb === undefined ? undefined : `${verb} ${skillFolder(skill.dir)}`;
}

function byHandLines(text: string): readonly string[] {
  return ["write this into it by hand:", "", ...text.split("\n").map((line) => `  ${line}`), ""];
}

/** Where a client has the server from besides, and how it is taken out there. */
function elsewhereWords(one: Elsewhere, { title }: Client, platform: Platform): string {
  switch (one.kind) {
    case "plugin":
      return `the plugin ${one.id} of ${title}; to take it out: ${shellLine(one.takeOut, platform)}`;
    case "name":
      return `an entry of the name ${one.name} in the same file; to take it out: delete it there by hand`;
    case "project":
      return `the file of this project, ${one.path}; to take it out: setup --remove --project in ${one.folder}`;
    case "folder":
      return `an entry for the folder ${one.folder} alone, which outweighs the others there; to take it out: setup --remove`;
  }
}

/** What is left of the server after it was taken out, one line each. */
export function remainingLines({ elsewhere, client }: Plan, platform: Platform): readonly string[] {
  return elsewhere.map((one) => `still there: ${elsewhereWords(one, client, platform)}`);
}

function actionLine(action: Action): string {
  switch (action.kind) {
    case "nothing":
      return NOTHING[action.why];
    case "edit":
      return action.after === undefined
        ? `delete ${action.path}, which has nothing else`
        : `${VERBS[action.what]} ${action.path}`;
    case "cannot":
      return `cannot (${action.code}): ${ERRORS[action.code].message}: ${action.detail}`;
  }
}

const NOTHING: Readonly<Record<Extract<Action, { kind: "nothing" }>["why"], string>> = {
  registered: "registered already",
  absent: "not registered",
  plugin: "has it from a plugin already, so nothing is added",
  name: "has it under another name already, so nothing is added",
};

const DONE: Readonly<Record<Edit["what"], string>> = {
  add: "added to",
  update: "path corrected in",
  replace: "entry replaced in",
  remove: "taken out of",
  unmark: "byte order mark taken out of",
};

/** The outcome of a plan, one line each, without the client's title. */
export function outcomeLines({ client, action }: Plan, outcome: Outcome, remove: boolean): Lines {
  if (outcome.kind === "failed") return failureLines(outcome.code, outcome.detail);
  const how = outcome.isDone === "before" ? NOTHING[remove ? "absent" : "registered"] : doneWords(action);
  const backup = outcome.backup === undefined ? [] : [`the file as it was: ${outcome.backup}`];
  const next =
    remove || action.kind !== "edit" ? [] : [`next: ${client.afterwards}`, ...unattendedHint(client)];
  return [how, ...backup, ...next];
}

function unattendedHint({ name, program, unattended }: Client): readonly string[] {
  if (unattended === undefined) return [];
  return [
    `for ${program ?? name} exec, which asks nobody and refuses most tools: setup --print --client ${name}`,
  ];
}

function failureLines(code: ErrorCode, detail: string): Lines {
  return [`${code}: ${ERRORS[code].message}: ${detail}`, nextForPerson(code)];
}

function doneWords(action: Action): string {
  if (action.kind === "nothing") return NOTHING[action.why];
  if (action.kind === "cannot") return action.detail;
  return action.after === undefined
    ? `deleted ${action.path}, which had nothing else`
    : `${DONE[action.what]} ${action.path}`;
}
