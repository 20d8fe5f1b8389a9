import { isDeepStrictEqual } from "node:util";
import type { ServerCommand } from "../../../view/setup/registration.ts";

/** The entry for our server in a file. `argv` is empty where it names no program. */
export type ServerEntry =
  { readonly kind: "absent" } | { readonly kind: "present"; readonly argv: readonly string[] };

/** The text of a client's configuration file. Reads and changes our entry alone. */
export interface ConfigText {
  /** @throws {Unusable} when the text cannot be read */
  readonly entry: (text: string) => ServerEntry;
  /** Every server of the file by its name, each with its `argv`. @throws {Unusable} */
  readonly servers: (text: string) => ReadonlyMap<string, readonly string[]>;
  readonly add: (text: string, server: ServerCommand) => string;
  /** Puts command and arguments into the existing entry, and leaves its other settings. */
  readonly update: (text: string, server: ServerCommand) => string;
  /** Replaces the existing entry as a whole. */
  readonly replace: (text: string, server: ServerCommand) => string;
  readonly remove: (text: string) => string;
  /** Whether a text has our entry, or nothing at all, and not even a comment else. */
  readonly isBare: (text: string) => boolean;
  /** The text for a human to write into an empty file. */
  readonly snippet: (server: ServerCommand) => string;
}

/** A file that cannot be edited. The reason never quotes it, since it may hold keys. */
export class Unusable extends Error {
  override readonly name = "Unusable";
}

export function unusable(why: string): Unusable {
  return new Unusable(why);
}

const BOM = "\uFEFF";

export function hasMark(text: string): boolean {
  return text.startsWith(BOM);
}

export function withoutMark(text: string): string {
  return hasMark(text) ? text.slice(BOM.length) : text;
}

/**
 * The same with two rules for every format: a byte order mark stays in its place, unless the client could not read the
 * file with it, and an edit without the wanted result is refused.
 */
export function checked(config: ConfigText, keepsMark: boolean): ConfigText {
  const change = (text: string, edit: (text: string) => string, wanted: ServerEntry): string => {
    const after = edit(withoutMark(text));
    if (!isDeepStrictEqual(config.entry(after), wanted)) throw unusable("its layout is unusual");
    return hasMark(text) && keepsMark ? BOM + after : after;
  };
  const present = ({ command, args }: ServerCommand): ServerEntry => ({
    kind: "present",
    argv: [command, ...args],
  });
  return {
    entry: (text) => config.entry(withoutMark(text)),
    add: (text, server) => change(text, (rest) => config.add(rest, server), present(server)),
    update: (text, server) => change(text, (rest) => config.update(rest, server), present(server)),
    replace: (text, server) => change(text, (rest) => config.replace(rest, server), present(server)),
    remove: (text) => change(text, config.remove, { kind: "absent" }),
    servers: (text) => config.servers(withoutMark(text)),
    isBare: (text) => config.isBare(withoutMark(text)),
    snippet: config.snippet,
  };
}
