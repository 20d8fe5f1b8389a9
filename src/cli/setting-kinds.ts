import { isIP } from "node:net";
import path from "node:path";
import { TunnelError } from "../errors/tunnel-error.ts";
import { checkName } from "../protocol/base/text.ts";
import { publicOrigin } from "../tunnel/direct.ts";
import { relayOrigin } from "../tunnel/relay/address.ts";
import { splitCommand } from "./command-words.ts";

/** The kinds of values that a setting can have: how text becomes a value, and what is told of the accepted text. */
export interface Kind<T> {
  /** The accepted form, to follow "must be". */
  readonly accepted: string;
  /** The type of input that a form of a client shows, and that the registry's schema knows. */
  readonly format: "string" | "number" | "filepath";
  /** Every accepted text, where they can be listed. */
  readonly choices?: readonly string[];
  readonly range?: { readonly min: number; readonly max: number };
  /** The value, or undefined when `text` (never empty, see {@link readable}) does not have the accepted form. */
  readonly parse: (text: string) => T | undefined;
  /** The part of a value that can be used although another part of it cannot; left out where a value has no parts. */
  readonly salvage?: (text: string) => T;
  /** What is wrong with a text that has no value, without any word of it; left out where the accepted form says it all. */
  readonly explain?: (text: string) => string | undefined;
  /** Quotes and blanks in the text have a meaning of their own. */
  readonly isVerbatim?: true;
  /** The shortest text for a value; undefined when only an unset variable means it. A method, so that kinds can share lists. */
  write(value: T): string | undefined;
}

