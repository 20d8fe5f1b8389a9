/** The commands in docs/CLI.md: `--help` without the settings, which have a page of their own. */
import { fenced } from "./markdown.mjs";

export function commandLine({ commandsHelp }, settings) {
  return fenced("text", commandsHelp(settings));
}
