import { must } from "../../errors/must.ts";
import { ERRORS, nextForPerson, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { ServerCommand } from "../../view/registration.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import { skillFolder } from "./install-skill.ts";
import { type Client, ownCommand } from "./clients.ts";
import type { Outcome } from "./apply.ts";
import { configText } from "./formats/formats.ts";
import type { Action, Edit, Plan, SkillAction } from "./plan.ts";
import type { Platform } from "./places.ts";

/** The texts of the command. Pure, so that each sentence can be tested. */

/** The client's own command line that registers the server, where it has one. */
export function ownLine(client: Client, server: ServerCommand, platform: Platform): string | undefined {
  const own = ownCommand(client, platform);
  if (own === undefined || client.program === undefined) return undefined;
  return shellLine([client.program, ...own.add(server)], platform);
}

/** The text for `--print`: what a human writes by hand. */
export function manual(client: Client, file: string, server: ServerCommand, platform: Platform): string {
  const line = ownLine(client, server, platform);
  const snippet = indented(configText(client.format).snippet(server), "  ");
  const command = line === undefined ? "" : `  ${line}\n\n  or, in ${file}:\n\n`;
  return `${client.title}\n\n${command === "" ? `  in ${file}:\n\n` : command}${snippet}\n`;
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

/** A plan in words, one line each. */
export function planLines({ client, action, skill }: Plan, platform: Platform): Lines {
  const verb = skill === undefined || action.kind === "cannot" ? undefined : SKILL_VERBS[skill.action];
  const skillLine = verb === undefined || skill === undefined ? [] : [`${verb} ${skillFolder(skill.dir)}`];
  return [actionLine(client, action, platform), ...skillLine];
}

function actionLine(client: Client, action: Action, platform: Platform): string {
  switch (action.kind) {
    case "nothing":
      return action.why === "registered" ? "registered already" : "not registered";
    case "run":
      return `run: ${shellLine([must(client.program, "the program of a client"), ...action.args], platform)}`;
    case "edit":
      return `${VERBS[action.what]} ${action.path}`;
    case "cannot":
      return `cannot (${action.code}): ${ERRORS[action.code].message}: ${action.detail}`;
  }
}

const DONE: Readonly<Record<Edit["what"], string>> = {
  add: "added to",
  update: "path corrected in",
  replace: "entry replaced in",
  remove: "taken out of",
};

/** The outcome of a plan, one line each, without the client's title. */
export function outcomeLines({ client, action }: Plan, outcome: Outcome, remove: boolean): Lines {
  if (outcome.kind === "failed") return failureLines(outcome.code, outcome.detail);
  const how = doneWords(client, action, remove);
  const doubt =
    outcome.isDoubtful === true && action.kind === "run"
      ? [`its command reported success, but ${action.path} does not show it: check it in the client`]
      : [];
  const backup = outcome.backup === undefined ? [] : [`the file as it was: ${outcome.backup}`];
  const next = remove || action.kind === "nothing" ? [] : [`next: ${client.afterwards}`];
  return [how, ...doubt, ...backup, ...next];
}

function failureLines(code: ErrorCode, detail: string): Lines {
  return [`${code}: ${ERRORS[code].message}: ${detail}`, nextForPerson(code)];
}

function doneWords({ program }: Client, action: Action, remove: boolean): string {
  switch (action.kind) {
    case "edit":
      return `${DONE[action.what]} ${action.path}`;
    case "run":
      return `${action.what === "add" ? "registered" : "taken out"} by ${must(program, "the program of a client")}`;
    case "nothing":
    case "cannot":
      return remove ? "not registered" : "registered already";
  }
}