const QUOTED = /^(["'])(.*)\1$/s;

/**
 * A value without what files and shells put around it: a byte order mark, the line end of a file from Windows, blanks, and one
 * pair of quotes that a reader of `.env` files or a client has left there.
 */
export function readable(text: string, { isVerbatim }: Pick<Kind<unknown>, "isVerbatim">): string {
  const line = text.replace(/^\uFEFF/, "").replace(/[\r\n]+$/, "");
  return isVerbatim === true ? line : unquoted(line);
}

/** Quotes within the quotes mean that these are no pair. */
function unquoted(text: string): string {
  const bare = text.trim();
  const [, quote = "", inner = ""] = QUOTED.exec(bare) ?? [];
  return quote === "" || inner.includes(quote) ? bare : inner.trim();
}

/** @param values the value of each accepted text; the first text of a value is the one that is shown */
function choice<T extends string | boolean>(values: Readonly<Record<string, T>>): Kind<T> {
  const choices = Object.keys(values);
  return {
    accepted: alternatives(choices),
    format: "string",
    choices,
    parse: (text) => (Object.hasOwn(values, text) ? values[text] : undefined),
    write: (value) => choices.find((text) => values[text] === value),
  };
}

/** Some of these names, each once. */
export function someOf<T extends string>(known: readonly T[]): Kind<readonly T[]> {
  return {
    accepted: `a list of ${known.join(", ")}, separated by commas`,
    format: "string",
    parse(text) {
      const names = text.split(",").map((typed) => known.find((name) => name === typed.trim()));
      const found = names.filter((name) => name !== undefined);
      return found.length === names.length ? [...new Set(found)] : undefined;
    },
    write: (names) => (names.length === 0 ? undefined : names.join(",")),
  };
}

export function oneOf<T extends string>(names: readonly T[]): Kind<T> {
  return {
    accepted: alternatives(names),
    format: "string",
    choices: names,
    parse: (text) => names.find((name) => name === text),
    write: (name) => name,
  };
}

export const ON_OFF = choice({ on: true, off: false });
export const OPEN_OFF = choice({ open: true, off: false });
export const YES_NO = choice({ "0": false, "1": true, true: true, false: false });

export function wholeNumber(min: number, max: number): Kind<number> {
  return {
    accepted: `a whole number from ${min} to ${max}`,
    format: "number",
    range: { min, max },
    parse(text) {
      const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
    write: String,
  };
}

/** A number that means something of its own where it is not set. */
export function optionalNumber(min: number, max: number): Kind<number | undefined> {
  return { ...wholeNumber(min, max), write: () => undefined };
}

export const IP_ADDRESS: Kind<string> = {
  accepted: "an IP address such as 127.0.0.1 or 0.0.0.0",
  format: "string",
  parse: (text) => (isIP(text) === 0 ? undefined : text),
  write: (address) => address,
};

export const PROGRAM = optional("the absolute path of a program", "filepath", (text) =>
  path.isAbsolute(text) ? text : undefined,
);

export const ORIGIN = optional(
  "a ws, wss, http or https origin without path, query or user name",
  "string",
  (text) => {
    try {
      return publicOrigin(text);
    } catch (error) {
      if (error instanceof TunnelError) return undefined;
      throw error;
    }
  },
);

export const RELAY_ADDRESS = optional(
  "an https origin without path, query or user name; http only on this machine or a private address",
  "string",
  (text) => {
    try {
      return relayOrigin(text).origin;
    } catch (error) {
      if (error instanceof TunnelError) return undefined;
      throw error;
    }
  },
);

export const TOKEN = optional("one word of at most 512 characters", "string", (text) =>
  /^[\x21-\x7e]{1,512}$/.test(text) ? text : undefined,
);

export const ABSOLUTE_FILE = optional("the absolute path of a file", "filepath", (text) =>
  path.isAbsolute(text) ? text : undefined,
);

export const MEMBER_NAME: Kind<string | undefined> = {
  ...optional("1 to 64 characters on one line, without control characters", "string", (text) => {
    const name = nameIn(text);
    return name instanceof TunnelError ? undefined : name;
  }),
  explain(text) {
    const name = nameIn(text);
    return name instanceof TunnelError ? name.detail : undefined;
  },
};

function nameIn(text: string): string | TunnelError {
  try {
    return checkName(text);
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
}

export const FILE = optional("a file", "filepath", (text) => (text === "" ? undefined : text));
export const FOLDER = optional("a folder", "filepath", (text) => (text === "" ? undefined : text));

export const COMMAND: Kind<readonly string[] | undefined> = {
  ...optional<readonly string[]>(
    "a JSON array of strings, or one line of words in which every quote is closed",
    "string",
    splitCommand,
  ),
  isVerbatim: true,
};

export const PATTERN: Kind<RegExp | undefined> = {
  ...optional<RegExp>("a regular expression", "string", (text) => {
    try {
      return new RegExp(text);
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }),
  isVerbatim: true,
};

export const FOLDERS = pathList("absolute paths of folders");
export const FILES = pathList("absolute paths of files");

/** A setting that means nothing unless it is set; its default is undefined, which no text means. */
function optional<T>(
  accepted: string,
  format: "string" | "filepath",
  parse: (text: string) => T | undefined,
): Kind<T | undefined> {
  return { accepted, format, parse, write: () => undefined };
}

/**
 * Paths, separated as in `PATH`. Absolute, since a client may start the server in any folder. Whether they are there is looked at
 * when they are used: a disk may be mounted later.
 */
function pathList(what: string): Kind<readonly string[]> {
  const entriesOf = (text: string): string[] =>
    text
      .split(path.delimiter)
      .map(unquoted)
      .filter((entry) => entry !== "");
  const isUsable = (entry: string): boolean => path.isAbsolute(entry) && !entry.includes("\0");
  return {
    accepted: `${what}, separated as in PATH`,
    format: "string",
    parse(text) {
      const entries = entriesOf(text);
      return entries.length > 0 && entries.every(isUsable) ? entries : undefined;
    },
    salvage: (text) => entriesOf(text).filter(isUsable),
    write: (entries) => (entries.length === 0 ? undefined : entries.join(path.delimiter)),
  };
}

/** "a, b or c". */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
