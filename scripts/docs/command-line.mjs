/** The commands in docs/CLI.md: `--help` without the head of it, and without the settings, which have a page of their own. */
import { fenced } from "./markdown.mjs";

/** @throws {Error} when `--help` has no list of commands where it is looked for */
export function commandLine({ helpText }) {
  const commands = /^Usage: .*?(?=\n\nRegister )/ms.exec(helpText("", ""));
  if (commands === null) throw new Error("--help has no part from `Usage:` to `Register`");
  return fenced("text", commands[0]);
}
