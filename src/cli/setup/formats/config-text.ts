import { isDeepStrictEqual } from "node:util";
import type { ServerCommand } from "../../../view/registration.ts";

/** What a file says about the server of our name. `argv` is empty where the entry does not name a program. */
export type Entry =
  { readonly kind: "absent" } | { readonly kind: "present"; readonly argv: readonly string[] };

/** The text of a client's configuration file, read and changed without touching anything but our entry. */
export interface ConfigText {
  /** @throws Unusable when the text cannot be read */
  readonly entry: (text: string) => Entry;
  readonly add: (text: string, server: ServerCommand) => string;
  /** Puts command and arguments into the entry that is there, and leaves its other settings. */
  readonly update: (text: string, server: ServerCommand) => string;
  /** Puts a whole new entry in the place of the one that is there. */
  readonly replace: (text: string, server: ServerCommand) => string;
  readonly remove: (text: string) => string;
  /** What a human would write into an empty file. */
  readonly snippet: (server: ServerCommand) => string;
}

/** A file that is not edited, and why. The reason never quotes the file, which may hold keys. */
export class Unusable extends Error {
  override readonly name = "Unusable";
}

export function unusable(why: string): Unusable {
  return new Unusable(why);
}

const BOM = "\uFEFF";

/**
 * The same with what holds for every format: a byte order mark stays where it is, and an edit that did not lead to what
 * it is for is refused.
 */
export function checked(config: ConfigText): ConfigText {
  const change = (text: string, edit: (text: string) => string, wanted: Entry): string => {
    const mark = text.startsWith(BOM) ? BOM : "";
    const after = edit(text.slice(mark.length));
    if (!isDeepStrictEqual(config.entry(after), wanted)) throw unusable("its layout is unusual");
    return mark + after;
  };
  const present = ({ command, args }: ServerCommand): Entry => ({
    kind: "present",
    argv: [command, ...args],
  });
  return {
    entry: (text) => config.entry(text.startsWith(BOM) ? text.slice(BOM.length) : text),
    add: (text, server) => change(text, (rest) => config.add(rest, server), present(server)),
    update: (text, server) => change(text, (rest) => config.update(rest, server), present(server)),
    replace: (text, server) => change(text, (rest) => config.replace(rest, server), present(server)),
    remove: (text) => change(text, config.remove, { kind: "absent" }),
    snippet: config.snippet,
  };
}
