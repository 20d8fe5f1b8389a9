import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearest } from "../../errors/nearest.ts";
import { KINDS, type ClaimKind } from "../../uplink/messages.ts";
import { isPattern } from "../auth/patterns.ts";
import type { TokenEntry } from "../auth/tokens.ts";
import { HTTP_URL } from "../config/kinds.ts";

/** Options of the relay itself that say where its tokens are. */
type RelayArgs = readonly string[];

export type TokenRequest =
  | { readonly kind: "help" }
  | {
      readonly kind: "create";
      readonly relayArgs: RelayArgs;
      readonly isJson: boolean;
      /** The address that hosts are told; undefined where the relay's own options have to say it. */
      readonly url: URL | undefined;
      readonly about: Pick<TokenEntry, "label" | "kinds" | "names" | "limits"> & {
        readonly expiresAt: string | undefined;
      };
    }
  | { readonly kind: "list"; readonly relayArgs: RelayArgs; readonly isJson: boolean }
  | {
      readonly kind: "revoke";
      readonly relayArgs: RelayArgs;
      readonly isJson: boolean;
      /** An id or a name. */
      readonly which: string;
    };

const WHERE = {
  "token-file": { type: "string" },
  config: { type: "string" },
  json: { type: "boolean" },
} as const;

const LIMITS = {
  "max-tunnels": "tunnels",
  "max-names": "names",
  "max-in-flight": "inFlight",
  "bytes-per-second": "bytesPerSecond",
  "max-request-bytes": "requestBytes",
  "max-response-bytes": "responseBytes",
} as const satisfies Readonly<Record<string, keyof TokenEntry["limits"]>>;

const OPTIONS = {
  create: {
    ...WHERE,
    names: { type: "string", multiple: true },
    kinds: { type: "string", multiple: true },
    expires: { type: "string" },
    url: { type: "string" },
    ...Object.fromEntries(Object.keys(LIMITS).map((name) => [name, { type: "string" } as const])),
  },
  list: WHERE,
  revoke: WHERE,
} as const satisfies Readonly<Record<string, NonNullable<ParseArgsConfig["options"]>>>;

type Verb = keyof typeof OPTIONS;
const isVerb = (word: string): word is Verb => Object.hasOwn(OPTIONS, word);

/** The request behind `tunnel-mcp relay token`, or one sentence on what was not understood. */
export function readTokenArgs(args: readonly string[], now: number): TokenRequest | string {
  const [verb = "", ...rest] = args;
  if (args.some((arg) => arg === "--help" || arg === "-h")) return { kind: "help" };
  if (verb === "") return "create, list or revoke is missing";
  if (!isVerb(verb)) {
    const meant = nearest(verb, Object.keys(OPTIONS));
    return `unknown word ${JSON.stringify(verb)}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
  }
  const parsed = parse(verb, rest);
  if (typeof parsed === "string") return parsed;
  return requestOf(verb, parsed, now);
}

function requestOf(verb: Verb, { given, words }: Parsed, now: number): TokenRequest | string {
  const relayArgs = (["token-file", "config"] as const).flatMap((name) => {
    const value = given.get(name)?.at(-1);
    return value === undefined ? [] : [`--${name}=${value}`];
  });
  const common = { relayArgs, isJson: given.has("json") };
  const [word] = words;
  const wanted = verb === "list" ? 0 : 1;
  if (words.length > wanted) return `unexpected argument ${JSON.stringify(words[wanted])}`;
  if (verb === "list") return { kind: "list", ...common };
  if (word === undefined)
    return verb === "create" ? "the NAME of the token is missing" : "the ID or NAME is missing";
  if (verb === "revoke") return { kind: "revoke", ...common, which: word };
  const url = given.get("url")?.at(-1);
  const address = url === undefined ? undefined : HTTP_URL.parse(url);
  if (url !== undefined && address === undefined) return `--url must be ${HTTP_URL.accepted}`;
  const about = aboutToken(word, given, now);
  return typeof about === "string" ? about : { kind: "create", ...common, url: address, about };
}

interface Parsed {
  readonly given: Given;
  readonly words: readonly string[];
}

type Given = ReadonlyMap<string, readonly string[]>;

function parse(verb: Verb, args: readonly string[]): Parsed | string {
  const options: NonNullable<ParseArgsConfig["options"]> = OPTIONS[verb];
  const { tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const option = options[token.name];
    if (option === undefined) {
      const meant = nearest(token.name, Object.keys(options));
      return `unknown option ${token.rawName}${meant === undefined ? "" : `; did you mean --${meant}?`}`;
    }
    if (option.type === "string" && (token.value === undefined || token.value === ""))
      return `--${token.name} needs a value`;
    if (option.type === "boolean" && token.value !== undefined) return `--${token.name} takes no value`;
    given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ""]);
  }
  return { given, words };
}

type About = Extract<TokenRequest, { kind: "create" }>["about"];

function aboutToken(label: string, given: Given, now: number): About | string {
  if (!/^[^\p{C}\p{Z}](?:[^\p{C}]{0,62}[^\p{C}\p{Z}])?$/u.test(label) || label.length > 64)
    return "the NAME must be 1 to 64 characters without line ends";
  const names = listOf(given.get("names")) ?? ["*"];
  const unfit = names.find((name) => !isPattern(name));
  if (unfit !== undefined)
    return `--names: ${JSON.stringify(unfit)} is no name: lower-case letters, digits and hyphens, with one * at most`;
  const kinds = kindsOf(listOf(given.get("kinds")) ?? ["room", "http"]);
  if (kinds === undefined) return `--kinds must be of ${KINDS.join(", ")}`;
  const expires = given.get("expires")?.at(-1);
  const expiresAt = expires === undefined ? undefined : endOf(expires, now);
  if (expires !== undefined && expiresAt === undefined)
    return "--expires must be a time to come: 90m, 12h, 30d, 2w, or a date such as 2030-12-31";
  const limits = limitsOf(given);
  if (typeof limits === "string") return limits;
  return { label, names: [...new Set(names)], kinds, limits, expiresAt };
}

function kindsOf(words: readonly string[]): ClaimKind[] | undefined {
  const kinds = words.flatMap((word) => KINDS.find((kind) => kind === word) ?? []);
  return kinds.length === words.length && kinds.length > 0 ? [...new Set(kinds)] : undefined;
}

function limitsOf(given: Given): TokenEntry["limits"] | string {
  const limits: { [Name in keyof TokenEntry["limits"]]: number } = {};
  for (const [option, limit] of Object.entries(LIMITS)) {
    const text = given.get(option)?.at(-1);
    if (text === undefined) continue;
    if (!/^\d{1,15}$/.test(text)) return `--${option} must be a whole number`;
    limits[limit] = Number(text);
  }
  return limits;
}

/** Given more than once, or with commas. */
function listOf(texts: readonly string[] | undefined): string[] | undefined {
  return texts
    ?.flatMap((text) => text.split(","))
    .map((text) => text.trim())
    .filter((text) => text !== "");
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const isUnit = (text: string): text is keyof typeof UNIT_MS => Object.hasOwn(UNIT_MS, text);

/** @returns ISO 8601; undefined for no time, or none that is to come */
function endOf(text: string, now: number): string | undefined {
  const [, count = "", unit = ""] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const isDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const at = isUnit(unit) ? now + Number(count) * UNIT_MS[unit] : isDate ? Date.parse(text) : Number.NaN;
  return at > now && at < Date.UTC(10_000, 0) ? new Date(at).toISOString() : undefined;
}
