import { readFileSync } from "node:fs";
import path from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { nearest } from "../../errors/nearest.ts";
import {
  isOptionName,
  OPTION_NAMES,
  RELAY_OPTIONS,
  variableOf,
  type OptionName,
  type RelayConfig,
  type RelayOption,
} from "./options.ts";

type Variables = Readonly<Record<string, string | undefined>>;

export interface Sources {
  readonly args: readonly string[];
  readonly env: Variables;
}

/** The options, or sentences on what is wrong with them: each names where the value came from, and never a secret. */
export type ReadConfig =
  | {
      readonly config: RelayConfig;
      readonly file: string | undefined;
      readonly isCheck: boolean;
      /** Where a value stands, for sentences on it; the flag of one that is not given. */
      readonly where: (name: OptionName) => string;
    }
  | { readonly problems: readonly string[] };

/** A text and where it stands. */
interface Given {
  readonly text: string;
  readonly where: string;
}

/** Flags before variables, variables before the file, the file before the defaults. */
export function readConfig({ args, env }: Sources): ReadConfig {
  const problems: string[] = [];
  const flags = readFlags(args, problems);
  const file = flags.config ?? (env[variableOf("config")] || undefined);
  const inFile = file === undefined ? new Map<OptionName, Given>() : readFile(file, env, problems);
  const places = new Map<OptionName, string>();
  const values = OPTION_NAMES.map((name): [OptionName, unknown] => {
    const option: RelayOption<unknown> = RELAY_OPTIONS[name];
    const variable = variableOf(name);
    const text = env[variable];
    const inEnv = text === undefined || text === "" ? undefined : { text: text.trim(), where: variable };
    const given = flags.given.get(name) ?? inEnv ?? inFile.get(name);
    if (given === undefined) return [name, option.default];
    places.set(name, given.where);
    const value = option.kind.parse(given.text);
    if (value === undefined) problems.push(`${given.where} must be ${option.kind.accepted}`);
    return [name, value];
  });
  if (problems.length > 0) return { problems };
  // Each value has come from the parser of its own option, or is its default.
  const config = Object.fromEntries(values) as RelayConfig;
  return { config, file, isCheck: flags.isCheck, where: (name) => places.get(name) ?? `--${name}` };
}

/** Flags that are no options: they say where others stand, or that nothing is to be started. */
interface Flags {
  readonly given: ReadonlyMap<OptionName, Given>;
  readonly config: string | undefined;
  readonly isCheck: boolean;
}

function readFlags(args: readonly string[], problems: string[]): Flags {
  const given = new Map<OptionName, Given>();
  let config: string | undefined;
  let isCheck = false;
  for (const { arg, name, text, isNext } of flagsOf(args)) {
    let problem: string | undefined;
    if (arg === "--check") isCheck = true;
    else if (isOptionName(name)) problem = keep(name, text, isNext, given);
    else if (name !== "config") problem = unknown(arg);
    else if (text === undefined || text === "") problem = "--config needs a value";
    else config = text;
    if (problem !== undefined) problems.push(problem);
  }
  return { given, config, isCheck };
}

interface Flag {
  readonly arg: string;
  readonly name: string;
  readonly text: string | undefined;
  /** The text is the next argument. */
  readonly isNext: boolean;
}

function* flagsOf(args: readonly string[]): Generator<Flag> {
  let rest = args;
  while (rest.length > 0) {
    const [arg = "", next] = rest;
    const [, name = "", inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const isNext = inline === undefined && (name === "config" || (isOptionName(name) && !isSwitch(name)));
    rest = rest.slice(isNext ? 2 : 1);
    yield { arg, name, text: isNext ? next : (inline ?? "yes"), isNext };
  }
}

const isSwitch = (name: OptionName): boolean => {
  const option: RelayOption<unknown> = RELAY_OPTIONS[name];
  return option.kind.isSwitch === true;
};

/** @returns what is wrong with this flag, as a sentence */
function keep(
  name: OptionName,
  text: string | undefined,
  isNext: boolean,
  given: Map<OptionName, Given>,
): string | undefined {
  const option: RelayOption<unknown> = RELAY_OPTIONS[name];
  if (option.isSecret === true)
    return `--${name} would be seen by other users of this machine: use ${variableOf(name)} or --${name}-file`;
  if (text === undefined || text === "" || (isNext && text.startsWith("--")))
    return `--${name} needs a value`;
  const before = option.kind.isList === true ? given.get(name) : undefined;
  given.set(name, { text: before === undefined ? text : `${before.text},${text}`, where: `--${name}` });
  return undefined;
}

function unknown(arg: string): string {
  const word = arg.replace(/^-+/, "").replace(/=.*$/s, "");
  const meant = nearest(word, [...OPTION_NAMES, "config", "check"]);
  const guess = meant === undefined ? "" : `; did you mean --${meant}?`;
  if (arg.startsWith("-")) return `unknown option --${word}${guess}`;
  const command = nearest(word, ["status", "token"]);
  return `unexpected argument ${JSON.stringify(arg)}${command === undefined ? "" : `; did you mean relay ${command}?`}`;
}

function readFile(file: string, env: Variables, problems: string[]): ReadonlyMap<OptionName, Given> {
  const given = new Map<OptionName, Given>();
  let [text, table]: [string, Record<string, unknown>] = ["", {}];
  try {
    text = readFileSync(path.resolve(file), "utf8");
    table = parseToml(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const place = error instanceof TomlError ? `, line ${error.line}, column ${error.column}` : "";
    problems.push(`${file}${place} cannot be read as TOML: ${error.message.split("\n")[0] ?? ""}`);
    return given;
  }
  for (const [key, value] of Object.entries(table)) {
    const name = key.replaceAll("_", "-");
    const where = `${key} in ${file}${lineOf(key, text)}`;
    const written = textOf(value);
    if (!isOptionName(name)) problems.push(`${where}: ${unknown(`--${name}`)}`);
    else if (written === undefined)
      problems.push(`${where} must be text, a number, true or false, or a list of texts`);
    else given.set(name, { text: expanded(written, env, where, problems), where });
  }
  return given;
}

/** The parser keeps no lines; a key of the file's own table stands at the beginning of one. */
function lineOf(key: string, text: string): string {
  const at = text.split("\n").findIndex((line) => {
    const [, name] = /^\s*["']?([\w-]+)["']?\s*=/.exec(line) ?? /^\s*\[\s*([\w-]+)/.exec(line) ?? [];
    return name === key;
  });
  return at === -1 ? "" : `, line ${at + 1}`;
}

function textOf(value: unknown): string | undefined {
  if (Array.isArray(value))
    return value.every((one) => typeof one === "string") ? value.join(",") : undefined;
  return typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "boolean" ||
    typeof value === "bigint"
    ? String(value)
    : undefined;
}

/** `${NAME}` in a value is that variable. */
function expanded(text: string, env: Variables, where: string, problems: string[]): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_whole, name: string) => {
    const value = env[name];
    if (value === undefined) problems.push(`${where} names the variable ${name}, which is not set`);
    return value ?? "";
  });
}
