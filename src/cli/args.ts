import { parseArgs } from "node:util";
import { nearest } from "../errors/nearest.ts";
import { ROOM } from "../protocol/base/limits.ts";
import type { JoinRequest, OpenRequest, ResumeRequest } from "./chat/chat.ts";
import type { KeptRequest } from "./chat/kept.ts";
import { EXPOSE } from "../expose/exposures/limits.ts";
import { ANTHROPIC_OPTIONS, isAnthropicAction, readAnthropic, unknownAction } from "./anthropic-words.ts";
import type { AnthropicCommand } from "./anthropic/command.ts";
import {
  EXPOSE_LIST_OPTIONS,
  EXPOSE_OPTIONS,
  EXPOSE_STOP_OPTIONS,
  readExpose,
  readExposeList,
  readExposeStop,
} from "./expose-words.ts";
import type { ExposeCommand } from "./expose/expose.ts";
import type { ExposeListCommand } from "./expose/list.ts";
import type { ExposeStopCommand } from "./expose/stop.ts";
import type { ObserveRequest } from "./observe/observe.ts";
import type { ExportRequest } from "./transcript/export.ts";
import { CLIENT_NAMES, clientNamed } from "./setup/names.ts";
import type { SetupRequest } from "./setup/setup.ts";
import { type Config, SETTINGS } from "./settings.ts";
import { type OptionTypes, usageLine } from "./usage.ts";
import { text, texts, type Values } from "./values.ts";

/**
 * The request of the user. `usage-error` carries one sentence that says what was not understood, and the line that helps: how
 * the command is called, or which commands there are.
 */
export type Command =
  | { readonly kind: "serve" }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "demo"; readonly transport: Config["transport"]; readonly page: boolean }
  | { readonly kind: "doctor" }
  | {
      readonly kind: "install-skill" | "uninstall-skill";
      readonly dir: string | undefined;
      readonly force: boolean;
    }
  | { readonly kind: "verify"; readonly file: string }
  | { readonly kind: "export"; readonly request: ExportRequest }
  | { readonly kind: "wake"; readonly tunnelId: string | undefined; readonly timeoutMs: number | undefined }
  | { readonly kind: "wake-watch"; readonly tunnelId: string | undefined }
  | { readonly kind: "watch"; readonly json: boolean }
  | { readonly kind: "page" }
  | ObserveRequest
  /** The relay reads its own arguments: it is another program. */
  | { readonly kind: "relay"; readonly args: readonly string[] }
  | OpenRequest
  | JoinRequest
  | ResumeRequest
  | KeptRequest
  | ExposeCommand
  | ExposeListCommand
  | ExposeStopCommand
  | AnthropicCommand
  | { readonly kind: "setup"; readonly request: SetupRequest }
  | UsageError;

interface UsageError {
  readonly kind: "usage-error";
  readonly message: string;
  readonly usage: string;
}

/** A demo works without a network unless it is told to go through one. */
export const DEMO_TRANSPORT = "direct";

/** A day. */
const MAX_TIMEOUT_SECONDS = 86_400;

interface Options {
  readonly values: Values;
  readonly positionals: readonly string[];
}

