const PLAIN = /^[\w@%+=:,./-]+$/;
/** Git Bash and cmd.exe disagree about a backslash in quotes; outside of them only a path has one. */
const PLAIN_ON_WINDOWS = /^[\w@%+=:,./\\-]+$/;

/** One argument for a shell of that system, quoted where it must be. */
export function shellWord(word: string, platform: string): string {
  if (platform === "win32") {
    return PLAIN_ON_WINDOWS.test(word) ? word : `"${word.replaceAll('"', String.raw`\"`)}"`;
  }
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command line for a human to paste. */
export function shellLine(argv: readonly string[], platform: string): string {
  return argv.map((word) => shellWord(word, platform)).join(" ");
}
