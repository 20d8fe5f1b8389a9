import { statSync } from "node:fs";
import { isIP } from "node:net";
import path from "node:path";
import { TunnelError } from "../errors/tunnel-error.ts";
import { isName } from "../protocol/base/text.ts";
import { publicOrigin } from "../tunnel/direct.ts";
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
  /** The value, or undefined when `text` (never empty) does not have the accepted form. */
  readonly parse: (text: string) => T | undefined;
  /** The shortest text for a value; undefined when only an unset variable means it. A method, so that kinds can share lists. */
  write(value: T): string | undefined;
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

export const MEMBER_NAME = optional(
  "1 to 64 characters on one line, without control characters",
  "string",
  (text) => {
    const name = text.trim().normalize("NFC");
    return isName(name) ? name : undefined;
  },
);

export const FOLDER = optional("a folder", "filepath", (text) => text);

export const COMMAND = optional<readonly string[]>(
  "a JSON array of strings, or one line of words in which every quote is closed",
  "string",
  splitCommand,
);

export const PATTERN = optional<RegExp>("a regular expression", "string", (text) => {
  try {
    return new RegExp(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
});

export const FOLDERS = pathList("absolute paths of existing folders", isFolder);
export const FILES = pathList("absolute paths of files", () => true);

/** A setting that means nothing unless it is set; its default is undefined, which no text means. */
function optional<T>(
  accepted: string,
  format: "string" | "filepath",
  parse: (text: string) => T | undefined,
): Kind<T | undefined> {
  return { accepted, format, parse, write: () => undefined };
}

/** Paths, separated as in `PATH`. Absolute, since a client may start the server in any folder. */
function pathList(what: string, accepts: (entry: string) => boolean): Kind<readonly string[]> {
  return {
    accepted: `${what}, separated as in PATH`,
    format: "string",
    parse(text) {
      const entries = text.split(path.delimiter).filter((entry) => entry !== "");
      const areUsable = entries.every(
        (entry) => path.isAbsolute(entry) && !entry.includes("\0") && accepts(entry),
      );
      return entries.length > 0 && areUsable ? entries : undefined;
    },
    write: (entries) => (entries.length === 0 ? undefined : entries.join(path.delimiter)),
  };
}

function isFolder(entry: string): boolean {
  try {
    return statSync(entry, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

/** "a, b or c". */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