/** What Node puts in the place of bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";

/** The commands, and what reads the arguments of each. */
const READERS = {
  demo: (args) => withOptions("demo", args, { transport: "string", page: "boolean" }, demoCommand),
  open: (args) => withOptions("open", args, OPEN_OPTIONS, openCommand),
  join: (args) => withOptions("join", args, { name: "string", json: "boolean" }, joinCommand, 1),
  resume: (args) =>
    withOptions(
      "resume",
      args,
      { json: "boolean" },
      (values, [tunnelId]) => ({ kind: "resume", tunnelId, json: values.has("json") }),
      1,
    ),
  kept: (args) =>
    withOptions(
      "kept",
      args,
      { forget: "boolean", json: "boolean" },
      (values, [tunnelId]) => ({
        kind: "kept",
        tunnelId,
        forget: values.has("forget"),
        json: values.has("json"),
      }),
      1,
    ),
  expose: exposeCommand,
  doctor: (args) => withOptions("doctor", args, {}, () => ({ kind: "doctor" })),
  setup: (args) => withOptions("setup", args, SETUP_OPTIONS, setupCommand),
  "install-skill": (args) => skillCommand("install-skill", args),
  "uninstall-skill": (args) => skillCommand("uninstall-skill", args),
  verify: verifyCommand,
  export: (args) => withOptions("export", args, EXPORT_OPTIONS, exportCommand, 1),
  wake: (args) => withOptions("wake", args, WAKE_OPTIONS, wakeCommand),
  watch: (args) =>
    withOptions("watch", args, { json: "boolean" }, (values) => ({
      kind: "watch",
      json: values.has("json"),
    })),
  page: (args) => withOptions("page", args, {}, () => ({ kind: "page" })),
  observe: (args) =>
    withOptions(
      "observe",
      args,
      { name: "string", json: "boolean" },
      (values, [link]) => ({ kind: "observe", link, name: text(values, "name"), json: values.has("json") }),
      1,
    ),
  "anthropic-tunnel": anthropicCommand,
  // It reads its own, in a bundle of its own.
  relay: (args) => ({ kind: "relay", args }),
} satisfies Readonly<Record<string, (args: readonly string[]) => Command>>;

type CommandWord = keyof typeof READERS;

const ALL_COMMANDS = `tunnel-mcp ${Object.keys(READERS).join(" | ")}`;

function isCommandWord(word: string): word is CommandWord {
  return Object.hasOwn(READERS, word);
}

/** Reads the arguments after the script's name. Total: whatever cannot be understood is a `usage-error`. */
export function parseCommand(args: readonly string[]): Command {
  const [first, ...rest] = args;
  if (first !== "relay" && args.some((arg) => arg === "--help" || arg === "-h")) return { kind: "help" };
  const command = commandOf(first, rest);
  if (!args.some((arg) => arg.includes(REPLACEMENT)) || command.kind === "usage-error") return command;
  const usage = usageLine(first ?? "", {});
  return { kind: "usage-error", message: "an argument is not UTF-8", usage };
}

function commandOf(first: string | undefined, rest: readonly string[]): Command {
  if (first === undefined) return { kind: "serve" };
  if (first === "--version" || first === "-v")
    return withOptions(first, rest, {}, () => ({ kind: "version" }));
  return isCommandWord(first) ? READERS[first](rest) : unknownCommand(first);
}

function unknownCommand(typed: string): UsageError {
  // A user who gives only a link wants to use it. The link is a secret, so the message does not repeat it.
  if (isPerhapsLink(typed) && /\.observer(-history)?\W*$/i.test(typed))
    return {
      ...usageError("to read along with a link: tunnel-mcp observe"),
      usage: "tunnel-mcp observe [LINK]",
    };
  if (isPerhapsLink(typed))
    return { ...usageError("to join with a link: tunnel-mcp join"), usage: "tunnel-mcp join [LINK]" };
  const bare = typed.replace(/^-+/, "");
  const [what, commands] =
    bare === typed
      ? ["command", Object.keys(READERS)]
      : // Dashes in front of a command are a slip; a word that only resembles one was meant as an option.
        ["option", isCommandWord(bare) ? [bare] : []];
  const meant = nearest(bare, [...commands, "help", "version"]);
  const word = meant === "help" || meant === "version" ? `--${meant}` : meant;
  return { ...usageError(`unknown ${what} ${quoted(typed)}${guess(word)}`), usage: ALL_COMMANDS };
}

