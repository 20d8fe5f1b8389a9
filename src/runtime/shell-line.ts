/** Text that needs no quotes in sh; and in cmd, PowerShell and the batch files that npm installs. */
const BARE_POSIX = /^[\w@%+=:,./-]+$/;
const BARE_WINDOWS = /^[\w.:/\\+-]+$/;

/**
 * A command line to copy into a shell of `platform`. On Windows it is one for cmd and PowerShell alike, so only double quotes
 * are left, and `%NAME%` and `$name` inside of an argument cannot be protected from both.
 */
export function shellLine(argv: readonly string[], platform: string): string {
  return argv.map((word) => (platform === "win32" ? windowsWord(word) : posixWord(word))).join(" ");
}

function posixWord(word: string): string {
  return BARE_POSIX.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function windowsWord(word: string): string {
  return BARE_WINDOWS.test(word) ? word : `"${word.replaceAll('"', String.raw`\"`)}"`;
}
