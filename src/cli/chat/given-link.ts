import { TunnelError } from "../../errors/tunnel-error.ts";
import { encodingProblem } from "../../runtime/utf8-input.ts";
import { askLink } from "./terminal/ask-link.ts";
import type { TerminalInput } from "./terminal/keyboard.ts";

interface LinkOptions {
  /** The argument; other users of a machine can see it, so nothing asks for one. */
  readonly given: string | undefined;
  readonly input: TerminalInput;
  /** On standard error: a program reads the other one. */
  readonly write: (text: string) => void;
  readonly stdinIsTerminal: boolean;
  readonly marksPaste: boolean;
  /** The next line of an input that is no terminal; undefined at its end. */
  readonly nextLine: () => Promise<string | undefined>;
}

/**
 * The link that a command was given: as its argument, asked for at a terminal, or the first line of its input.
 * @throws {TunnelError} link-malformed when there is none
 */
export async function givenLink(options: LinkOptions): Promise<string> {
  const { given, input, write, stdinIsTerminal, marksPaste, nextLine } = options;
  if (given !== undefined) return given;
  const link = stdinIsTerminal ? await askLink(input, write, marksPaste) : await firstLine(nextLine);
  if (link === undefined || link === "")
    throw new TunnelError("link-malformed", { detail: "none was given" });
  return link;
}

async function firstLine(nextLine: LinkOptions["nextLine"]): Promise<string | undefined> {
  const line = await nextLine();
  const problem = line === undefined ? undefined : encodingProblem(line);
  if (problem !== undefined) throw new TunnelError("link-malformed", { detail: `the line is ${problem}` });
  return line?.trim();
}