function guess(meant: string | undefined): string {
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** Its `usage` is that of the command, which {@link withOptions} adds. */
function usageError(message: string): UsageError {
  return { kind: "usage-error", message, usage: "" };
}

function demoCommand(values: Values): Command {
  const { kind } = SETTINGS.transport;
  const transport = kind.parse(text(values, "transport") ?? DEMO_TRANSPORT);
  if (transport !== undefined) return { kind: "demo", transport, page: values.has("page") };
  return usageError(`--transport must be ${kind.accepted}`);
}

function skillCommand(kind: "install-skill" | "uninstall-skill", args: readonly string[]): Command {
  return withOptions(kind, args, { dir: "string", force: "boolean" }, (values) => {
    return { kind, dir: text(values, "dir"), force: values.has("force") };
  });
}

function verifyCommand(args: readonly string[]): Command {
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  const file = args[at];
  if (file === undefined) {
    const message = "the path of a .transcript.json file is missing";
    return { kind: "usage-error", message, usage: usageLine("verify", {}) };
  }
  return withOptions("verify", args.toSpliced(at, 1), {}, () => ({ kind: "verify", file }));
}

function exportCommand(values: Values, [file]: readonly string[]): Command {
  const [tunnelId, out] = [text(values, "tunnel"), text(values, "out")];
  const [json, markdown] = [values.has("json"), values.has("markdown")];
  if (json && markdown) return usageError("--json and --markdown: only one is possible");
  if (file !== undefined && tunnelId !== undefined)
    return usageError("--tunnel is for a running tunnel: leave it out, or the file");
  const format = json ? "json" : markdown ? "markdown" : undefined;
  return { kind: "export", request: { file, tunnelId, out, format } };
}

function wakeCommand(values: Values): Command {
  const [tunnelId, timeout] = [text(values, "tunnel"), text(values, "timeout")];
  if (values.has("watch")) {
    if (timeout === undefined) return { kind: "wake-watch", tunnelId };
    return usageError("--watch goes on for ever: leave --timeout out");
  }
  if (timeout === undefined) return { kind: "wake", tunnelId, timeoutMs: undefined };
  const seconds = /^\d{1,5}$/.test(timeout) ? Number(timeout) : 0;
  if (seconds < 1 || seconds > MAX_TIMEOUT_SECONDS)
    return usageError(`--timeout must be a whole number of seconds from 1 to ${MAX_TIMEOUT_SECONDS}`);
  return { kind: "wake", tunnelId, timeoutMs: seconds * 1_000 };
}

const EXPORT_OPTIONS: OptionTypes = { tunnel: "string", out: "string", json: "boolean", markdown: "boolean" };

const WAKE_OPTIONS: OptionTypes = { tunnel: "string", timeout: "string", watch: "boolean" };

const OPEN_OPTIONS: OptionTypes = {
  goal: "string",
  name: "string",
  invites: "string",
  transport: "string",
  history: "boolean",
  json: "boolean",
};

function openCommand(values: Values): Command {
  const goal = text(values, "goal");
  const { kind } = SETTINGS.transport;
  const named = text(values, "transport");
  const transport = named === undefined ? undefined : kind.parse(named);
  const invites = text(values, "invites") ?? "1";
  const count = /^\d{1,2}$/.test(invites) ? Number(invites) : 0;
  if (goal === undefined) return usageError("open needs --goal TEXT");
  if (count < 1 || count >= ROOM.maxMembers)
    return usageError(`--invites must be a number from 1 to ${ROOM.maxMembers - 1}`);
  if (named !== undefined && transport === undefined)
    return usageError(`--transport must be ${kind.accepted}`);
  const [history, json] = [values.has("history"), values.has("json")];
  return { kind: "open", goal, name: text(values, "name"), invites: count, transport, history, json };
}

function joinCommand(values: Values, [link]: readonly string[]): Command {
  return { kind: "join", link, name: text(values, "name"), json: values.has("json") };
}

/** The words after `expose` that are no target. A folder of such a name is written with a slash. */
function exposeCommand(args: readonly string[]): Command {
  const [first, ...rest] = args;
  const read =
    <Given extends Command>(from: (values: Values, others: readonly string[]) => Given | string) =>
    (values: Values, others: readonly string[]): Command => {
      const given = from(values, others);
      return typeof given === "string" ? usageError(given) : given;
    };
  if (first === "list")
    return withOptions("expose list", rest, EXPOSE_LIST_OPTIONS, read(readExposeList), MANY);
  if (first === "stop")
    return withOptions("expose stop", rest, EXPOSE_STOP_OPTIONS, read(readExposeStop), MANY);
  return withOptions("expose", args, EXPOSE_OPTIONS, read(readExpose), EXPOSE.maxRunning);
}

function anthropicCommand([action, ...rest]: readonly string[]): Command {
  const name = "anthropic-tunnel";
  if (!isAnthropicAction(action)) return { ...usageError(unknownAction(action)), usage: usageLine(name, {}) };
  const types = ANTHROPIC_OPTIONS[action];
  return withOptions(
    `${name} ${action}`,
    rest,
    types,
    (values, others) => {
      const given = readAnthropic(action, values, others);
      return typeof given === "string" ? usageError(given) : given;
    },
    MANY,
  );
}

/** Words that a command does not take, but explains. */
const MANY = 100;

const SETUP_OPTIONS: OptionTypes = {
  client: "list",
  project: "boolean",
  yes: "boolean",
  print: "boolean",
  remove: "boolean",
  force: "boolean",
};

function setupCommand(values: Values): Command {
  const names =
    text(values, "client")
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "") ?? [];
  const clients = names.map(clientNamed).filter((name) => name !== undefined);
  if (values.has("client") && names.length === 0) return usageError("--client needs a value");
  const unknown = names.find((name) => clientNamed(name) === undefined);
  if (unknown !== undefined)
    return usageError(`unknown client ${unknown}; known are ${CLIENT_NAMES.join(", ")}`);
  const other = ["yes", "remove", "force"].find((name) => values.has(name));
  if (values.has("print") && other !== undefined)
    return usageError(`--print changes nothing, so it does not go with --${other}`);
  const mode = values.has("print") ? "print" : values.has("remove") ? "remove" : "set-up";
  const [yes, force, project] = [values.has("yes"), values.has("force"), values.has("project")];
  return { kind: "setup", request: { clients: [...new Set(clients)], mode, yes, force, project } };
}

