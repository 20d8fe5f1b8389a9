import { parseArgs } from "node:util";
import type { Config } from "../session/config.ts";
import { CLIENT_NAMES, isClientName } from "./setup/names.ts";
import type { SetupRequest } from "./setup/setup.ts";

/** What the user asked for. `usage-error` carries one sentence that says what was not understood. */
export type Command =
  | { readonly kind: "serve" }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "demo"; readonly transport: Config["transport"] }
  | { readonly kind: "doctor" }
  | { readonly kind: "install-skill"; readonly dir: string | undefined; readonly force: boolean }
  | { readonly kind: "setup"; readonly request: SetupRequest }
  | { readonly kind: "usage-error"; readonly message: string };

/** A `list` may be given several times, and takes several values with commas between them. */
type OptionTypes = Readonly<Record<string, "string" | "boolean" | "list">>;

/** The options given, or the first thing that is wrong with them. */
type Options =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string | true> }
  | { readonly ok: false; readonly message: string };

/** Reads the arguments after the script's name. Total: whatever cannot be understood is a `usage-error`. */
export function parseCommand(args: readonly string[]): Command {
  if (args.some((arg) => arg === "--help" || arg === "-h")) return { kind: "help" };
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      return { kind: "serve" };
    case "--version":
    case "-v":
      return withOptions(rest, {}, () => ({ kind: "version" }));
    case "doctor":
      return withOptions(rest, {}, () => ({ kind: "doctor" }));
    case "demo":
      return withOptions(rest, { transport: "string" }, demoCommand);
    case "install-skill":
      return withOptions(rest, { dir: "string", force: "boolean" }, (values) => {
        const dir = values.get("dir");
        return {
          kind: "install-skill",
          dir: typeof dir === "string" ? dir : undefined,
          force: values.has("force"),
        };
      });
    case "setup":
      return withOptions(
        rest,
        { client: "list", yes: "boolean", print: "boolean", remove: "boolean", force: "boolean" },
        setupCommand,
      );
    default:
      return {
        kind: "usage-error",
        message: `unknown ${first.startsWith("-") ? "option" : "command"} ${first}`,
      };
  }
}

function demoCommand(values: ReadonlyMap<string, string | true>): Command {
  const transport = values.get("transport") ?? "direct";
  if (transport === "direct" || transport === "cloudflared") return { kind: "demo", transport };
  return { kind: "usage-error", message: "--transport must be direct or cloudflared" };
}

function setupCommand(values: ReadonlyMap<string, string | true>): Command {
  const list = values.get("client");
  const names = typeof list === "string" ? list.split(",").map((name) => name.trim()) : [];
  const clients = names.filter(isClientName);
  const unknown = names.find((name) => !isClientName(name));
  if (unknown !== undefined) {
    return {
      kind: "usage-error",
      message: `unknown client ${unknown}; known are ${CLIENT_NAMES.join(", ")}`,
    };
  }
  const other = ["yes", "remove", "force"].find((name) => values.has(name));
  if (values.has("print") && other !== undefined) {
    return { kind: "usage-error", message: `--print changes nothing, so it does not go with --${other}` };
  }
  const mode = values.has("print") ? "print" : values.has("remove") ? "remove" : "set-up";
  return { kind: "setup", request: { clients, mode, yes: values.has("yes"), force: values.has("force") } };
}

function withOptions(
  args: readonly string[],
  types: OptionTypes,
  command: (values: ReadonlyMap<string, string | true>) => Command,
): Command {
  const options = readOptions(args, types);
  return options.ok ? command(options.values) : { kind: "usage-error", message: options.message };
}

function readOptions(args: readonly string[], types: OptionTypes): Options {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name, { type: type === "list" ? "string" : type }]),
    ),
    allowPositionals: true,
    strict: false, // its own messages speak to programmers; the checks below speak to users
    tokens: true,
  });
  const values = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind === "positional") return { ok: false, message: `unexpected argument ${token.value}` };
    if (token.kind === "option-terminator") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(types, name)) return { ok: false, message: `unknown option ${rawName}` };
    if (types[name] === "boolean") {
      if (value !== undefined) return { ok: false, message: `${rawName} takes no value` };
      values.set(name, true);
      continue;
    }
    const isNextOption = inlineValue === false && value.startsWith("-");
    if (value === undefined || value === "" || isNextOption) {
      return { ok: false, message: `${rawName} needs a value` };
    }
    const before = types[name] === "list" ? values.get(name) : undefined;
    values.set(name, typeof before === "string" ? `${before},${value}` : value);
  }
  return { ok: true, values };
}
