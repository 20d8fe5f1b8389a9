import { parseArgs } from "node:util";
import type { Config } from "../session/config.ts";

/** What the user asked for. `usage-error` carries one sentence that says what was not understood. */
export type Command =
  | { readonly kind: "serve" }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "demo"; readonly transport: Config["transport"] }
  | { readonly kind: "doctor" }
  | { readonly kind: "install-skill"; readonly dir: string | undefined; readonly force: boolean }
  | { readonly kind: "verify" | "export"; readonly file: string }
  | { readonly kind: "wake"; readonly tunnelId: string | undefined; readonly timeoutMs: number | undefined }
  | { readonly kind: "wake-watch"; readonly tunnelId: string | undefined }
  | { readonly kind: "usage-error"; readonly message: string };

/** A day. */
const MAX_TIMEOUT_SECONDS = 86_400;

type OptionTypes = Readonly<Record<string, "string" | "boolean">>;

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
    case "verify":
      return withFile(rest, {}, (file) => ({ kind: "verify", file }));
    case "export":
      return withFile(rest, { markdown: "boolean" }, (file) => ({ kind: "export", file }));
    case "wake":
      return withOptions(rest, { tunnel: "string", timeout: "string", watch: "boolean" }, wakeCommand);
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

/** One path, and options before or after it. */
function withFile(args: readonly string[], types: OptionTypes, command: (file: string) => Command): Command {
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  const file = args[at];
  if (file === undefined)
    return { kind: "usage-error", message: "the path of a .transcript.json file is missing" };
  return withOptions(args.toSpliced(at, 1), types, () => command(file));
}

function wakeCommand(values: ReadonlyMap<string, string | true>): Command {
  const [tunnel, timeout] = [values.get("tunnel"), values.get("timeout")];
  const tunnelId = typeof tunnel === "string" ? tunnel : undefined;
  if (values.has("watch")) {
    if (timeout === undefined) return { kind: "wake-watch", tunnelId };
    return { kind: "usage-error", message: "--watch goes on for ever: leave --timeout out" };
  }
  if (timeout === undefined) return { kind: "wake", tunnelId, timeoutMs: undefined };
  const seconds = typeof timeout === "string" && /^\d{1,5}$/.test(timeout) ? Number(timeout) : 0;
  if (seconds < 1 || seconds > MAX_TIMEOUT_SECONDS) {
    const message = `--timeout must be a whole number of seconds from 1 to ${MAX_TIMEOUT_SECONDS}`;
    return { kind: "usage-error", message };
  }
  return { kind: "wake", tunnelId, timeoutMs: seconds * 1_000 };
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
    options: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }])),
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
    values.set(name, value);
  }
  return { ok: true, values };
}