function withOptions(
  name: string,
  args: readonly string[],
  types: OptionTypes,
  command: (values: Values, positionals: readonly string[]) => Command,
  maxPositionals = 0,
): Command {
  const options = readOptions(args, types, maxPositionals);
  const read =
    typeof options === "string" ? usageError(options) : command(options.values, options.positionals);
  return read.kind === "usage-error" ? { ...read, usage: usageLine(name, types) } : read;
}

/** The options given, or a sentence on the first thing that is wrong with them. */
function readOptions(args: readonly string[], types: OptionTypes, maxPositionals: number): Options | string {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, { type: type === "boolean" ? type : "string" }]),
    ),
    allowPositionals: true,
    strict: false, // its own messages speak to programmers; the checks below speak to users
    tokens: true,
  });
  const values = new Map<string, string | true | readonly string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (positionals.length === maxPositionals) return `unexpected argument ${quoted(token.value)}`;
      positionals.push(token.value);
      continue;
    }
    if (token.kind === "option-terminator") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(types, name)) {
      const meant = nearest(name, Object.keys(types));
      return `unknown option ${quoted(rawName)}${guess(meant && `--${meant}`)}`;
    }
    if (types[name] === "boolean") {
      if (value !== undefined) return `${rawName} takes no value`;
      values.set(name, true);
      continue;
    }
    const isNextOption = inlineValue === false && value.startsWith("-");
    if (value === undefined || value === "" || isNextOption) return `${rawName} needs a value`;
    if (types[name] === "each") {
      values.set(name, [...texts(values, name), value]);
      continue;
    }
    const before = types[name] === "list" ? values.get(name) : undefined;
    values.set(name, typeof before === "string" ? `${before},${value}` : value);
  }
  return { values, positionals };
}

/** The typed text, unless it may be a link: anybody who sees the screen could use it. */
function quoted(typed: string): string {
  return isPerhapsLink(typed) ? "(a link)" : typed;
}

function isPerhapsLink(typed: string): boolean {
  return /wss?:|#1\.|%231\./i.test(typed);
}
